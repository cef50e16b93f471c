"""Take into the warehouse what changed in the store, and nothing twice.

The mark, the number of the last change taken, is written in the transaction that takes it: a crash
between the two databases is caught up by the next publication.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import pyarrow as pa

from wandb_mirror.history.flatten import as_double, as_leftover, as_text, flatten, unwrap_config
from wandb_mirror.jsontext import dumps, loads
from wandb_mirror.kinds import STORED
from wandb_mirror.kinds.pages import Row
from wandb_mirror.kinds.spec import Kind, Type
from wandb_mirror.warehouse.engine import Database, quote
from wandb_mirror.warehouse.numbers import Numbers
from wandb_mirror.warehouse.tables import ARROW_TYPES, FIXED, FLATTENED, columns_of


class ReadablePast(Protocol):
    """What the warehouse needs of a store's past values."""

    def load(self, *, after_seq: int) -> Iterator[list[Row]]:
        """Yield what was written after a number, in the order in which it was."""


class Readable(Protocol):
    """What the warehouse needs of a store."""

    def load_changed(self, kind: Kind, *, after_seq: int) -> Iterator[list[Row]]:
        """Yield whole rows that changed after a number, in the order in which they changed."""

    def load_removals(self, *, after_seq: int) -> list[Row]:
        """Return which rows were removed after a change."""

    @property
    def past(self) -> ReadablePast:
        """What objects were like."""

    def load_errors(self) -> list[Row]:
        """Return what could not be read."""

    def load_log(self) -> list[Row]:
        """Return the log of syncs."""

    def load_pending(self) -> list[Row]:
        """Return what was edited and is not upstream."""


def marked(batches: Iterator[list[Row]]) -> Iterator[tuple[list[Row], str]]:
    """Yield batches, and with each up to which change all is taken once it is.

    Rows of the last change of a batch may go on in the next one.
    """
    batch = next(batches, None)
    while batch is not None:
        following = next(batches, None)
        yield batch, str(batch[-1]["changed_seq"] - (following is not None))
        batch = following


