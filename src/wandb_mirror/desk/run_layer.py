"""Edited runs as the published file would have them: own columns, tags, keys and wide columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from wandb_mirror.desk.key_layer import KeyLayer
from wandb_mirror.desk.tables import by_cells, keyed_rows, of_columns
from wandb_mirror.edits.cells import apply_cells
from wandb_mirror.edits.edit import Edit
from wandb_mirror.edits.spec import Editable, EditField
from wandb_mirror.jsontext import dumps, loads
from wandb_mirror.query.overlay import Members, Replaced
from wandb_mirror.query.published import Published


@dataclass(slots=True)
class RunLayer:
    """Gathers what changes of runs."""

    published: Published
    editable: Editable
    replaced: list[Replaced] = field(default_factory=list)
    members: list[Members] = field(default_factory=list)
    projects: set[int] = field(default_factory=set)
    keys: KeyLayer = field(init=False)

    def __post_init__(self) -> None:
        """Put the parts together."""
        self.keys = KeyLayer(self.published, self.editable.kind)

    def add(self, edits: Sequence[Edit]) -> None:
        """Take in edits of runs; those whose run is not in the file change nothing there."""
        by_run: dict[tuple[str, str], list[Edit]] = {}
        for each in edits:
            by_run.setdefault((each.target.project_id, each.target.own_key), []).append(each)
        names = {each.field for each in edits}
        fields = [spec for spec in self.editable.fields if spec.name in names]
        found = self._find(list(by_run), fields)
        if not found:
            return
        self.projects |= {row["project_no"] for row in found}
        edited = {row["run_no"]: by_cells(by_run[row["place"]]) for row in found}
        self._replace_columns(found, fields, edited)
        for spec in fields:
            if spec.sort == "set":
                self._exchange_members(spec, found, edited)
            elif spec.sort == "map":
                self.keys.add(spec, found, edited)
        self.keys.finish()
        self.replaced += self.keys.replaced
        self.members += self.keys.members

    def _find(
        self, places: Sequence[tuple[str, str]], fields: Sequence[EditField]
    ) -> list[dict[str, Any]]:
        """Return the rows of runs, in the columns that were edited."""
        columns = [each.column for each in fields]
        listed = "".join(f', r."{name}"' for name in columns)
        rows = self.published.rows(
            f"SELECT r.run_no, r.project_no, p.project_id, r.run_id{listed} "
            "FROM (SELECT unnest(?) AS project_id, unnest(?) AS run_id) e "
            "JOIN _data.projects p ON p.project_id = e.project_id "
            "JOIN _data.runs r ON r.project_no = p.project_no AND r.run_id = e.run_id",
            [[place[0] for place in places], [place[1] for place in places]],
        )
        return [
            {
                "run_no": run_no,
                "project_no": project_no,
                "place": (project_id, run_id),
                **dict(zip(columns, rest, strict=True)),
            }
            for run_no, project_no, project_id, run_id, *rest in rows
        ]

    def _replace_columns(
        self,
        found: Sequence[Mapping[str, Any]],
        fields: Sequence[EditField],
        edited: Mapping[int, Mapping[str, Mapping[str, Any]]],
    ) -> None:
        rows: dict[int, dict[str, Any]] = {}
        for row in found:
            cells = edited[row["run_no"]]
            rows[row["run_no"]] = {
                each.column: as_published(each, row[each.column], cells[each.name])
                for each in fields
                if each.name in cells
            }
        types = {each.column: pa.string() for each in fields}
        self.replaced.append(
            Replaced(self.editable.kind, ("run_no",), keyed_rows("run_no", rows, types))
        )

    def _exchange_members(
        self,
        spec: EditField,
        found: Sequence[Mapping[str, Any]],
        edited: Mapping[int, Mapping[str, Mapping[str, Any]]],
    ) -> None:
        numbers: list[int] = []
        added: list[tuple[int, int, str]] = []
        for row in found:
            cells = edited[row["run_no"]].get(spec.name)
            if cells is None:
                continue
            numbers.append(row["run_no"])
            value = apply_cells(spec, _parse(row[spec.column]), cells.items())
            added += [(row["run_no"], place, str(each)) for place, each in enumerate(value)]
        columns = {"run_no": pa.int32(), "position": pa.int32(), "tag": pa.string()}
        self.members.append(
            Members(
                "run_tags",
                ("run_no",),
                of_columns({"run_no": pa.int32()}, [(number,) for number in numbers]),
                of_columns(columns, added),
            )
        )


def as_published(spec: EditField, stored: str | None, cells: Mapping[str, Any]) -> Any:
    """Return a column as the published file would hold it after an edit."""
    if spec.sort == "scalar":
        value = cells[""]
        if spec.wire == "json text" and value is not None:
            return dumps(value)
        return value if value is None or isinstance(value, str) else dumps(value)
    return dumps(apply_cells(spec, _parse(stored), cells.items()))


def _parse(stored: str | None) -> Any:
    return None if stored is None else loads(stored)
