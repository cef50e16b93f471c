"""What the shell offers after a tab: projects, runs and metrics of the mirror.

Switched on with ``eval "$(_WANDB_MIRROR_COMPLETE=bash_source wandb-mirror)"`` (or ``zsh_source``,
``fish_source``). A mirror that cannot be read offers nothing: an error would land in the prompt.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import click

from wandb_mirror.cli.context import Wish
from wandb_mirror.errors import MirrorError

MOST_OFFERED = 200
Complete = Callable[[click.Context, click.Parameter, str], list[str]]


def _ask(context: click.Context, sql: str, parameters: Sequence[Any]) -> list[str]:
    """Return the first column of a query on the mirror that the flags name."""
    flags = context.find_root().params
    wish = Wish(flags.get("mirror"), flags.get("config"))
    try:
        with wish.open_reader().read() as published:
            found = published.rows(f"{sql} LIMIT {MOST_OFFERED}", parameters)
    except (MirrorError, OSError):
        return []
    return [str(name) for (name,) in found]


def complete_project(context: click.Context, _: click.Parameter, begun: str) -> list[str]:
    """Return the projects that begin so."""
    return _ask(
        context,
        "SELECT entity || '/' || project AS path FROM projects "
        "WHERE starts_with(path, ?) ORDER BY path",
        [begun],
    )


def complete_run(context: click.Context, parameter: click.Parameter, begun: str) -> list[str]:
    """Return the runs that begin so; before the second slash, the projects."""
    if begun.count("/") < 2:  # noqa: PLR2004
        return [f"{path}/" for path in complete_project(context, parameter, begun)]
    return _ask(
        context,
        "SELECT entity || '/' || project || '/' || run_id AS path FROM runs "
        "WHERE starts_with(path, ?) AND deleted_at IS NULL ORDER BY created_at DESC",
        [begun],
    )


def complete_metric(context: click.Context, _: click.Parameter, begun: str) -> list[str]:
    """Return the metrics that go on from what was begun after the last comma."""
    before, comma, last = begun.rpartition(",")
    names = _ask(
        context,
        "SELECT DISTINCT column_name FROM columns "
        "WHERE table_name = 'metrics' AND starts_with(column_name, ?) ORDER BY column_name",
        [last],
    )
    return [f"{before}{comma}{name}" for name in names]


def complete_summary(context: click.Context, _: click.Parameter, begun: str) -> list[str]:
    """Return the keys of summaries that begin so."""
    return _ask(
        context,
        "SELECT DISTINCT k.name FROM _data.keys k "
        "WHERE k.source = 'summary' AND starts_with(k.name, ?) ORDER BY k.name",
        [begun],
    )
