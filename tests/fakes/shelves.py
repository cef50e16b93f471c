"""Places for objects of kinds that are in no listing: lines of a run, entries of a manifest."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import graphql

from fakes.anything import Maker, Node, Rows, Shelf, put
from fakes.serving import FILES
from wandb_mirror.kinds.spec import Kind, Shape


@dataclass
class Lines(Shelf):
    """What one run logged, a line a number. An edit is that it was rewound and logged all anew."""

    signs: int = 0
    """How often the run was heard of."""
    is_counted: bool = True
    """Whether the server has counts of lines."""

    @property
    def run(self) -> Node:
        """The run, as upstream has it."""
        assert self.above is not None
        return self.above.first()

    @property
    def name(self) -> str:
        """What upstream calls the lines."""
        return self.kind.path[-1].field

    def count(self, count: int) -> None:
        """Let upstream count so many lines; where that tells nothing, the run is heard of.

        So either sign alone has to be heeded.
        """
        counted_as = self.kind.field("line_count").source
        if not self.is_counted or self.run.get(counted_as) == count:
            self.signs += 1
            self.run["heartbeatAt"] = f"2024-03-01T00:00:{self.signs:02}Z"
        self.run[counted_as] = count

    def hide(self) -> Callable[[], None]:
        """Show no line any more; return what shows them."""
        shown, self.run[self._stored_as] = self.run[self._stored_as], None
        self.count(len(shown) + 1)

        def show() -> None:
            self.run[self._stored_as] = shown

        return show

    @property
    def _stored_as(self) -> str:
        """Where the fake server keeps the lines."""
        return self.name

    def forget_fields(self) -> set[str]:
        """Let the server lack the counts: then a run is read as long as it runs."""
        assert self.maker.forget_fields(self.kind)
        self.is_counted = False
        self.run["state"] = "running"
        return set()


def _line(number: int, edition: int) -> Node:
    """Return what was logged at a time, or the same logged later with another value."""
    return {
        "_timestamp": 1_700_000_000 + number + 1_000_000 * edition,
        "_runtime": number,
        "system.cpu": number + edition / 4,
    }


class Steps(Lines):
    """Steps of a run, in windows."""

    @property
    def _stored_as(self) -> str:
        return "steps"

    @property
    def sizes(self) -> tuple[int, int, int]:
        """More steps than two windows hold, as many as they hold, and a few."""
        return 2 * self.kind.page_size + 1, 2 * self.kind.page_size, 2

    def show(self, numbers: list[int], **edited: int) -> dict[Any, dict[str, Any]]:
        """Let the run have logged these steps; return the values that the mirror is to have."""
        lines = {each: _line(each, edited.get("edition", 0)) for each in numbers}
        texts = {step: json.dumps({"_step": step, **line}) for step, line in lines.items()}
        self.run["steps"] = texts
        self.run["historyKeys"] = {"lastStep": max(lines), "keys": {}}
        self.count(len(lines))
        return {
            step: {"timestamp": line["_timestamp"], "value": line["system.cpu"]}
            for step, line in lines.items()
        }

    def read(self, rows: Rows, *, gone: bool = False) -> dict[Any, dict[str, Any]]:
        """Return the values that the mirror has, by step."""
        assert not gone
        found = rows("SELECT step, epoch(timestamp), value FROM metrics WHERE key = 'system.cpu'")
        return {step: {"timestamp": time, "value": value} for step, time, value in found}


class Samples(Lines):
    """Samples of a run's machine, all at once; until their count moves they are the same."""

    @property
    def sizes(self) -> tuple[int, int, int]:
        """Many samples, one less and a few: there are no pages of them."""
        return 700, 699, 2

    def show(self, numbers: list[int], **edited: int) -> dict[Any, dict[str, Any]]:
        """Let the machine have measured this; return what the mirror is to have."""
        shown = self.run.get(self.name) or []
        lines = [json.dumps(_line(each, edited.get("edition", 0))) for each in numbers]
        self.run[self.name] = lines
        self.count(len(lines))
        kept = shown if len(shown) == len(lines) else lines
        return {line["_runtime"]: {"value": line["system.cpu"]} for line in map(json.loads, kept)}

    def read(self, rows: Rows, *, gone: bool = False) -> dict[Any, dict[str, Any]]:
        """Return what the mirror has, by the time that the run had been running."""
        assert not gone
        found = rows("SELECT runtime, value FROM system_metrics WHERE key = 'system.cpu'")
        return {runtime: {"value": value} for runtime, value in found}


