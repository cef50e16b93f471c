"""Read what upstream hands out, one function for each shape of reply.

A server that lacks something is asked again without it, for as long as each answer teaches
something new.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from wandb_mirror.errors import BadRow, NotFound, NotOffered, Refused, UpstreamBroken
from wandb_mirror.jsontext import dumps
from wandb_mirror.kinds.pages import Row, RowPage, ScopeOf, StepsReply, StepsRequest
from wandb_mirror.kinds.spec import At, Kind
from wandb_mirror.upstream.capabilities import Capabilities
from wandb_mirror.upstream.client import Client
from wandb_mirror.upstream.documents import (
    Document,
    listing_document,
    node_document,
    place_of,
    steps_document,
)
from wandb_mirror.upstream.replies import MissingFields
from wandb_mirror.upstream.rows import read_row

ALIASES = "several runs in one query"
"""The capability to take one field several times under different names."""


@dataclass(slots=True)
class Upstream:
    """A server, and what is known of what it lacks."""

    client: Client
    capabilities: Capabilities

    def can_seek(self, kind: Kind) -> bool:
        """Tell whether a listing can be ordered and filtered."""
        place = place_of(kind.path)
        return not self.capabilities.lacking([f"{place}(filters)", f"{place}(order)"])

    def fetch_node(self, kind: Kind, scope: ScopeOf) -> Row | None:
        """Return one object, or None where upstream answers null: absent, or not visible.

        Raises ``NotOffered`` where the server has no such query, ``BadRow`` where the object
        cannot be kept.
        """
        path = kind.node_path or kind.path
        data, document = self._ask(
            kind, path, lambda: node_document(kind, scope, self.capabilities)
        )
        node = _follow(data, path)
        return None if node is None else read_row(kind, scope, node, document.columns)

    def fetch_listing_page(
        self,
        kind: Kind,
        scope: ScopeOf,
        *,
        fields: Literal["light", "whole"],
        first: int,
        after: str | None = None,
        filters: Mapping[str, Any] | None = None,
        order: str | None = None,
    ) -> RowPage:
        """Return one page of a listing; raises ``NotFound`` where its scope is null."""
        chosen = kind.light_fields if fields == "light" else kind.fields
        filter_text = None if filters is None else dumps(dict(filters))

        def make() -> Document:
            return listing_document(
                kind,
                scope,
                self.capabilities,
                fields=chosen,
                first=first,
                after=after,
                filters=filter_text,
                order=order,
            )

        data, document = self._ask(kind, kind.path, make)
        connection = _follow(data, kind.path)
        if connection is None:
            raise NotFound(f"{scope} is absent or not visible to this key")
        return _read_page(kind, scope, connection, document.columns)

    def fetch_detail_page(self, kind: Kind, scope: ScopeOf, own_keys: Sequence[str]) -> RowPage:
        """Return objects by their own keys, with all their fields.

        Raises ``NotOffered`` where the server cannot be asked for objects by key.
        """
        place = place_of(kind.path)
        source = kind.field(kind.own_key).source
        page = self.fetch_listing_page(
            kind,
            scope,
            fields="whole",
            first=len(own_keys),
            filters={source: {"$in": list(own_keys)}},
        )
        if self.capabilities.lacks(f"{place}(filters)"):
            raise NotOffered(f"{self.client.host} cannot be asked for {kind.plural} by id")
        wanted = set(own_keys)
        rows = [row for row in page.rows if row[kind.own_key] in wanted]
        return RowPage(rows, has_next=False, bad=page.bad)

    def fetch_steps(
        self, kind: Kind, scope: ScopeOf, requests: Sequence[StepsRequest]
    ) -> list[StepsReply]:
        """Return windows of several runs' steps, in the order asked for."""
        if len(requests) > 1 and self.capabilities.lacks(ALIASES):
            return [reply for each in requests for reply in self.fetch_steps(kind, scope, [each])]
        try:
            data, _ = self._ask(
                kind, kind.path, lambda: steps_document(kind, scope, self.capabilities, requests)
            )
        except Refused:
            if len(requests) == 1:
                raise
            replies = [
                reply for each in requests for reply in self.fetch_steps(kind, scope, [each])
            ]
            self.capabilities.learn([ALIASES])  # one by one it went, together it did not
            return replies
        parent = _follow(data, kind.path[:-2])
        if parent is None:
            raise NotFound(f"{scope} is absent or not visible to this key")
        return [_read_steps(parent.get(f"r{number}")) for number in range(len(requests))]

    def _ask(
        self, kind: Kind, path: Sequence[At], make: Callable[[], Document]
    ) -> tuple[dict[str, Any], Document]:
        """Send a document, without what the server says it lacks, until it is taken."""
        while True:
            document = make()
            if lacking := self._lacking(kind, path, document):
                raise NotOffered(
                    f"{self.client.host} has no {lacking}: no {kind.plural} from there"
                )
            try:
                return self.client.execute(document.text, document.variables), document
            except MissingFields as error:
                if not self.capabilities.learn(_locate(document, error)):
                    raise Refused(str(error)) from error

    def _lacking(self, kind: Kind, path: Sequence[At], document: Document) -> str | None:
        """Return what the kind cannot do without and the server does not have."""
        steps = [place_of(path[: length + 1]) for length in range(len(path))]
        if lacking := self.capabilities.lacking(steps):
            return lacking[0]
        for field in kind.fields:
            if field.column == kind.own_key and field.column not in document.columns:
                return f"{kind.upstream_type}.{field.source}"
        return None


