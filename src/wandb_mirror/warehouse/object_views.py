"""The views of what is neither a run nor made of runs: sweeps, artifacts, reports and the rest.

Each is a kind's table with its project's names; lists inside a row are written out a row a member.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from wandb_mirror.kinds import kind_named
from wandb_mirror.warehouse.engine import literal
from wandb_mirror.warehouse.tables import COLUMN_TYPES
from wandb_mirror.warehouse.view_parts import ENTITY, PROJECT, View, ViewColumn

OF_PROJECT = "JOIN _data.projects p ON p.project_no = t.project_no"


def object_views(url: str) -> list[View]:
    """Return the views of objects that hold all projects together."""
    return [_sweeps(url)]


def _view(name: str, about: str, columns: Sequence[ViewColumn], tail: str) -> View:
    return View("main", name, about, columns, tail)


def _fields(plural: str, *, without: Collection[str] = ()) -> list[ViewColumn]:
    """Return a kind's own columns."""
    return [
        ViewColumn(field.column, COLUMN_TYPES[field.type], f't."{field.column}"', field.about)
        for field in kind_named(plural).fields
        if field.column not in without
    ]


def _books(*, with_deleted: bool = True) -> list[ViewColumn]:
    deleted = ViewColumn(
        "deleted_at", "TIMESTAMP", "t.deleted_at", "When it was found to be gone upstream (UTC)."
    )
    synced = ViewColumn(
        "synced_at", "TIMESTAMP", "t.synced_at", "When its content was last written here (UTC)."
    )
    return [deleted, synced] if with_deleted else [synced]


def _text(name: str, expression: str, about: str) -> ViewColumn:
    return ViewColumn(name, "VARCHAR", expression, about)


def _inside_json(column: str, path: str) -> str:
    """Return SQL for text inside JSON, decoded only where it is valid."""
    return f"CASE WHEN json_valid({column}) THEN json_extract_string({column}, '{path}') END"


def _link(url: str, rest: str) -> ViewColumn:
    link = f"{literal(url + '/')} || p.entity || '/' || p.project || {rest}"
    return _text("url", link, "Where people look at it.")


def _sweeps(url: str) -> View:
    columns = [
        ENTITY,
        PROJECT,
        *_fields("sweeps"),
        _text("metric_name", _inside_json("t.config", "$.metric.name"), "The metric it optimises."),
        _text("metric_goal", _inside_json("t.config", "$.metric.goal"), "minimize or maximize."),
        _link(url, "'/sweeps/' || t.sweep_id"),
        *_books(),
    ]
    about = "Sweeps of all projects; those deleted upstream stay, with deleted_at."
    return _view("sweeps", about, columns, f"FROM _data.sweeps t {OF_PROJECT}")
