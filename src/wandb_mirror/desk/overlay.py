"""What readers are shown of edits: everything that the published file does not show yet."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence

import pyarrow as pa

from wandb_mirror.desk.object_layer import ObjectLayer
from wandb_mirror.desk.run_layer import RunLayer
from wandb_mirror.desk.tables import of_columns
from wandb_mirror.edits.catalog import EDITABLES
from wandb_mirror.edits.edit import Edit
from wandb_mirror.edits.values import encode
from wandb_mirror.query.overlay import Layer, Members
from wandb_mirror.query.published import Published

PENDING = {
    "path": pa.string(),
    "field": pa.string(),
    "key": pa.string(),
    "base": pa.string(),
    "local": pa.string(),
    "upstream": pa.string(),
    "state": pa.string(),
    "error": pa.string(),
}
"""The columns of ``pending_edits``."""


def find_unshown(published: Published, edits: Iterable[Edit]) -> list[Edit]:
    """Return the edits that the file does not show: all but those whose reply it has."""
    taken = {
        name.removeprefix("taken "): int(value)
        for name, value in published.rows(
            "SELECT name, value FROM _data.facts WHERE name LIKE 'taken %'"
        )
    }
    return [
        each
        for each in edits
        if each.state != "done" or (each.reply_seq or 0) > taken.get(each.target.kind, 0)
    ]


def lay_edits(published: Published, edits: Sequence[Edit]) -> None:
    """Show edits in everything that is asked of a file."""
    objects = ObjectLayer(published)
    runs: list[RunLayer] = []
    for editable in EDITABLES:
        own = [each for each in edits if each.target.kind == editable.kind]
        if not own:
            continue
        if editable.read.holds == "run":
            runs.append(RunLayer(published, editable))
            runs[-1].add(own)
        else:
            objects.add(editable, own)
    replaced = [*(each for layer in runs for each in layer.replaced), *objects.finish()]
    members = [_pending(edits), *(each for layer in runs for each in layer.members)]
    tables = {each.table for each in replaced} | {each.table for each in members}
    projects = sorted({number for layer in runs for number in layer.projects})
    published.lay_over(Layer(replaced, members, _views(published, tables, projects)))


def lay_pending(published: Published, edits: Sequence[Edit]) -> None:
    """Show edits in ``pending_edits`` alone, for SQL."""
    published.lay_over(Layer(members=[_pending(edits)], views=_load_views(published, [BOOK])))


BOOK = 'view "main"."pending_edits"'


def _pending(edits: Sequence[Edit]) -> Members:
    rows = [
        (
            each.target.path,
            each.field,
            each.key or None,
            encode(each.base),
            encode(each.local),
            encode(each.upstream),
            each.state,
            each.error,
        )
        for each in edits
    ]
    # all that the file has of them goes
    gone = of_columns({"state": pa.string()}, [(state,) for state in STATES])
    return Members("pending_edits", ("state",), gone, of_columns(PENDING, rows))


STATES = ("pending", "sent", "done", "conflict", "refused")


def _views(
    published: Published, tables: Collection[str], projects: Sequence[int]
) -> dict[str, str]:
    """Return the views that show edited tables; those that only join one stay as they are."""
    schemas = [
        str(name).replace('"', '""')
        for (name,) in published.rows(
            "SELECT schema_name FROM _data.schemas WHERE project_no IN (SELECT unnest(?))",
            [list(projects)],
        )
    ]
    of_projects = _load_views(published, [f'view "{schema}"."runs"' for schema in schemas])
    of_all = published.rows(
        "SELECT name, value FROM _data.facts WHERE starts_with(name, 'view \"main\".')"
    )
    return of_projects | {
        name.removeprefix("view "): text
        for name, text in of_all
        if any(table.strip('"') in tables for table in _SHOWN.findall(text))
    }


_SHOWN = re.compile(r"FROM _data\.(\w+|\"[^\"]+\")")


def _load_views(published: Published, names: Sequence[str]) -> dict[str, str]:
    return {
        name.removeprefix("view "): text
        for name, text in published.rows(
            "SELECT name, value FROM _data.facts WHERE name IN (SELECT unnest(?))", [list(names)]
        )
    }
