"""Find what edits are meant for, as its reader sees it: the base of every edit comes from here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from wandb_mirror.edits.edit import Target
from wandb_mirror.edits.pointers import label_rows
from wandb_mirror.edits.spec import Editable, EditField, Pointed
from wandb_mirror.jsontext import loads
from wandb_mirror.query.published import Published


@dataclass(frozen=True, slots=True)
class Found:
    """An object that edits are meant for, as its reader sees it."""

    target: Target
    values: Mapping[str, Any]
    """Field to value."""
    row: Mapping[str, Any]
    """Its row, as far as paths and conditions want it."""


def find_objects(
    published: Published,
    editable: Editable,
    fields: Sequence[str],
    condition: str,
    parameters: Sequence[Any],
) -> list[Found]:
    """Return the objects that a condition holds for; ``t`` is their table, ``p`` the project's.

    Where several rows are one object it is found once, under the path that it was made under.
    """
    specs = [editable.field(name) for name in fields]
    columns = _columns(editable, specs)
    listed = ", ".join(f't."{name}"' for name in columns)
    pairs = [f"{_place(one)} IS NOT DISTINCT FROM {_place(two)}" for one, two in editable.home]
    order = ["p.inaccessible_since IS NOT NULL", *(f"({each}) DESC" for each in pairs)]
    order += ["p.project_id", f't."{editable.own_key}"']
    rows = published.rows(
        f"SELECT p.project_no, p.project_id, p.entity, p.project, {listed} "
        f'FROM _data."{editable.kind}" t JOIN _data.projects p ON p.project_no = t.project_no '
        f"WHERE ({condition}) {_live(editable)}"
        f"ORDER BY {', '.join(order)}",
        parameters,
    )
    found: dict[str, Found] = {}
    for project_no, *parts in rows:
        row = dict(zip(("project_id", "entity", "project", *columns), parts, strict=True))
        own_key = row[editable.own_key]
        place = own_key if editable.is_shared else f"{row['project_id']}/{own_key}"
        if place in found:
            continue
        target = Target(editable.kind, row["project_id"], own_key, editable.path.format(**row))
        values = {spec.name: _read(published, spec, project_no, row) for spec in specs}
        found[place] = Found(target, values, row)
    return list(found.values())


def _columns(editable: Editable, specs: Sequence[EditField]) -> list[str]:
    """Return the columns that are wanted of an object's rows."""
    named = [name for name in editable.paths if name not in ("entity", "project")]
    conditions = [each.only_where[0] for each in specs if each.only_where]
    own = [each.column for each in specs]
    return list(dict.fromkeys([editable.own_key, *named, *own, *conditions]))


def _place(name: str) -> str:
    return f"p.{name}" if name in ("entity", "project") else f't."{name}"'


def _live(editable: Editable) -> str:
    return "" if editable.read.when_gone == "inaccessible" else "AND t.deleted_at IS NULL "


def _read(published: Published, spec: EditField, project_no: int, row: Mapping[str, Any]) -> Any:
    """Return a field of a row as its reader sees it."""
    if spec.points_to is not None:
        place = (project_no, row[spec.points_to.inside])
        return load_pointers(published, spec.points_to, place)
    value = row[spec.column]
    return value if spec.sort == "scalar" or value is None else loads(value)


def load_pointers(published: Published, pointed: Pointed, place: tuple[int, str]) -> dict[str, str]:
    """Return the names in an object, and what people call what each points to."""
    rows = pointed_rows(published, pointed, [place])
    labels = label_rows(pointed, rows)
    return {
        name: labels[row[pointed.id_column]]
        for row in rows
        for name in (loads(row[pointed.column]) if row[pointed.column] else ())
    }


def pointed_rows(
    published: Published, pointed: Pointed, places: Sequence[tuple[int, str]]
) -> list[dict[str, Any]]:
    """Return the rows that names of some objects may point to; places are project and name."""
    names = ("project_no", pointed.inside, pointed.id_column, pointed.number, pointed.column)
    listed = ", ".join(f't."{name}"' for name in names)
    rows = published.rows(
        f"SELECT {listed} FROM (SELECT unnest(?) AS project_no, unnest(?) AS name) e "
        f'JOIN _data."{pointed.kind}" t ON t.project_no = e.project_no '
        f'AND t."{pointed.inside}" = e.name WHERE t.deleted_at IS NULL',
        [[number for number, _ in places], [name for _, name in places]],
    )
    return [dict(zip(names, row, strict=True)) for row in rows]
