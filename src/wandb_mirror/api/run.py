"""A run (``wandb.apis.public.runs.Run``) and what it leads to."""

from __future__ import annotations

import time
from typing import Any, Literal

from wandb_mirror.api.console import ConsoleLogs
from wandb_mirror.api.files import File, Files
from wandb_mirror.api.frames import pandas_from_rows
from wandb_mirror.api.history import (
    HistoryScan,
    check_keys,
    check_stream,
    sample,
    sample_system,
    tell_incomplete,
)
from wandb_mirror.api.refusals import BYTES, CONTROL, DELETES, LOGGING, UPLOADS, refused
from wandb_mirror.api.run_fields import RunFields
from wandb_mirror.errors import BadFilter
from wandb_mirror.query.history import INCOMPLETE
from wandb_mirror.query.series import Series

METADATA_NAME = "wandb-metadata.json"
ENDED = ("finished", "crashed", "failed", "killed")
SECONDS_BETWEEN_LOOKS = 5.0


class Run(RunFields):
    """One run, as it was in the generation that it was read from.

    Fields are upstream's under snake_case names: ``created_at``, ``job_type``, ``commit``.
    """

    create = refused(LOGGING)
    upload_file = refused(UPLOADS)
    use_artifact = refused(LOGGING)
    log_artifact = refused(LOGGING)
    update_state = refused(CONTROL)
    stop = refused(CONTROL)
    delete = refused(DELETES)
    download_history_exports = refused(
        f"{BYTES}; the whole history is here: run.scan_history().to_arrow(), or export to Parquet"
    )

    @property
    def sweep(self) -> Any:
        """The sweep it belongs to, None where it belongs to none."""
        if not self.sweep_name:
            return None
        if self._sweep is None:
            path = (self.entity, self.project, self.sweep_name)
            self._sweep = self._generations.make("sweep", self._generation, *path)
        return self._sweep

    @property
    def metadata(self) -> dict[str, Any] | None:
        """What its process said of its machine and program; None where that file is not here.

        It is the content of ``wandb-metadata.json``: ``wandb-mirror download --run-files PATH``
        fetches it.
        """
        for file in self.files([METADATA_NAME]):
            found = file.load_json()
            return found if isinstance(found, dict) else None
        return None

    def files(
        self, names: list[str] | None = None, pattern: str | None = None, per_page: int = 50
    ) -> Files:
        """Return its files, those of some names, or those that match SQL's LIKE; no bytes."""
        return Files(self._generation, self, names or [], per_page, pattern)

    def file(self, name: str) -> File:
        """Return one of its files; raises ``IndexError`` where there is none of the name."""
        return self.files([name])[0]

    def console_logs(self, *, per_page: int = 1000, last: int | None = None) -> ConsoleLogs:
        """Return what it wrote to the console, or the last lines of it."""
        return ConsoleLogs(self._generation, self, per_page, last)

    def logged_artifacts(self, per_page: int = 100) -> Any:
        """Return the artifacts that it made."""
        make, generation = self._generations.make, self._generation
        return make("run_artifacts", generation, self._place(), "output", per_page)

    def used_artifacts(self, per_page: int = 100) -> Any:
        """Return the artifacts that it took as input."""
        make, generation = self._generations.make, self._generation
        return make("run_artifacts", generation, self._place(), "input", per_page)

    def wait_until_finished(self) -> None:
        """Wait until a publication shows that it ended; something else must sync meanwhile."""
        while self.state not in ENDED:
            time.sleep(SECONDS_BETWEEN_LOOKS)
            self.load(force=True)

    def _series(self) -> Series:
        if self.history_status in INCOMPLETE and self._attrs["historyLineCount"] != 0:
            tell_incomplete(f"{self!r}: its history is {self.history_status} in this mirror")
        return Series(self._generation.published, self._run_no)

    def history(
        self,
        samples: int = 500,
        keys: list[str] | None = None,
        x_axis: str = "_step",
        pandas: bool = True,
        stream: Literal["default", "system"] = "default",
    ) -> Any:
        """Return at most ``samples`` rows, spread evenly: a sample, ``scan_history`` has all rows.

        With ``keys``, rows that hold all of them. A DataFrame, or a list of dicts where
        ``pandas=False``. Raises ``BadFilter`` for keys that are no list of strings.
        """
        check_keys(keys)
        check_stream(stream)
        if stream == "system":
            if keys:
                raise BadFilter("history: keys cannot be chosen from the system's metrics")
            rows = sample_system(self._generation, self._place(), samples)
            return pandas_from_rows(rows) if pandas else rows
        rows = sample(self._series(), samples, keys or None, x_axis)
        return pandas_from_rows(rows) if pandas else rows

    def scan_history(
        self,
        keys: list[str] | None = None,
        page_size: int = 1000,
        min_step: int = 0,
        max_step: int | None = None,
        use_cache: bool = True,
    ) -> HistoryScan:
        """Return every row from ``min_step`` on and before ``max_step``.

        With ``keys``, rows that hold all of them. Raises ``BadFilter`` for keys that are no list of
        strings. ``use_cache`` means nothing here: everything is local.
        """
        del use_cache
        check_keys(keys)
        stop = self.lastHistoryStep + 1
        if max_step is not None:
            stop = min(stop, max_step)
        return HistoryScan(self, self._series(), keys, min_step, stop, page_size)

    beta_scan_history = scan_history