class Taker:
    """Takes rows of every kind."""

    def __init__(self, database: Database, numbers: Numbers) -> None:
        self._database = database
        self._numbers = numbers

    def take_batch(self, kind: Kind, rows: Sequence[Row]) -> None:
        """Put rows in the place of what was there of them."""
        columns = columns_of(kind)
        values: dict[str, list[Any]] = {name: [row.get(name) for row in rows] for name in columns}
        if "project_no" in columns:
            values["project_no"] = [self._numbers.project(row["project_id"]) for row in rows]
        if "run_no" in columns:
            values["run_no"] = self._run_numbers(kind, rows, values["project_no"])
            values["config"], values["summary"] = self._flatten(rows, values)
        for field in kind.fields:
            if field.type is Type.JSON_TEXT and field.column not in ("config", "summary"):
                values[field.column] = [_valid_json(text) for text in values[field.column]]
        incoming = pa.table(
            {
                name: pa.array(values[name], ARROW_TYPES[sql_type])
                for name, sql_type in columns.items()
            }
        )
        number = "run_no" if "run_no" in columns else None
        self._replace(kind, incoming, number)

    def _replace(self, kind: Kind, incoming: pa.Table, number: str | None) -> None:
        table = f"_data.{quote(kind.plural)}"
        keys = [number] if number else _number_key(kind)
        listed = ", ".join(map(quote, keys))
        with self._database.given(incoming) as view:
            self._database.run(
                f"DELETE FROM {table} WHERE ({listed}) IN (SELECT ({listed}) FROM {view})"
                if len(keys) > 1
                else f"DELETE FROM {table} WHERE {listed} IN (SELECT {listed} FROM {view})"
            )
        self._database.insert(table, incoming)

    def _run_numbers(
        self, kind: Kind, rows: Sequence[Row], project_nos: Sequence[int]
    ) -> list[int]:
        by_project: dict[int, list[str]] = {}
        for row, project_no in zip(rows, project_nos, strict=True):
            by_project.setdefault(project_no, []).append(row[kind.own_key])
        numbers = {
            project_no: self._numbers.runs(project_no, run_ids)
            for project_no, run_ids in by_project.items()
        }
        return [
            numbers[project_no][row[kind.own_key]]
            for row, project_no in zip(rows, project_nos, strict=True)
        ]

    def _flatten(
        self, rows: Sequence[Row], values: dict[str, list[Any]]
    ) -> tuple[list[str | None], list[str | None]]:
        """Write config, summary and tags of runs out by key; return both as valid JSON text."""
        run_nos, project_nos = values["run_no"], values["project_no"]
        listed = ", ".join(map(str, run_nos))
        for table in FLATTENED:
            self._database.run(f"DELETE FROM _data.{table} WHERE run_no IN ({listed})")
        configs = [None if row["config"] is None else loads(row["config"]) for row in rows]
        summaries = [None if row["summary"] is None else loads(row["summary"]) for row in rows]
        users = [None if wire is None else unwrap_config(wire) for wire in configs]
        self._insert_keys("config", run_nos, project_nos, users)
        self._insert_keys("summary", run_nos, project_nos, summaries)
        self._insert_tags(run_nos, [row["tags"] for row in rows])
        self._database.run("INSERT INTO _data.stale SELECT unnest(?), 'row'", [run_nos])
        return (
            [None if user is None else dumps(user) for user in users],
            [None if summary is None else dumps(summary) for summary in summaries],
        )

    def _insert_keys(
        self, source: str, run_nos: Sequence[int], project_nos: Sequence[int], documents: list[Any]
    ) -> None:
        """Insert a row for each leaf of each document."""
        spelled: dict[tuple[str, ...], str] = {}
        found: dict[str, list[Any]] = {
            "run_no": [],
            "path": [],
            "value": [],
            "number": [],
            "text": [],
        }
        numbers: list[int] = []
        for run_no, project_no, document in zip(run_nos, project_nos, documents, strict=True):
            if not isinstance(document, dict):
                continue
            begin = len(found["path"])
            for path, leaf in flatten(document):
                text = spelled.get(path)
                if text is None:
                    text = spelled[path] = dumps(list(path))
                number = as_double(leaf)
                leftover = as_leftover(leaf, number)
                found["run_no"].append(run_no)
                found["path"].append(text)
                found["value"].append(dumps(leaf) if leftover is None else leftover)
                found["number"].append(number)
                found["text"].append(as_text(leaf, leftover))
            keys = self._numbers.keys(project_no, source, found["path"][begin:])
            numbers += [keys[path] for path in found["path"][begin:]]
        self._database.insert(
            f"_data.run_{source}",
            pa.table(
                {
                    "run_no": pa.array(found["run_no"], pa.int32()),
                    "key_no": pa.array(numbers, pa.int32()),
                    "value": pa.array(found["value"], pa.string()),
                    "number": pa.array(found["number"], pa.float64()),
                    "text": pa.array(found["text"], pa.string()),
                }
            ),
        )

    def _insert_tags(self, run_nos: Sequence[int], texts: Sequence[str | None]) -> None:
        found: list[tuple[int, int, str]] = []
        for run_no, text in zip(run_nos, texts, strict=True):
            tags = loads(text) if text else None
            if isinstance(tags, list):
                found += [(run_no, place, str(tag)) for place, tag in enumerate(tags)]
        self._database.insert(
            "_data.run_tags",
            pa.table(
                {
                    "run_no": pa.array([each[0] for each in found], pa.int32()),
                    "position": pa.array([each[1] for each in found], pa.int32()),
                    "tag": pa.array([each[2] for each in found], pa.string()),
                }
            ),
        )

    def take_past(self, rows: Sequence[Row]) -> None:
        """Put past values in the place of what was there of them."""
        names = ("kind", "within", "own_key", "field", "value", "valid_from", "valid_to")
        columns = {name: [row[name] for row in rows] for name in names}
        columns["project_no"] = [self._numbers.project(row["project_id"]) for row in rows]
        types = FIXED["past_values"]
        incoming = pa.table(
            {name: pa.array(columns[name], ARROW_TYPES[types[name]]) for name in types}
        )
        with self._database.given(incoming) as view:
            keys = "kind, project_no, within, own_key, field, valid_from"
            self._database.run(
                f"DELETE FROM _data.past_values WHERE ({keys}) IN (SELECT ({keys}) FROM {view})"
            )
        self._database.insert("_data.past_values", incoming)

    def remove(self, removed: Sequence[Row]) -> None:
        """Take out what was removed from the store."""
        for kind in STORED:
            for each in removed:
                if each["kind"] == kind.plural:
                    self._remove_one(kind, loads(each["key"]))

    def _remove_one(self, kind: Kind, key: list[Any]) -> None:
        names = _number_key(kind)
        values = list(key)
        if "project_id" in kind.key:
            values[0] = self._numbers.project(values[0])
        condition = " AND ".join(f"{quote(name)} = ?" for name in names)
        self._database.run(f"DELETE FROM _data.{quote(kind.plural)} WHERE {condition}", values)

    def take_books(self, store: Readable) -> None:
        """Put the store's log and errors in the place of what was there of them."""
        for table, rows in (
            ("sync_log", store.load_log()),
            ("sync_errors", store.load_errors()),
            ("pending_edits", store.load_pending()),
        ):
            self._database.run(f"DELETE FROM _data.{table}")
            if rows:
                names = list(rows[0])
                columns = {name: [row[name] for row in rows] for name in names}
                self._database.insert(f"_data.{table}", pa.table(columns))


def _number_key(kind: Kind) -> list[str]:
    """Return the columns of a kind's key as the warehouse has them."""
    return ["project_no" if name == "project_id" else name for name in kind.key]


def _valid_json(text: str | None) -> str | None:
    """Return JSON text that any JSON parser takes."""
    return None if text is None else dumps(loads(text))
