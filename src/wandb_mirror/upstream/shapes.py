"""Read what upstream hands out, one function for each shape of reply.

A server that cannot filter, order or take aliases is asked in the ways that it knows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from wandb_mirror.errors import BadRow, NotFound, NotOffered, Refused
from wandb_mirror.jsontext import dumps
from wandb_mirror.kinds.pages import Row, RowPage, ScopeOf, StepsReply, StepsRequest
from wandb_mirror.kinds.spec import At, Kind
from wandb_mirror.upstream.asking import ask
from wandb_mirror.upstream.capabilities import Capabilities
from wandb_mirror.upstream.client import Client
from wandb_mirror.upstream.documents import (
    can_name,
    details_document,
    listing_document,
    node_document,
    nodes_document,
    steps_document,
    urls_document,
)
from wandb_mirror.upstream.rows import read_manifest, read_page, read_row, read_steps
from wandb_mirror.upstream.ways import follow, follow_to_listing, pick, say_null
from wandb_mirror.upstream.writer import Document, alias_of, place_of

ALIASES = "several objects in one query"
"""The capability to take one field several times under different names."""
LISTS = "lists of several kinds in one query"
"""The capability to look at many lists of one object at once."""


@dataclass(slots=True)
class Upstream:
    """A server, and what is known of what it lacks."""

    client: Client
    capabilities: Capabilities

    def can_seek(self, kind: Kind) -> bool:
        """Tell whether a listing can be ordered and filtered."""
        place = place_of(kind.path)
        return not self.capabilities.lacking([f"{place}(filters)", f"{place}(order)"])

    def can_filter(self, kind: Kind) -> bool:
        """Tell whether a listing can be filtered, as far as is known."""
        return not self.capabilities.lacks(f"{place_of(kind.path)}(filters)")

    def fetch_node(self, kind: Kind, scope: ScopeOf) -> Row | None:
        """Return one object, or None where upstream answers null: absent, or not visible.

        Raises ``NotOffered`` where the server has no such query, ``BadRow`` where the object
        cannot be kept.
        """
        data, document = self._ask(kind, lambda: node_document(kind, scope, self.capabilities))
        node = follow(data, kind.node_path or kind.path)
        if node is None:
            return None
        return read_row(kind, scope, node, fields=kind.fields, sources=document.sources)

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
        """Return one page of a listing; raises ``NotFound`` where its scope is null.

        A server that cannot filter or order answers without: ``can_seek`` tells afterwards.
        """
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

        data, document = self._ask(kind, make)
        listing = follow_to_listing(data, kind)
        if listing is None:
            raise say_null(data, kind.path, scope, kind)
        return read_page(kind, scope, listing, fields=chosen, sources=document.sources)

    def fetch_file_urls(
        self, kind: Kind, scopes: Sequence[ScopeOf]
    ) -> list[str | NotFound | Refused]:
        """Return signed URLs, which are secret while they are valid, or why there is none."""
        data, _ = self._ask(kind, lambda: urls_document(kind, scopes, self.capabilities))
        found: list[str | NotFound | Refused] = []
        for number, scope in enumerate(scopes):
            file = follow(data, kind.path, alias_of(number))
            url = None if file is None else file.get("url")
            found.append(url or say_null(data, kind.path[:2], scope, kind, alias_of(number)))
        return found

    def fetch_manifest(self, kind: Kind, scope: ScopeOf, url: str) -> list[Row]:
        """Return the entries behind a signed URL as rows; raises ``BadRow`` for no manifest."""
        return read_manifest(kind, scope, self.client.download(url))

    def takes_lists(self) -> bool:
        """Tell whether lists of several kinds may be asked for at once, as far as is known."""
        return not self.capabilities.lacks(LISTS)

    def learn_one_list_at_a_time(self) -> None:
        """Remember that lists which were refused together went kind by kind."""
        self.capabilities.learn([LISTS])

    def takes_several(self) -> bool:
        """Tell whether one field may stand several times in a document, as far as is known."""
        return not self.capabilities.lacks(ALIASES)

    def learn_one_at_a_time(self) -> None:
        """Remember that what was refused together went one by one."""
        self.capabilities.learn([ALIASES])

    def fetch_detail_page(self, kind: Kind, scope: ScopeOf, own_keys: Sequence[str]) -> RowPage:
        """Return objects by their own keys, with all their fields.

        By a filter where the listing is one that is filtered and the server heeds it, else one by
        one in one query. Raises ``NotOffered`` where the server cannot be asked for objects by key.
        """
        if kind.detail_path:
            return self._fetch_details(kind, scope, own_keys)
        filtering = f"{place_of(kind.path)}(filters)"
        if kind.seek is not None and not self.capabilities.lacks(filtering):
            page = self._fetch_filtered(kind, scope, own_keys)
            if page is not None:
                return page
            self.capabilities.learn([filtering])
        if not can_name(kind):
            raise NotOffered(f"{self.client.host} cannot be asked for {kind.plural} by id")
        return self._fetch_named(kind, scope, own_keys)

    def _fetch_details(self, kind: Kind, scope: ScopeOf, own_keys: Sequence[str]) -> RowPage:
        """Return objects from a connection that takes a list of keys."""
        data, document = self._ask(
            kind, lambda: details_document(kind, scope, self.capabilities, own_keys)
        )
        connection = follow(data, kind.detail_path)
        if connection is None:
            raise say_null(data, kind.detail_path, scope, kind)
        whole = {**connection, "pageInfo": {"hasNextPage": False}}
        return read_page(kind, scope, whole, fields=kind.fields, sources=document.sources)

    def _fetch_filtered(
        self, kind: Kind, scope: ScopeOf, own_keys: Sequence[str]
    ) -> RowPage | None:
        """Return objects by a filter, or None where the server does not heed it.

        A server may send fewer in a page than it was asked for, and the rest in the next ones.
        """
        rows: dict[str, Row] = {}
        bad: dict[str, str] = {}
        cursor: str | None = None
        for _ in own_keys:
            page = self.fetch_listing_page(
                kind,
                scope,
                fields="whole",
                first=len(own_keys),
                after=cursor,
                filters={kind.field(kind.own_key).source: {"$in": list(own_keys)}},
            )
            rows.update({row[kind.own_key]: row for row in page.rows})
            bad.update(page.bad)
            if not page.has_next or page.cursor in (None, cursor):
                break
            cursor = page.cursor
        if not rows.keys() <= set(own_keys):
            return None
        return RowPage(list(rows.values()), has_next=False, bad=list(bad.items()))

    def _fetch_named(self, kind: Kind, scope: ScopeOf, own_keys: Sequence[str]) -> RowPage:
        """Return objects one by one, in one query where the server takes that."""
        rows: list[Row] = []
        bad: list[tuple[str, str]] = []

        def make(names: Sequence[str]) -> Document:
            return nodes_document(kind, scope, self.capabilities, names)

        for own_key, (node, document) in zip(
            own_keys, self.ask_for_each(kind, scope, kind.node_path, own_keys, make), strict=True
        ):
            if node is None:
                continue
            try:
                row = read_row(kind, scope, node, fields=kind.fields, sources=document.sources)
            except BadRow as error:
                bad.append((own_key, error.problem))
            else:
                rows.append(row)
        return RowPage(rows, has_next=False, bad=bad)

    def fetch_steps(
        self, kind: Kind, scope: ScopeOf, requests: Sequence[StepsRequest]
    ) -> list[StepsReply]:
        """Return windows of several parents' steps, in the order asked for."""

        def make(some: Sequence[StepsRequest]) -> Document:
            return steps_document(kind, scope, self.capabilities, some)

        found = self.ask_for_each(kind, scope, kind.path[:-1], requests, make)
        return [read_steps(node, self.client.host) for node, _ in found]

    def ask_for_each(
        self,
        kind: Kind,
        scope: ScopeOf,
        path: Sequence[At],
        wanted: Sequence[Any],
        make: Callable[[Sequence[Any]], Document],
    ) -> list[tuple[Mapping[str, Any] | None, Document]]:
        """Return what several aliases of one query hold, one by one where the server wants that.

        ``path`` leads to the field that is asked for under each alias.
        """
        if len(wanted) > 1 and self.capabilities.lacks(ALIASES):
            return self._ask_one_by_one(kind, scope, path, wanted, make)
        try:
            data, document = self._ask(kind, lambda: make(wanted))
        except Refused:
            if len(wanted) == 1:
                raise
            found = self._ask_one_by_one(kind, scope, path, wanted, make)
            self.capabilities.learn([ALIASES])  # one by one it went, together it did not
            return found
        parent = follow(data, path[:-1])
        if parent is None:
            raise say_null(data, path[:-1], scope, kind)
        return [(pick(parent, alias_of(n), self.client.host), document) for n in range(len(wanted))]

    def _ask_one_by_one(
        self,
        kind: Kind,
        scope: ScopeOf,
        path: Sequence[At],
        wanted: Sequence[Any],
        make: Callable[[Sequence[Any]], Document],
    ) -> list[tuple[Mapping[str, Any] | None, Document]]:
        return [
            found for each in wanted for found in self.ask_for_each(kind, scope, path, [each], make)
        ]

    def _ask(self, kind: Kind, make: Callable[[], Document]) -> tuple[dict[str, Any], Document]:
        return ask(self.client, self.capabilities, kind, make)
