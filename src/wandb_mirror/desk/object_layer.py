"""Edited objects of every kind but runs, as the published file would have them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from wandb_mirror.desk.finding import pointed_rows
from wandb_mirror.desk.tables import by_cells
from wandb_mirror.edits.cells import apply_cells
from wandb_mirror.edits.edit import Edit
from wandb_mirror.edits.pointers import label_rows, move
from wandb_mirror.edits.spec import Copied, Editable, EditField, Pointed
from wandb_mirror.edits.values import ABSENT
from wandb_mirror.jsontext import dumps, loads
from wandb_mirror.kinds import kind_named
from wandb_mirror.kinds.spec import Kind, Type
from wandb_mirror.query.compile import quote
from wandb_mirror.query.overlay import HAS, KEY, Replaced
from wandb_mirror.query.published import Published

Key = tuple[Any, ...]
Cells = Mapping[str, Mapping[str, Any]]
"""Field, then key, to local value."""


@dataclass(slots=True)
class ObjectLayer:
    """Gathers what changes of objects, a table a kind; a column may be changed by two kinds."""

    published: Published
    rows: dict[str, dict[Key, dict[str, Any]]] = field(default_factory=dict)
    """Kind, then key, to the columns that change."""

    def add(self, editable: Editable, edits: Sequence[Edit]) -> None:
        """Take in edits; those whose object is not in the file change nothing there."""
        by_object: dict[tuple[str, str], list[Edit]] = {}
        for each in edits:
            project_id = "" if editable.is_shared else each.target.project_id
            by_object.setdefault((project_id, each.target.own_key), []).append(each)
        names = {each.field for each in edits}
        specs = [spec for spec in editable.fields if spec.name in names]
        for place, key, row in self._find(editable, list(by_object), specs):
            cells = by_cells(by_object[place])
            for spec in specs:
                if spec.name not in cells:
                    continue
                if spec.points_to is not None:
                    self._point(spec, spec.points_to, key, row, cells[spec.name], editable)
                else:
                    value = as_published(spec, row[spec.column], cells[spec.name])
                    self._set(editable.kind, key, spec.column, value)
                for copied in spec.copies:
                    self._copy(copied, row["project_no"], row[spec.column], cells[spec.name][""])

    def _copy(self, copied: Copied, project_no: int, old: str, new: str) -> None:
        """Change a name in the rows that hold it too."""
        kind = kind_named(copied.kind)
        keys = key_columns(kind)
        inside = (
            f't."{copied.project}" = p.project AND t."{copied.entity}" = p.entity'
            if copied.project
            else "t.project_no = p.project_no"
        )
        rows = self.published.rows(
            f"SELECT {', '.join(f't.{quote(name)}' for name in keys)} "
            f"FROM _data.{quote(kind.plural)} t JOIN _data.projects p ON {inside} "
            f"WHERE p.project_no = ? AND t.{quote(copied.column)} = ?",
            [project_no, old],
        )
        for key in rows:
            self._set(copied.kind, key, copied.column, new)

    def _set(self, kind: str, key: Key, column: str, value: Any) -> None:
        self.rows.setdefault(kind, {}).setdefault(key, {})[column] = value

    def _find(
        self,
        editable: Editable,
        places: Sequence[tuple[str, str]],
        specs: Sequence[EditField],
    ) -> list[tuple[tuple[str, str], Key, dict[str, Any]]]:
        """Return each row of some objects: the object's place, the row's key, its columns."""
        kind = kind_named(editable.kind)
        keys = key_columns(kind)
        columns = [each.column for each in specs]
        listed = ", ".join(f't."{name}"' for name in dict.fromkeys([*keys, *columns]))
        own = f't."{editable.own_key}" = e.own_key'
        inside = "true" if editable.is_shared else "p.project_id = e.place"
        rows = self.published.rows(
            f"SELECT e.place, e.own_key, {listed} "
            "FROM (SELECT unnest(?) AS place, unnest(?) AS own_key) e "
            f'JOIN _data."{kind.plural}" t ON {own} '
            f"JOIN _data.projects p ON p.project_no = t.project_no AND {inside} "
            "WHERE t.deleted_at IS NULL",
            [[place for place, _ in places], [own_key for _, own_key in places]],
        )
        found = []
        for place, own_key, *values in rows:
            row = dict(zip(dict.fromkeys([*keys, *columns]), values, strict=True))
            found.append(((place, own_key), tuple(row[name] for name in keys), row))
        return found

    def _point(
        self,
        spec: EditField,
        pointed: Pointed,
        key: Key,
        row: Mapping[str, Any],
        moved: Mapping[str, Any],
        editable: Editable,
    ) -> None:
        """Move names: in the rows that they point to, and in the object that lists them."""
        kind = kind_named(pointed.kind)
        rows = pointed_rows(self.published, pointed, [(row["project_no"], row[pointed.inside])])
        labels = label_rows(pointed, rows)
        for each in rows:
            before = loads(each[pointed.column]) if each[pointed.column] else []
            after = move(before, labels[each[pointed.id_column]], moved)
            if after != before:
                place = tuple(each[name] for name in key_columns(kind))
                self._set(pointed.kind, place, pointed.column, dumps(after))
        ids = {shown: upstream_id for upstream_id, shown in labels.items()}
        member = spec.comes.member if spec.comes else ""
        listed = loads(row[spec.column]) if row[spec.column] else []
        kept = [each for each in listed if each.get(member) not in moved]
        kept += [
            {member: name, pointed.under: {"id": ids[shown]}}
            for name, shown in moved.items()
            if shown is not ABSENT and shown in ids
        ]
        self._set(editable.kind, key, spec.column, dumps(kept))

    def finish(self) -> list[Replaced]:
        """Return the tables with what changes of them."""
        return [self._table(kind_named(plural), rows) for plural, rows in self.rows.items()]

    def _table(self, kind: Kind, rows: Mapping[Key, Mapping[str, Any]]) -> Replaced:
        keys = key_columns(kind)
        numbers = {field.column for field in kind.fields if field.type is Type.INTEGER}
        columns: dict[str, pa.Array] = {
            f"{KEY}{name}": pa.array(
                [key[place] for key in rows], pa.int32() if name == "project_no" else pa.string()
            )
            for place, name in enumerate(keys)
        }
        for name in dict.fromkeys(name for row in rows.values() for name in row):
            is_number = name in numbers
            values = [row.get(name) for row in rows.values()]
            columns[name] = pa.array(values, pa.int64() if is_number else pa.string())
            columns[f"{HAS}{name}"] = pa.array([name in row for row in rows.values()], pa.bool_())
        return Replaced(kind.plural, keys, pa.table(columns))


def key_columns(kind: Kind) -> list[str]:
    """Return the columns of a kind's key as the file has them."""
    return ["project_no" if name == "project_id" else name for name in kind.key]


def as_published(spec: EditField, stored: Any, cells: Mapping[str, Any]) -> Any:
    """Return a column as the published file would hold it after an edit."""
    if spec.sort == "scalar":
        return cells[""]
    return dumps(apply_cells(spec, None if stored is None else loads(stored), cells.items()))
