"""Pages of a listing, with the offset cursors that W&B has.

A cursor is a place in the order of the moment it was made: where rows move meanwhile, a reader sees
some twice and others never.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from wandb_mirror.sandbox.problems import QueryProblem

DEFAULT_PAGE = 50
_PREFIX = "arrayconnection:"


@dataclass(frozen=True, slots=True)
class Edge:
    """A row and its place."""

    node: Any
    place: int


@dataclass(frozen=True, slots=True)
class Connection:
    """One page."""

    edges: Sequence[Edge]
    start: int
    total: int
    has_next: bool
    end_cursor: str | None


@dataclass(slots=True)
class PageTricks:
    """What is wrong with the pages of one reply."""

    is_empty: bool = False
    """Show no rows, though there are more: the cursor moves in its spelling alone."""
    ignores_after: bool = False
    null_nodes: frozenset[int] = field(default_factory=frozenset)
    """Places in the page whose node is null."""


def make_cursor(place: int, suffix: str = "") -> str:
    """Return the cursor after which ``place + 1`` comes."""
    return b64encode(f"{_PREFIX}{place}{suffix}".encode()).decode()


def read_cursor(cursor: str | None) -> int:
    """Return the first place after a cursor; raises ``QueryProblem`` where it is none of ours."""
    if not cursor:
        return 0
    try:
        text = b64decode(cursor, validate=True).decode()
        return int(text.removeprefix(_PREFIX).split("~")[0]) + 1
    except ValueError as error:
        raise QueryProblem(f"invalid cursor {cursor!r}", status=400) from error


def make_page(
    rows: Sequence[Any], *, first: int | None, after: str | None, max_page: int, tricks: PageTricks
) -> Connection:
    """Return one page of ``rows``."""
    start = 0 if tricks.ignores_after else read_cursor(after)
    size = min(DEFAULT_PAGE if first is None else first, max_page)
    if size < 0:
        raise QueryProblem("first must not be negative", status=400)
    if tricks.is_empty and start < len(rows):
        # As long as "~" is read away, the cursor moves and the rows still come.
        return Connection((), start, len(rows), True, make_cursor(start - 1, f"~{after or ''}"))
    nodes = rows[start : start + size]
    edges = [
        Edge(None if place in tricks.null_nodes else node, start + place)
        for place, node in enumerate(nodes)
    ]
    has_next = start + size < len(rows) or (tricks.ignores_after and bool(rows))
    end = make_cursor(edges[-1].place) if edges else None
    return Connection(edges, start, len(rows), has_next, end)
