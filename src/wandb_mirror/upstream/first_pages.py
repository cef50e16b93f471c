"""The first pages of many listings by one request, of several kinds and of several scopes.

What lies in the same object is asked for inside it, once: a project's sweeps, reports and
automations are one look at that project. Several objects need an alias each.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from wandb_mirror.errors import BadRow, NotOffered
from wandb_mirror.kinds.pages import Asked, RowPage, ScopeOf
from wandb_mirror.kinds.spec import At, Kind
from wandb_mirror.upstream.asking import ask, find_lacking
from wandb_mirror.upstream.capabilities import Capabilities
from wandb_mirror.upstream.documents import Wanted, listing_document, node_document, write_listing
from wandb_mirror.upstream.rows import read_page, read_row
from wandb_mirror.upstream.shapes import Upstream
from wandb_mirror.upstream.ways import follow, follow_to_listing
from wandb_mirror.upstream.writer import JSON_SCALAR, Document, Writer, alias_of

Wish = tuple[Kind, Asked]
"""A listing of a kind; or, of a kind that is a single object, that object."""


@dataclass(frozen=True, slots=True)
class _Look:
    """Wishes that lie in the same object of upstream's, each under another name."""

    way: tuple[At, ...]
    scope: ScopeOf
    wishes: dict[str, Wish] = field(default_factory=dict)


def fetch_first_pages(upstream: Upstream, wishes: Sequence[Wish]) -> list[RowPage | None]:
    """Return a page for each wish; None where upstream answers null or has no such kind.

    Raises ``NotOffered`` where several objects are needed and the server is known to take one at a
    time, or where it has none of the kinds.
    """
    looks: list[_Look] = []

    def make() -> Document:
        kinds = {kind.plural: kind for kind, _ in wishes}.values()
        offered = {kind.plural for kind in kinds if _is_offered(kind, upstream.capabilities)}
        looks[:] = _group([wish for wish in wishes if wish[0].plural in offered])
        if not looks:
            raise NotOffered(f"{upstream.client.host} has nothing of what is asked for")
        if len(looks) > 1 and not upstream.takes_several():
            raise NotOffered(f"{upstream.client.host} takes one object at a time")
        return _write(looks, upstream.capabilities)

    data, document = ask(upstream.client, upstream.capabilities, None, make)
    found = {
        asked: _read(kind, asked.scope, data, alias_of(number), document)
        for number, look in enumerate(looks)
        for kind, asked in look.wishes.values()
    }
    return [found.get(asked) for _, asked in wishes]


def _is_offered(kind: Kind, capabilities: Capabilities) -> bool:
    """Tell whether the server has a kind, as far as is known."""
    if kind.shape == "node":
        document = node_document(kind, ScopeOf(), capabilities)
    else:
        fields = kind.light_fields
        document = listing_document(kind, ScopeOf(), capabilities, fields=fields, first=1)
    return find_lacking(capabilities, kind, document) is None


def _group(wishes: Sequence[Wish]) -> list[_Look]:
    """Return what is to be looked into, as few objects as may be."""
    looks: list[_Look] = []
    latest: dict[tuple[tuple[At, ...], ScopeOf], _Look] = {}
    for kind, asked in wishes:
        is_node = kind.shape == "node"
        way, name = (kind.path, "") if is_node else (kind.path[:-1], kind.path[-1].field)
        look = latest.get((way, asked.scope))
        if look is None or not way or name in look.wishes:
            look = latest[way, asked.scope] = _Look(way, asked.scope)
            looks.append(look)
        look.wishes[name] = (kind, asked)
    return looks


def _write(looks: Sequence[_Look], capabilities: Capabilities) -> Document:
    """Return the query, an alias for each object that is looked into."""
    first_kind = next(kind for kind, _ in looks[0].wishes.values())
    writer = Writer(first_kind, ScopeOf(), capabilities)
    for writer.number, look in enumerate(looks):
        writer.scope = look.scope
        with writer.down(look.way):
            for writer.kind, asked in look.wishes.values():
                if writer.kind.shape == "node":
                    writer.fields(writer.kind.fields)
                    continue
                arguments: Sequence[Wanted] = (
                    ("first", "Int", asked.first),
                    ("after", "String", asked.after),
                    ("filters", JSON_SCALAR, asked.filters),
                    ("order", "String", asked.order),
                )
                write_listing(writer, writer.kind.light_fields, arguments)
    return writer.finish("FirstPages")


def _read(
    kind: Kind, scope: ScopeOf, data: Mapping[str, Any], alias: str, document: Document
) -> RowPage | None:
    """Return the page of one wish; None for null, and for an object that cannot be kept."""
    sources = document.sources_of[kind.plural]
    if kind.shape != "node":
        listing = follow_to_listing(data, kind, alias)
        if listing is None:
            return None
        return read_page(kind, scope, listing, fields=kind.light_fields, sources=sources)
    node = follow(data, kind.path, alias)
    if node is None:
        return None
    try:
        row = read_row(kind, scope, node, fields=kind.fields, sources=sources)
    except BadRow:
        return None
    return RowPage([row], has_next=False)
