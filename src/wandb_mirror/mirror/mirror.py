"""A mirror folder and what can be done with it.

Reading opens the published file and nothing else. What pulls or publishes holds the lock, opens
the store and the warehouse, and closes them again.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, cast

from wandb_mirror.errors import BadSettings
from wandb_mirror.mirror.connect import Connection, check_server, connect, save_viewers
from wandb_mirror.mirror.facts import BASE_URL
from wandb_mirror.mirror.lock import hold_lock
from wandb_mirror.mirror.reader import Reader
from wandb_mirror.mirror.report import SyncReport
from wandb_mirror.mirror.selection import find_switched_off, loosen_redaction
from wandb_mirror.mirror.sync import Sync
from wandb_mirror.mirror.targets import choose_targets
from wandb_mirror.progress import Progress, Silence
from wandb_mirror.pull.plan import plan_kinds
from wandb_mirror.pull.reach import Reach
from wandb_mirror.query.place import find_mirror
from wandb_mirror.settings import DEFAULT_BASE_URL
from wandb_mirror.store.store import Store
from wandb_mirror.upstream.credentials import app_url
from wandb_mirror.warehouse.warehouse import Warehouse

if TYPE_CHECKING:
    from wandb_mirror.mirror.comparing import Verdict
    from wandb_mirror.mirror.doctor import Finding
    from wandb_mirror.mirror.downloads import DownloadReport, Wish
    from wandb_mirror.mirror.dry_run import Foreseen
    from wandb_mirror.pull.reach import Keeper
    from wandb_mirror.push.report import PushReport

WAREHOUSE_NAME = "warehouse.duckdb"
LOCK_PATIENCE_SECONDS = 600.0


def ignore_commit(label: str) -> None:
    """Do nothing after a commit; tests hand in something that does."""


def utc_now() -> datetime:
    """Return the time as the mirror keeps times: naive UTC."""
    return datetime.now(UTC).replace(tzinfo=None)


@dataclass(slots=True)
class Mirror(Reader):
    """A local copy of W&B data in one folder."""

    environ: Mapping[str, str]
    api_key: str | None = field(default=None, repr=False)
    progress: Progress = field(default_factory=Silence)
    now: Callable[[], datetime] = utc_now
    on_commit: Callable[[str], None] = ignore_commit
    stop: threading.Event = field(default_factory=threading.Event)
    """Set it from a signal handler: a sync then ends after the page in hand."""

    @classmethod
    def open(
        cls,
        folder: str | Path | None = None,
        *,
        config: str | Path | None = None,
        api_key: str | None = None,
        overrides: Mapping[str, object] | None = None,
        environ: Mapping[str, str] | None = None,
        progress: Progress | None = None,
    ) -> Mirror:
        """Return the mirror in ``folder`` (default ``$WANDB_MIRROR``, then ``./wandb-mirror``).

        Nothing is made or opened yet. ``overrides`` are settings by ``section.key``; they come
        before the environment, which comes before the settings file.
        """
        environ = os.environ if environ is None else environ
        place, settings = find_mirror(folder, config, overrides, environ)
        return cls(place, settings, environ, api_key, progress or Silence())

    def examine(self) -> list[Finding]:
        """Look at everything that a sync depends on."""
        from wandb_mirror.mirror.doctor import Premises, examine  # noqa: PLC0415  (a sync has none)

        return list(
            examine(
                Premises(
                    self.folder, self.store_path, self.published_path, self.settings, self.connect
                )
            )
        )

    def sync(
        self,
        targets: Sequence[str] = (),
        *,
        only: Collection[str] = (),
        skip: Collection[str] = (),
        is_full_refresh: bool = False,
        since: datetime | None = None,
        wait_seconds: float = 0.0,
    ) -> SyncReport:
        """Pull what changed upstream and publish it.

        ``targets`` are ``ENTITY`` or ``ENTITY/PROJECT``; without any, those of the settings, else
        those that the mirror already has, else the environment's. ``since`` (naive UTC) narrows it
        to runs made or changed since then. Another sync is waited for ``wait_seconds``. Raises
        ``BadSettings`` where nothing is named, ``Locked``, ``NoCredentials``, ``Unauthorized``,
        ``WrongServer``, ``NotFound`` and what ``Sync.run`` raises.
        """
        kinds = plan_kinds(only, {*skip, *find_switched_off(self.settings.sync, only)})
        with closing(self.connect()) as connection:
            is_new = not (self.store_path).exists()
            viewers = connection.log_in(kinds) if is_new else None
            with self.work("sync", connection.base_url, wait_seconds=wait_seconds) as (
                store,
                warehouse,
            ):
                connection.recall(store, self.now())
                viewers = viewers if viewers is not None else connection.log_in(kinds)
                wanted = choose_targets(targets, self.settings, store, self.environ)
                save_viewers(store, viewers, self.now())
                sync = Sync(
                    self.folder,
                    store,
                    warehouse,
                    connection.upstream,
                    self.settings,
                    kinds,
                    self.progress,
                    self.stop,
                    self.now,
                    is_full_refresh=is_full_refresh,
                    since=since,
                )
                try:
                    return sync.run(wanted)
                finally:
                    connection.remember(store, self.now())
                    self._let_go(store)

    def _let_go(self, store: Store) -> None:
        """Forget the edits whose replies are published now."""
        if self.desk.look().count:
            from wandb_mirror.mirror.edits import let_go  # noqa: PLC0415

            let_go(self, store)

    def foresee(
        self,
        targets: Sequence[str] = (),
        *,
        only: Collection[str] = (),
        skip: Collection[str] = (),
    ) -> list[Foreseen]:
        """Return what a sync would fetch, with counts; nothing is written.

        Raises what ``sync`` raises, but for ``Locked``.
        """
        from wandb_mirror.mirror.dry_run import (  # noqa: PLC0415  (a sync needs none of it)
            Foresight,
            load_incomplete,
        )

        kinds = plan_kinds(only, skip)
        with closing(self.connect()) as connection, ExitStack() as opened:
            connection.log_in(kinds)
            store = None
            if self.store_path.exists():
                store = opened.enter_context(Store.open(self.store_path))
                check_server(store, connection.base_url, self.folder)
            wanted = choose_targets(targets, self.settings, store, self.environ)
            nobody = cast("Keeper", None)  # a listing that is only read has nothing to keep
            left_out = {"artifacts.skip_types": self.settings.artifacts.skip_types}
            reach = Reach(
                connection.upstream, nobody, self.stop, self.progress, 1, left_out=left_out
            )
            here = load_incomplete(self.published_path)
            return list(Foresight(store, reach, kinds, self.settings, here).look(wanted))

    def connect(self) -> Connection:
        """Return a connection to upstream; nothing is sent yet."""
        return connect(self.settings, self.environ, self.api_key, self.stop, self.progress)

    @contextmanager
    def work(
        self, purpose: str, base_url: str | None = None, *, wait_seconds: float = 0.0
    ) -> Iterator[tuple[Store, Warehouse]]:
        """Hold the lock with store and warehouse open.

        Raises ``Locked``, and ``WrongServer`` where the mirror belongs to another server.
        """
        self._make_folder()
        with (
            hold_lock(self.folder, purpose, wait_seconds=wait_seconds),
            Store.open(self.store_path, on_commit=self.on_commit) as store,
        ):
            if base_url is not None:
                check_server(store, base_url, self.folder)
            with Warehouse.open(
                self.folder / WAREHOUSE_NAME,
                settings=self.settings,
                published=self.published_path,
                url=app_url(store.load_fact(BASE_URL) or DEFAULT_BASE_URL),
                pair_id=store.pair_id,
                store_seq=store.load_changed_seq(),
                on_commit=self.on_commit,
            ) as warehouse:
                yield store, warehouse

    def _make_folder(self) -> None:
        """Make the mirror's folder, for its owner alone."""
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise BadSettings(
                f"the mirror's folder {self.folder} cannot be made: {error.strerror}"
            ) from error

    def verify(
        self, projects: Sequence[str] = (), *, is_deep: bool = False, repairs: bool = False
    ) -> Verdict:
        """Compare the mirror with upstream; ``repairs`` fetches again what differs.

        By path, or all of an entity; without either, all that are mirrored. Raises ``NotMirrored``
        and what ``sync`` raises.
        """
        from wandb_mirror.mirror.verifying import verify_mirror  # noqa: PLC0415  (rarely needed)

        return verify_mirror(self, projects, is_deep=is_deep, repairs=repairs)

    def redactions(self, loosen: Sequence[str] = ()) -> list[str]:
        """Return the rules by which config values are left out, after taking some back."""
        self.require()
        with hold_lock(self.folder, "redact"), Store.open(self.store_path) as store:
            return loosen_redaction(store, loosen)

    def push(
        self, *paths: str, is_dry: bool = False, is_forced: bool = False, again: bool = False
    ) -> PushReport:
        """Push the edits that wait, those at or below some paths or all, then publish.

        ``is_dry`` sends nothing and returns the mutations; ``is_forced`` also sends what a running
        run may overwrite; ``again`` tries what was refused once more. Raises ``NotMirrored`` and
        what ``sync`` raises; what was sent is written down.
        """
        from wandb_mirror.mirror.edits import matching, push_edits, try_again  # noqa: PLC0415

        chosen = matching(paths)
        if again:
            try_again(self, chosen)
        return push_edits(self, is_dry=is_dry, is_forced=is_forced, chosen=chosen)

    def download(
        self,
        path: str | None = None,
        pattern: str = "*",
        *,
        is_run: bool = False,
        wish: Wish | None = None,
    ) -> DownloadReport:
        """Have the bytes of an artifact or of a run's files here, and where ``wish`` says.

        Without a path, of what the settings' section ``files`` chooses. Raises ``BadPath``,
        ``NotMirrored``, ``BadSettings`` and what ends a sync; what one file lacks is in the report.
        """
        from wandb_mirror.mirror.downloads import download  # noqa: PLC0415  (a sync has none)

        return download(self, self.now(), path, pattern, is_run=is_run, wish=wish)

    def publish(self) -> Path | None:
        """Publish what the store and the warehouse hold; None where nothing has changed."""
        self.require()
        with self.work("publish", wait_seconds=LOCK_PATIENCE_SECONDS) as (store, warehouse):
            warehouse.take(store)
            warehouse.settle()
            return warehouse.publish()

    def forget(self, project: str) -> None:
        """Remove a project from the mirror; nothing happens upstream."""
        self.require()
        from wandb_mirror.mirror.forgetting import forget_project  # noqa: PLC0415  (rarely needed)

        forget_project(self, project)
