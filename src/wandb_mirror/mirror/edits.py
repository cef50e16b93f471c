"""Edits of a mirror: pushed, settled, discarded."""

from __future__ import annotations

import getpass
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from threading import Event
from typing import Protocol

from wandb_mirror.edits.catalog import EDITABLES, editable_of
from wandb_mirror.edits.edit import Edit, settle
from wandb_mirror.errors import Locked
from wandb_mirror.mirror.connect import Connection, check_server
from wandb_mirror.mirror.selection import settle_redaction
from wandb_mirror.progress import Progress
from wandb_mirror.push.push import Pusher
from wandb_mirror.push.report import PushReport
from wandb_mirror.query.published import Published
from wandb_mirror.store.outbox import Outcome
from wandb_mirror.store.store import Store


class Parts(Protocol):
    """What edits need of a mirror."""

    folder: Path
    progress: Progress
    stop: Event

    @property
    def now(self) -> Callable[[], datetime]:
        """What gives the time as the store keeps it."""

    @property
    def on_commit(self) -> Callable[[str], None]:
        """What hears of each commit."""

    @property
    def store_path(self) -> Path:
        """Where the metadata is kept."""

    @property
    def published_path(self) -> Path:
        """Where the DuckDB file is that readers open."""

    def require(self) -> None:
        """Raise ``NotMirrored`` where the folder holds no mirror."""

    def connect(self) -> Connection:
        """Return a connection to upstream."""

    def read(self) -> Published:
        """Open the published file."""

    def publish(self) -> Path | None:
        """Publish what the store and the warehouse hold, waiting for the lock."""


def who() -> str:
    """Return the name of the user of this machine, for the audit."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "unknown"


def push_edits(
    mirror: Parts, *, is_dry: bool, is_forced: bool, chosen: Callable[[Edit], bool]
) -> PushReport:
    """Push what waits, then publish upstream's replies; see ``Pusher.run``."""
    mirror.require()
    with (
        closing(mirror.connect()) as connection,
        Store.open(mirror.store_path, on_commit=mirror.on_commit) as store,
    ):
        check_server(store, connection.base_url, mirror.folder)
        connection.recall(store, mirror.now())
        pusher = Pusher(
            store,
            connection.upstream,
            who(),
            mirror.now,
            mirror.progress,
            mirror.stop,
            is_forced=is_forced,
            is_dry=is_dry,
            chosen=chosen,
            clean=settle_redaction(store, (), mirror.now()).apply,
        )
        try:
            report = pusher.run()
        finally:
            if not is_dry:
                connection.remember(store, mirror.now())
                published = publish_replies(mirror, store)
        if not is_dry:
            report.published = published
        return report


def publish_replies(mirror: Parts, store: Store) -> Path | None:
    """Publish what upstream replied, waiting for the lock; then let go of what is shown."""
    done = store.outbox.load(("done",))
    if not done:
        return None
    try:
        published = mirror.publish()
    except Locked as error:
        mirror.progress.say(f"pushed, and shown here; the file follows later: {error}")
        return None
    let_go(mirror, store)
    return published


def let_go(mirror: Parts, store: Store) -> None:
    """Forget the edits whose replies the published file shows."""
    if not mirror.published_path.exists():
        return
    with mirror.read() as published:
        marks = dict(
            published.rows("SELECT name, value FROM _data.facts WHERE name LIKE 'taken %'")
        )
    for editable in EDITABLES:
        store.outbox.purge(editable.kind, int(marks.get(f"taken {editable.kind}", 0)))


def matching(paths: Sequence[str]) -> Callable[[Edit], bool]:
    """Return what tells the edits at or below some paths; of all where there are none.

    A path without a word stands for objects of every kind. An alias is an edit of its collection,
    and is found by the paths of the versions that it leaves and comes to as well.
    """
    wanted = [_split_path(path) for path in paths]

    def is_wanted(edit: Edit) -> bool:
        own = [_split_path(edit.target.path)]
        if editable_of(edit.target.kind).field(edit.field).points_to is not None:
            path = own[0][1]
            versions = (edit.base, edit.local, edit.upstream)
            own += [("artifact", f"{path}{each}/") for each in versions if isinstance(each, str)]
        return any(
            each.startswith(path) and word in ("", known)
            for word, path in wanted
            for known, each in own
        )

    return lambda edit: not wanted or is_wanted(edit)


def _split_path(text: str) -> tuple[str, str]:
    """Return the word before a path, and the path with a slash behind each part."""
    word, colon, rest = text.strip("/").partition(":")
    if not colon or "/" in word:
        return "", f"{text.strip('/').replace(':', '/')}/"
    return word, f"{rest.strip('/').replace(':', '/')}/"


def discard_edits(mirror: Parts, chosen: Callable[[Edit], bool]) -> int:
    """Take edits back; return how many."""
    mirror.require()
    with Store.open(mirror.store_path) as store:
        cells = [each.cell for each in store.outbox.load() if chosen(each)]
        return store.outbox.discard(cells, now=mirror.now(), who=who())


def resolve_edits(mirror: Parts, chosen: Callable[[Edit], bool], *, takes_theirs: bool) -> int:
    """Settle conflicts, to be pushed; return how many."""
    mirror.require()
    with Store.open(mirror.store_path) as store:
        settled = [
            Outcome(
                settle(each, takes_theirs=takes_theirs),
                "resolved",
                "theirs" if takes_theirs else "ours",
            )
            for each in store.outbox.load(("conflict",))
            if chosen(each)
        ]
        if settled:
            store.outbox.record(settled, now=mirror.now(), who=who())
        return len(settled)


def try_again(mirror: Parts, chosen: Callable[[Edit], bool]) -> int:
    """Let refused edits be pushed once more; return how many."""
    with Store.open(mirror.store_path) as store:
        again = [
            Outcome(replace(each, state="pending", error=None), "")
            for each in store.outbox.load(("refused",))
            if chosen(each)
        ]
        if again:
            store.outbox.record(again, now=mirror.now(), who=who())
        return len(again)
