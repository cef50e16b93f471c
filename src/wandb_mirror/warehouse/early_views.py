"""The views that depend on no data, made in a thread while a first sync waits for replies.

There are some 30 with 400 comments, which DuckDB writes one after another: a tenth of a second.
"""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import closing
from dataclasses import dataclass

from wandb_mirror.settings import Settings
from wandb_mirror.warehouse.derive import Deriver
from wandb_mirror.warehouse.engine import Database
from wandb_mirror.warehouse.facts import Facts


@dataclass(slots=True)
class EarlyViews:
    """Makes them once, beside the one thread that uses the warehouse."""

    database: Database
    settings: Settings
    url: str
    _made: Future[None] | None = None

    def begin(self) -> None:
        """Begin."""
        pool = ThreadPoolExecutor(1, thread_name_prefix="views")
        self._made = pool.submit(self._make, self.database.twin())
        pool.shutdown(wait=False)

    def take(self) -> bool:
        """Wait for what was begun; tell whether it was. Raises what it raised."""
        made, self._made = self._made, None
        if made is None:
            return False
        made.result()
        return True

    def close(self) -> None:
        """Wait, whatever comes of it: the file is to be closed."""
        if self._made is not None:
            wait([self._made])

    def _make(self, database: Database) -> None:
        with closing(database), database.transaction():
            Deriver(database, Facts(database), self.settings, self.url).make_main_views()
