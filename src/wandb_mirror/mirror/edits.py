"""Edits of a mirror: made for one object or for many, pushed, settled, discarded."""

from __future__ import annotations

import getpass
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from threading import Event
from typing import Any, Protocol

from wandb_mirror.edits.catalog import EDITABLES
from wandb_mirror.edits.cells import Change, cell_of, read_cells
from wandb_mirror.edits.edit import Edit, Target, settle
from wandb_mirror.edits.spec import Editable
from wandb_mirror.errors import Locked, NotMirrored, OnlyUpstream
from wandb_mirror.jsontext import loads
from wandb_mirror.mirror.connect import Connection, check_server
from wandb_mirror.mirror.paths import parse_project, parse_run
from wandb_mirror.mirror.selection import settle_redaction
from wandb_mirror.progress import Progress
from wandb_mirror.push.push import Pusher
from wandb_mirror.push.report import PushReport
from wandb_mirror.query.published import Published
from wandb_mirror.query.runs import ask_runs
from wandb_mirror.store.outbox import Outcome
from wandb_mirror.store.store import Store

Wish = tuple[str, str, Callable[[Any], Any]]
"""A field, a key of it, and what is to become of what is there now."""


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


@dataclass(frozen=True, slots=True)
class Found:
    """An object that edits are meant for, as its reader sees it."""

    target: Target
    values: Mapping[str, Any]
    """Field to value."""


def who() -> str:
    """Return the name of the user of this machine, for the audit."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "unknown"


def find_objects(
    published: Published,
    path: str,
    fields: Sequence[str],
    filters: Mapping[str, Any] | None = None,
) -> list[Found]:
    """Return the run at a path, or the runs of a project that pass a filter, edits and all.

    Raises ``BadPath``, ``BadFilter`` and ``NotMirrored``.
    """
    editable = editable_at(path)
    own = path.removeprefix(f"{editable.word}:") if editable.word else path
    columns = [editable.field(name).column for name in fields]
    listed = "".join(f', r."{name}"' for name in dict.fromkeys(columns))
    head = (
        f"SELECT p.project_id, p.entity, p.project, r.run_id{listed} FROM _data.runs r "
        "JOIN _data.projects p ON p.project_no = r.project_no "
    )
    if filters is None:
        entity, project, run_id = parse_run(own)
        rows = published.rows(
            f"{head} WHERE p.entity = ? AND p.project = ? AND r.run_id = ? "
            "AND r.deleted_at IS NULL ORDER BY p.inaccessible_since IS NOT NULL LIMIT 1",
            [entity, project, run_id],
        )
        if not rows:
            raise NotMirrored(
                f"run {own} is not in this mirror, or was deleted upstream; "
                f"'wandb-mirror runs {entity}/{project}' lists those that can be edited"
            )
    else:
        numbers = ask_runs(published, *parse_project(own), filters=filters).numbers()
        rows = published.rows(
            f"{head} JOIN (SELECT unnest(?) AS run_no) e ON e.run_no = r.run_no ORDER BY r.run_id",
            [numbers],
        )
    found = []
    for project_id, entity, project, run_id, *rest in rows:
        target = Target(editable.kind, project_id, run_id, f"{entity}/{project}/{run_id}")
        stored = dict(zip(dict.fromkeys(columns), rest, strict=True))
        values = {name: _as_read(editable, name, stored) for name in fields}
        found.append(Found(target, values))
    return found


def _as_read(editable: Editable, name: str, stored: Mapping[str, Any]) -> Any:
    spec = editable.field(name)
    text = stored[spec.column]
    return text if spec.sort == "scalar" or text is None else loads(text)


def editable_at(path: str) -> Editable:
    """Return what kind of thing a path names; raises ``OnlyUpstream`` for what is not edited."""
    word, colon, _ = path.partition(":")
    has_word = bool(colon) and "/" not in word
    for each in EDITABLES:
        if each.word == (word if has_word else ""):
            return each
    raise OnlyUpstream(
        f"{path}: a {word} cannot be edited here; make the change with wandb.Api, then sync"
    )


def make_changes(found: Iterable[Found], wishes: Sequence[Wish]) -> list[tuple[Target, Change]]:
    """Return the cells that wishes change, with what their readers saw as the base."""
    made = []
    for each in found:
        for name, key, change in wishes:
            editable = next(one for one in EDITABLES if one.kind == each.target.kind)
            spec = editable.field(name)
            base = cell_of(spec, read_cells(spec, each.values[name]), key)
            made.append((each.target, Change(name, key, base, change(base))))
    return made


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
    """Return what tells the edits at or below some paths; of all where there are none."""
    wanted = [path.strip("/") for path in paths]
    return lambda edit: (
        not wanted or any(f"{edit.target.path}/".startswith(f"{path}/") for path in wanted)
    )


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
