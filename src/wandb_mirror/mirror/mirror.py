"""A mirror folder and what can be done with it.

Reading opens the published file and nothing else. What pulls or publishes holds the lock, opens
the store and the warehouse, and closes them again.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from wandb_mirror.mirror.connect import connect
from wandb_mirror.mirror.report import SyncReport
from wandb_mirror.mirror.sync import Sync
from wandb_mirror.progress import Progress, Silence
from wandb_mirror.pull.plan import plan_kinds
from wandb_mirror.query.published import Published
from wandb_mirror.settings import Settings, load_settings

STORE_NAME = "store.sqlite"
WAREHOUSE_NAME = "warehouse.duckdb"
PUBLISHED_NAME = "wandb.duckdb"
SETTINGS_NAME = "config.toml"
DEFAULT_FOLDER = "wandb-mirror"


def ignore_commit(label: str) -> None:
    """Do nothing after a commit; tests hand in something that does."""


def utc_now() -> datetime:
    """Return the time as the mirror keeps times: naive UTC."""
    return datetime.now(UTC).replace(tzinfo=None)


@dataclass(slots=True)
class Mirror:
    """A local copy of W&B data in one folder."""

    folder: Path
    settings: Settings
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
        place = Path(folder or environ.get("WANDB_MIRROR") or DEFAULT_FOLDER).expanduser()
        file = Path(config) if config is not None else place / SETTINGS_NAME
        if config is None and not file.exists():
            settings = load_settings(None, environ, overrides or {})
        else:
            settings = load_settings(file, environ, overrides or {})
        return cls(place, settings, environ, api_key, progress or Silence())

    @property
    def published_path(self) -> Path:
        """Where the DuckDB file is that readers open."""
        return Path(self.settings.publish.path or self.folder / PUBLISHED_NAME).expanduser()

    def read(self) -> Published:
        """Open the published file; raises ``NotMirrored`` when nothing was ever published."""
        return Published.open(self.published_path)

    def sync(
        self,
        targets: Sequence[str] = (),
        *,
        only: Collection[str] = (),
        skip: Collection[str] = (),
        is_full_refresh: bool = False,
    ) -> SyncReport:
        """Pull what changed upstream and publish it.

        ``targets`` are ``ENTITY`` or ``ENTITY/PROJECT``; without any, those of the settings, else
        those that the mirror already has, else the environment's. Raises ``BadSettings`` where
        there are none, ``Locked``, ``NoCredentials``, ``Unauthorized``, ``WrongServer``,
        ``NotFound`` and what ``Sync.run`` raises.
        """
        if not self.settings.sync.history:
            skip = {*skip, "history"}
        kinds = plan_kinds(only, skip)
        upstream = connect(self)
        is_new = not (self.folder / STORE_NAME).exists()
        viewers = upstream.log_in(kinds) if is_new else None
        with self.work("sync") as (store, warehouse):
            self._check_server(store)
            upstream.recall(store)
            viewers = viewers if viewers is not None else upstream.log_in(kinds)
            wanted = self._choose_targets(store, targets)
            sync = Sync(
                self.folder,
                store,
                warehouse,
                upstream.upstream,
                self.settings,
                kinds,
                self.progress,
                self.stop,
                self.now,
                is_full_refresh=is_full_refresh,
            )
            for kind, row in viewers:
                store.save_rows(kind, [row], now=self.now(), is_whole=True)
            try:
                return sync.run(wanted)
            finally:
                upstream.remember(store)
