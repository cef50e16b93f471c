"""Histories in files: which there are, and their bytes."""

from __future__ import annotations

from collections.abc import Sequence

from wandb_mirror.kinds.pages import ExportsReply, ScopeOf
from wandb_mirror.kinds.spec import Kind
from wandb_mirror.upstream.documents import exports_document
from wandb_mirror.upstream.rows import read_exports
from wandb_mirror.upstream.shapes import Upstream
from wandb_mirror.upstream.writer import Document, place_of


def has_exports(upstream: Upstream, kind: Kind) -> bool:
    """Tell whether the server may have a kind's steps in files, as far as is known."""
    if kind.exports is None:
        return False
    return not upstream.capabilities.lacks(f"{place_of(kind.path[:-1])}.{kind.exports.field}")


def fetch_exports(
    upstream: Upstream, kind: Kind, scope: ScopeOf, own_keys: Sequence[str]
) -> list[ExportsReply]:
    """Return which files hold several parents' steps, in the order asked for.

    Raises ``NotOffered`` where the server has no such field.
    """

    def make(some: Sequence[str]) -> Document:
        return exports_document(kind, scope, upstream.capabilities, some)

    found = upstream.ask_for_each(kind, scope, kind.path[:-1], own_keys, make)
    return [read_exports(node) for node, _ in found]
