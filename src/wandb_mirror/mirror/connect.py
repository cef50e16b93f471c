"""Reach upstream: find the key, log in, remember what the server lacks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from threading import Event

from wandb_mirror.errors import NotOffered, Unauthorized, Unexplained, UpstreamBroken, WrongServer
from wandb_mirror.kinds.pages import Row, ScopeOf
from wandb_mirror.kinds.spec import Kind
from wandb_mirror.mirror.facts import BASE_URL, CAPABILITIES, LEARNED_AT
from wandb_mirror.progress import Progress
from wandb_mirror.settings import Settings
from wandb_mirror.store.store import Store
from wandb_mirror.upstream.authority import Authority
from wandb_mirror.upstream.capabilities import Capabilities
from wandb_mirror.upstream.client import Client
from wandb_mirror.upstream.credentials import find_credentials, normalize_base_url
from wandb_mirror.upstream.shapes import Upstream

RELEARNED_AFTER = timedelta(days=1)
"""A server may have been upgraded: what it lacks is found out anew once a day."""


@dataclass(frozen=True, slots=True)
class Connection:
    """Upstream, and how to log in to it."""

    base_url: str
    key_source: str
    upstream: Upstream

    def close(self) -> None:
        """Close all connections."""
        self.upstream.client.close()

    def log_in(self, kinds: Sequence[Kind]) -> list[tuple[Kind, Row]]:
        """Return who the server says we are; raises ``Unauthorized`` for a key it does not know.

        A wrong key is answered with HTTP 200 and null. A server without such a query lets in
        whom it lets in.
        """
        found: list[tuple[Kind, Row]] = []
        for kind in kinds:
            if kind.scope != "server":
                continue
            try:
                row = self.upstream.fetch_node(kind, ScopeOf())
            except NotOffered:
                continue
            except Unexplained as error:  # without it nothing goes on: the next sync may have it
                raise UpstreamBroken(str(error)) from error
            if row is None:
                raise Unauthorized(
                    f"{self.upstream.client.host} does not know the API key from "
                    f"{self.key_source}; give the right one, or name the right server with "
                    "WANDB_BASE_URL"
                )
            found.append((kind, row))
        return found

    def recall(self, store: Store, now: datetime) -> None:
        """Take up what earlier syncs learned of the server."""
        learned_at = store.load_fact(LEARNED_AT)
        if learned_at and now - datetime.fromisoformat(learned_at) < RELEARNED_AFTER:
            known = Capabilities.from_json(store.load_fact(CAPABILITIES))
            self.upstream.capabilities.learn(known.missing)

    def remember(self, store: Store, now: datetime) -> None:
        """Keep what was learned of the server, where it is new."""
        text = self.upstream.capabilities.to_json()
        learned_at = store.load_fact(LEARNED_AT)
        is_old = not learned_at or now - datetime.fromisoformat(learned_at) >= RELEARNED_AFTER
        if is_old or store.load_fact(CAPABILITIES) != text:
            store.save_fact(CAPABILITIES, text)
            store.save_fact(LEARNED_AT, now.isoformat())


def connect(
    settings: Settings,
    environ: Mapping[str, str],
    api_key: str | None,
    stop: Event,
    progress: Progress,
) -> Connection:
    """Return a connection with the key that is found; nothing is sent yet.

    Raises ``NoCredentials`` and ``BadSettings``.
    """
    base_url = normalize_base_url(settings.upstream.base_url)
    home = Path(environ.get("HOME") or Path.home())
    credentials = find_credentials(base_url, api_key=api_key, environ=environ, home=home)
    client = Client(
        base_url, Authority(base_url, credentials), settings.upstream, stop=stop, progress=progress
    )
    return Connection(base_url, credentials.source, Upstream(client, Capabilities()))


def check_server(store: Store, base_url: str, folder: Path) -> None:
    """Claim a new mirror for a server, or refuse one that belongs to another."""
    known = store.load_fact(BASE_URL)
    if known is None:
        store.save_fact(BASE_URL, base_url)
    elif known != base_url:
        raise WrongServer(
            f"the mirror in {folder} belongs to {known}, not to {base_url}; "
            "name another folder with --mirror, or the right server with WANDB_BASE_URL"
        )


def save_viewers(store: Store, viewers: Sequence[tuple[Kind, Row]], now: datetime) -> None:
    """Keep who we are; who we were with another key goes."""
    for kind, row in viewers:
        store.save_rows(kind, [row], now=now, is_whole=True)
        store.mark_missing(kind, ScopeOf(), seen=[row[kind.own_key]], now=now)