@dataclass
class Manifests(Shelf):
    """Manifests, one a version: each is read once, and what it said stays when the version goes."""

    kept: dict[Any, dict[str, Any]] = field(default_factory=dict)
    """What the mirror is to have of all versions that there ever were."""

    @property
    def sizes(self) -> tuple[int, int, int]:
        """More versions than a page of them and a request for manifests hold, and fewer."""
        self.server.largest_page = 15
        return self.kind.together + 1, self.kind.together, 2

    def show(self, numbers: list[int], **edited: int) -> dict[Any, dict[str, Any]]:
        """Let upstream have these versions, one of them edited, and a file in each.

        Nobody can edit a manifest: that what lies at its address changes is not to be seen.
        """
        assert self.above is not None
        edition = edited.get("edition", 0)
        self.above.show(numbers, edition=edition)
        for number in numbers:
            version = self._version(number)
            version["digest"] = f"digest of {number}"
            row, entry = self._entry(number, edition)
            address = version["id"]
            text = json.dumps({"version": 1, "contents": {row[self.kind.own_key]: entry}})
            self.server.files[address] = text.encode()
            self.server.artifacts[address] = {
                "id": address,
                "currentManifest": {"file": {"directUrl": f"{FILES}/{address}?signature"}},
            }
            self.kept.setdefault(row[self.kind.own_key], row)
        return dict(self.kept)

    def _version(self, number: int) -> Node:
        assert self.above is not None
        holder, name = self.above.holder
        found = [each["artifact"] for each in holder[name]]
        return next(each for each in found if each["id"] == f"artifact-{number}")

    def _entry(self, number: int, edition: int) -> tuple[dict[str, Any], Node]:
        """Return a file of a manifest, as the mirror keeps it and as the manifest has it."""
        row: dict[str, Any] = {}
        entry: Node = {}
        for each in self.kind.fields:
            text = graphql.GraphQLString
            wire, row[each.column] = self.maker.value(self.kind, each, text, number, edition)
            if each.column != self.kind.own_key:
                put(entry, each.source, wire)
        return row, entry

    def hide(self) -> Callable[[], None]:
        """Have a new version whose manifest is not shown; return what shows it."""
        kept = dict(self.kept)
        self.show([0, 1, 2])
        self.kept = kept
        version = self.server.artifacts[self._version(2)["id"]]
        shown, version["currentManifest"] = version["currentManifest"], None

        def show() -> None:
            version["currentManifest"] = shown

        return show

    def forget_fields(self) -> set[str]:
        """Have manifests that say nothing of a file but its path; return the columns of the rest."""
        for address, text in self.server.files.items():
            contents = {path: {} for path in json.loads(text)["contents"]}
            self.server.files[address] = json.dumps({"contents": contents}).encode()
        return {each.column for each in self.kind.fields} - {self.kind.own_key}


SHELVES: dict[Shape, type[Shelf]] = {
    "connection": Shelf,
    "list": Shelf,
    "steps": Steps,
    "samples": Samples,
    "manifest": Manifests,
}
"""By the shape in which upstream hands a kind out: the place for its objects."""


def shelf_of(kind: Kind, maker: Maker) -> Shelf:
    """Return a place for objects of a kind."""
    return SHELVES[kind.shape](kind, maker)
