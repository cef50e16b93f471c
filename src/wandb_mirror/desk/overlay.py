"""What readers are shown of edits: everything that the published file does not show yet."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pyarrow as pa

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
    layers = []
    for editable in EDITABLES:
        own = [each for each in edits if each.target.kind == editable.kind]
        if own:
            layer = RunLayer(published, editable)
            layer.add(own)
            layers.append(layer)
    pending = _pending(edits)
    published.lay_over(
        Layer(
            [each for layer in layers for each in layer.replaced],
            [pending, *(each for layer in layers for each in layer.members)],
            _views(published, sorted({no for layer in layers for no in layer.projects})),
        )
    )


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


def _views(published: Published, projects: Sequence[int]) -> dict[str, str]:
    """Return the views that show edited tables."""
    schemas = [
        str(name).replace('"', '""')
        for (name,) in published.rows(
            "SELECT schema_name FROM _data.schemas WHERE project_no IN (SELECT unnest(?))",
            [list(projects)],
        )
    ]
    wanted = [f'view "{schema}"."runs"' for schema in schemas]
    wanted += [f'view "main"."{name}"' for name in MAIN]
    return _load_views(published, [*wanted, BOOK])


MAIN = ("runs", "run_tags", "run_config", "run_summary")


def _load_views(published: Published, names: Sequence[str]) -> dict[str, str]:
    return {
        name.removeprefix("view "): text
        for name, text in published.rows(
            "SELECT name, value FROM _data.facts WHERE name IN (SELECT unnest(?))", [list(names)]
        )
    }
