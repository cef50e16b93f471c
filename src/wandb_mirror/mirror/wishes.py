"""What edits are meant for, by path: one object of any kind, or all that pass a filter."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from wandb_mirror.desk.finding import Found
from wandb_mirror.desk.finding import find_objects as find_by_condition
from wandb_mirror.edits.catalog import EDITABLES, editable_of
from wandb_mirror.edits.cells import Change, cell_of, read_cells
from wandb_mirror.edits.edit import Target
from wandb_mirror.edits.spec import Editable
from wandb_mirror.edits.values import ABSENT
from wandb_mirror.errors import BadEdit, BadPath, NotMirrored, OnlyUpstream
from wandb_mirror.jsontext import loads
from wandb_mirror.kinds import kind_named
from wandb_mirror.kinds.spec import Type
from wandb_mirror.mirror.objects import load_object
from wandb_mirror.mirror.paths import ObjectPath, parse_object, parse_project
from wandb_mirror.query.published import Published
from wandb_mirror.query.row_filters import filter_rows
from wandb_mirror.query.runs import ask_runs

Wish = tuple[str, str, Callable[[Any], Any]]
"""A field, a key of it, and what is to become of what is there now."""
BELOW_PROJECT = 2


def find_objects(
    published: Published,
    path: str,
    fields: Sequence[str],
    filters: Mapping[str, Any] | None = None,
) -> list[Found]:
    """Return the object at a path, or those of a project that pass a filter, edits and all.

    Raises ``BadPath``, ``BadFilter``, ``BadEdit`` for a field that such objects do not have,
    ``OnlyUpstream`` for what is not edited here, and ``NotMirrored``.
    """
    if filters is not None:
        return _find_many(published, path, fields, filters)
    place = parse_object(path)
    editable = _editable_for(place.kind, path, fields)
    if not editable.asked_by:  # the last part is an alias or a version
        row = load_object(published, place)
        return find_by_condition(
            published, editable, fields, f't."{editable.own_key}" = ?', [row[editable.own_key]]
        )
    entity, project, *own = place.parts
    last = own[-1] if own else project
    named = " OR ".join(f't."{column}" = ?' for column in editable.asked_by)
    found = find_by_condition(
        published,
        editable,
        fields,
        f"p.entity = ? AND p.project = ? AND ({named})",
        [entity, project, *(last for _ in editable.asked_by)],
    )
    if not found:
        command = f"{LISTED[place.kind]} {entity}/{project}" if place.kind in LISTED else "sql"
        raise NotMirrored(
            f"{editable.noun} {place} is not in this mirror, or was deleted upstream; "
            f"'wandb-mirror {command}' lists what is"
        )
    return found[:1]


LISTED = {"run": "runs", "sweep": "sweeps", "collection": "artifacts"}
"""The command that lists what a word stands for, where there is one."""


def _editable_for(word: str, path: str, fields: Sequence[str]) -> Editable:
    """Return what a word stands for; raises ``OnlyUpstream``, and ``BadEdit`` for other fields."""
    for each in EDITABLES:
        if each.word != word:
            continue
        if unknown := [name for name in fields if name not in each.names]:
            raise BadEdit(
                f"{path}: a {each.noun} has no {', '.join(unknown)} to edit; there are "
                f"{', '.join(spec.name for spec in each.fields)}"
            )
        return each
    raise OnlyUpstream(
        f"{path}: a {word} cannot be edited here; make the change with wandb.Api, then sync"
    )


def _find_many(
    published: Published, path: str, fields: Sequence[str], filters: Mapping[str, Any]
) -> list[Found]:
    """Return the objects of a project that pass a filter."""
    word, colon, rest = path.partition(":")
    if not colon or "/" in word:
        editable = _editable_for("run", path, fields)
        numbers = ask_runs(published, *parse_project(path), filters=filters).numbers()
        return find_by_condition(
            published, editable, fields, "t.run_no IN (SELECT unnest(?))", [numbers]
        )
    editable = _editable_for(word, path, fields)
    parts = rest.strip("/").split("/")
    inside = parts[BELOW_PROJECT:]
    if inside and editable.asked_by:
        raise BadPath(f"{path}: with a filter, write {word}:ENTITY/PROJECT")
    entity, project = parse_project("/".join(parts[:BELOW_PROJECT]))
    condition = "entity = ? AND project = ? AND deleted_at IS NULL"
    table = published.table(
        f"SELECT * FROM main.{editable.kind} WHERE {condition}"
        + (" AND collection = ?" if inside else ""),
        [entity, project, *inside],
    )
    kind = kind_named(editable.kind)
    texts = [each.column for each in kind.fields if each.type in (Type.JSON, Type.JSON_TEXT)]
    rows = [
        row | {name: loads(row[name]) for name in texts if row.get(name) is not None}
        for row in table.to_pylist()
    ]
    names = {each.source.rsplit(".", 1)[-1]: each.column for each in kind.fields} | {
        field.name: field.column for field in editable.fields
    }
    keys = [row[editable.own_key] for row in filter_rows(rows, filters, names)]
    return find_by_condition(
        published,
        editable,
        fields,
        f'p.entity = ? AND p.project = ? AND t."{editable.own_key}" IN (SELECT unnest(?))',
        [entity, project, keys],
    )


def make_changes(found: Iterable[Found], wishes: Sequence[Wish]) -> list[tuple[Target, Change]]:
    """Return the cells that wishes change, with what their readers saw as the base."""
    made = []
    for each in found:
        editable = editable_of(each.target.kind)
        for name, key, change in wishes:
            spec = editable.field(name)
            base = cell_of(spec, read_cells(spec, each.values[name]), key)
            made.append((each.target, Change(name, key, base, change(base))))
    return made


def change_aliases(
    published: Published, path: str, *, add: Sequence[str] = (), remove: Sequence[str] = ()
) -> list[tuple[Target, Change]]:
    """Return the changes by which a version of an artifact gets aliases and loses others.

    An alias belongs to the collection: one that is added is taken from the version that had it, and
    one that is removed is left alone where another version has it. Raises what ``find_objects``
    does.
    """
    place = parse_object(path)
    if place.kind != "artifact":
        raise BadPath(f"{path!r} is no version; write artifact:ENTITY/PROJECT/COLLECTION:ALIAS")
    own = load_object(published, place)["version"]
    collection = str(ObjectPath("collection", place.parts[:3]))
    found = find_objects(published, f"collection:{collection}", ["aliases"])
    made = make_changes(found, [("aliases", alias, lambda _: own) for alias in add])
    gone = make_changes(found, [("aliases", alias, lambda _: ABSENT) for alias in remove])
    return made + [(target, change) for target, change in gone if change.base == own]