def _locate(document: Document, error: MissingFields) -> set[str]:
    """Return which of the things a document asks for an error is about."""
    names: set[str] = set()
    for each in error.missing:
        place = document.places.get(each.line or 0)
        if place is not None:
            names.add(place)
            continue
        for candidate in document.places.values():
            last = candidate.rstrip(")").replace("(", ".").split(".")
            if each.name in last[1:] or candidate == f"type {each.name}":
                names.add(candidate)
    return names


def _follow(data: Mapping[str, Any], path: Iterable[At]) -> Any:
    """Return what lies at the end of a path, or None where something on the way is null."""
    value: Any = data
    for at in path:
        if not isinstance(value, Mapping):
            return None
        value = value.get(at.field)
    if value is not None and not isinstance(value, Mapping):
        raise UpstreamBroken("upstream sends something else than an object")
    return value


def _read_page(
    kind: Kind, scope: ScopeOf, connection: Mapping[str, Any], columns: frozenset[str]
) -> RowPage:
    """Return the rows of a Relay connection; null edges and nodes are rows we may not see."""
    rows: list[Row] = []
    bad: list[tuple[str, str]] = []
    for edge in connection.get("edges") or ():
        node = edge.get("node") if isinstance(edge, Mapping) else None
        if not isinstance(node, Mapping):
            continue
        try:
            rows.append(read_row(kind, scope, node, columns))
        except BadRow as error:
            bad.append((error.key, error.problem))
    info = connection.get("pageInfo")
    info = info if isinstance(info, Mapping) else {}
    cursor = info.get("endCursor")
    return RowPage(
        rows,
        has_next=info.get("hasNextPage") is True,
        cursor=cursor if isinstance(cursor, str) else None,
        bad=bad,
    )


def _read_steps(node: Any) -> StepsReply:
    """Return a window's rows, and what upstream says of the whole history."""
    if not isinstance(node, Mapping):
        return StepsReply((), None, None, exists=False)
    keys = node.get("keys")
    last_step = keys.get("lastStep") if isinstance(keys, Mapping) else None
    line_count = node.get("line_count")
    lines = [line if isinstance(line, str) else dumps(line) for line in node.get("lines") or ()]
    return StepsReply(
        lines,
        line_count if type(line_count) is int else None,
        last_step if type(last_step) is int else None,
    )
