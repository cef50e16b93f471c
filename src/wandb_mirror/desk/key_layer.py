"""Edited keys of config and summary: their leaves in the long tables and in the typed columns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from wandb_mirror.desk.tables import keyed_rows, of_columns
from wandb_mirror.edits.cells import apply_cells
from wandb_mirror.edits.spec import EditField
from wandb_mirror.history.flatten import as_double, as_leftover, as_text, flatten
from wandb_mirror.jsontext import NON_FINITE, dumps, loads
from wandb_mirror.query.overlay import HAS, KEY, Members, Replaced
from wandb_mirror.query.published import Published

Path = tuple[str, ...]
LEAF = {
    "run_no": pa.int32(),
    "key_no": pa.int32(),
    "value": pa.string(),
    "number": pa.float64(),
    "text": pa.string(),
}
WIDE = {
    "DOUBLE": pa.float64(),
    "BIGINT": pa.int64(),
    "VARCHAR": pa.string(),
    "BOOLEAN": pa.bool_(),
}
KEYS = {
    "key_no": pa.int32(),
    "project_no": pa.int32(),
    "source": pa.string(),
    "path": pa.string(),
    "name": pa.string(),
}
LARGEST = 2**63


@dataclass(slots=True)
class KeyLayer:
    """Gathers what changes of the keys of some runs, leaf by leaf."""

    published: Published
    table: str
    """The wide table of each project that has a column a key."""
    replaced: list[Replaced] = field(default_factory=list)
    members: list[Members] = field(default_factory=list)
    _numbers: dict[tuple[str, int, Path], int] = field(default_factory=dict)
    _new: list[tuple[int, int, str, str, str]] = field(default_factory=list)
    _wide: dict[int, dict[int, dict[int, Any]]] = field(default_factory=dict)
    """Project, run and key to a leaf in a tuple, None where it goes."""

    def add(
        self,
        spec: EditField,
        found: Sequence[Mapping[str, Any]],
        edited: Mapping[int, Mapping[str, Mapping[str, Any]]],
    ) -> None:
        """Exchange the leaves below every key of a map that was edited."""
        self._load_numbers(spec.name, sorted({row["project_no"] for row in found}))
        gone: list[tuple[int, int]] = []
        added: list[tuple[Any, ...]] = []
        for row in found:
            cells = edited[row["run_no"]].get(spec.name)
            if cells is None:
                continue
            run_no, project_no = row["run_no"], row["project_no"]
            stored = row[spec.column]
            before = {} if stored is None else loads(stored)
            after = apply_cells(spec, before, cells.items())
            leaves = self._wide.setdefault(project_no, {}).setdefault(run_no, {})
            for path, _ in _below(before, cells):
                number = self._number(spec.name, project_no, path)
                gone.append((run_no, number))
                leaves[number] = None
            for path, leaf in _below(after, cells):
                number = self._number(spec.name, project_no, path)
                added.append((run_no, number, *describe_leaf(leaf)))
                leaves[number] = (leaf,)
        pair = {"run_no": pa.int32(), "key_no": pa.int32()}
        self.members.append(
            Members(
                f"run_{spec.name}", tuple(pair), of_columns(pair, gone), of_columns(LEAF, added)
            )
        )

    def finish(self) -> None:
        """Change the typed columns too, and name the keys that are new."""
        misfits: list[tuple[str, str]] = []
        for project_no, by_run in self._wide.items():
            misfits += self._change_wide(project_no, by_run)
        if misfits:
            self.replaced.append(_distrust(self.table, misfits))
        if self._new:
            nothing = of_columns({"key_no": pa.int32()}, [])
            self.members.append(
                Members("keys", ("key_no",), nothing, of_columns(KEYS, self._name_new()))
            )

    def _load_numbers(self, source: str, projects: Sequence[int]) -> None:
        for key_no, project_no, path in self.published.rows(
            "SELECT key_no, project_no, path FROM _data.keys "
            "WHERE source = ? AND project_no IN (SELECT unnest(?))",
            [source, projects],
        ):
            self._numbers[source, project_no, tuple(loads(path))] = key_no

    def _name_new(self) -> list[tuple[int, int, str, str, str]]:
        """Return the new keys with the names that publishing would give them: no two alike."""
        taken = {
            (project_no, source, name)
            for project_no, source, name in self.published.rows(
                "SELECT project_no, source, name FROM _data.keys WHERE source IN ('config', "
                "'summary') AND project_no IN (SELECT unnest(?))",
                [list(self._wide)],
            )
        }
        named = []
        for number, project_no, source, path, name in sorted(self._new, key=lambda key: key[3]):
            free, twin = name, 1
            while (project_no, source, free) in taken:
                twin += 1
                free = f"{name}~{twin}"
            taken.add((project_no, source, free))
            named.append((number, project_no, source, path, free))
        return named

    def _number(self, source: str, project_no: int, path: Path) -> int:
        """Return a key's number; one that is new gets one below all others."""
        number = self._numbers.get((source, project_no, path))
        if number is None:
            number = -2 - len(self._new)
            self._numbers[source, project_no, path] = number
            spelled = dumps(list(path))
            self._new.append((number, project_no, source, spelled, ".".join(path)))
        return number

    def _change_wide(
        self, project_no: int, by_run: Mapping[int, Mapping[int, Any]]
    ) -> list[tuple[str, str]]:
        """Change typed columns; return schema and name of those that a value does not fit."""
        places = {
            key_no: (column, kind)
            for key_no, column, kind in self.published.rows(
                "SELECT key_no, column_name, type FROM _data.places "
                "WHERE project_no = ? AND table_name = ?",
                [project_no, self.table],
            )
        }
        touched = {number for leaves in by_run.values() for number in leaves} & places.keys()
        if not touched:
            return []
        misfits: set[str] = set()
        rows: dict[int, dict[str, Any]] = {}
        for run_no, leaves in by_run.items():
            row = rows[run_no] = {}
            for number, leaf in leaves.items():
                if number not in touched:
                    continue
                column, kind = places[number]
                row[f"k{number}"] = None if leaf is None else fit(kind, leaf[0])
                if leaf is not None and row[f"k{number}"] is None:
                    misfits.add(column)
        types = {f"k{number}": WIDE[places[number][1]] for number in sorted(touched)}
        self.replaced.append(
            Replaced(f"{self.table}_{project_no}", ("run_no",), keyed_rows("run_no", rows, types))
        )
        schemas = self.published.rows(
            "SELECT schema_name FROM _data.schemas WHERE project_no = ?", [project_no]
        )
        return [(schema, column) for (schema,) in schemas for column in sorted(misfits)]


def _distrust(table: str, columns: Sequence[tuple[str, str]]) -> Replaced:
    """Say of columns that a value does not fit them: filters then look into the long tables."""
    keys = ("schema_name", "table_name", "column_name")
    types = {
        **{f"{KEY}{name}": pa.string() for name in keys},
        "misfits": pa.int64(),
        f"{HAS}misfits": pa.bool_(),
    }
    rows = [(schema, table, column, 1, True) for schema, column in columns]
    return Replaced("columns", keys, of_columns(types, rows))


def _below(document: Mapping[str, Any], cells: Mapping[str, Any]) -> Iterable[tuple[Path, Any]]:
    """Return the leaves of a document that lie below edited keys."""
    return flatten({key: document[key] for key in cells if key in document})


def describe_leaf(leaf: Any) -> tuple[str, float | None, str | None]:
    """Return a leaf as the long tables have it: JSON, number, text."""
    number = as_double(leaf)
    leftover = as_leftover(leaf, number)
    value = dumps(leaf) if leftover is None else leftover
    return value, number, as_text(leaf, leftover)


def fit(kind: str, leaf: Any) -> Any:
    """Return a leaf as a typed column holds it, None where it does not fit."""
    if kind == "DOUBLE":
        return as_double(leaf)
    if kind == "BIGINT":
        return leaf if type(leaf) is int and -LARGEST <= leaf < LARGEST else None
    if kind == "BOOLEAN":
        return leaf if type(leaf) is bool else None
    return leaf if type(leaf) is str and leaf not in NON_FINITE else None
