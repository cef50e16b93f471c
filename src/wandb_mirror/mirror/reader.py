"""A mirror for reading: its folder, its settings, and the published file.

Nothing here imports what pulls or writes: a cold command that reads answers without it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from wandb_mirror.blobs.blobs import Blobs
from wandb_mirror.desk.desk import Desk
from wandb_mirror.errors import NotMirrored
from wandb_mirror.mirror.histories import Histories
from wandb_mirror.mirror.lists import SWEEPS, VERSIONS
from wandb_mirror.mirror.objects import load_object, need_project
from wandb_mirror.mirror.paths import parse_object, parse_project, parse_run
from wandb_mirror.query.history import Needs, Wanted, load_system
from wandb_mirror.query.place import BLOBS_NAME, STORE_NAME, locate_published
from wandb_mirror.query.published import Published
from wandb_mirror.query.runs import RunsOptions, RunsQuestion, ask_runs
from wandb_mirror.settings import Settings

if TYPE_CHECKING:
    import pyarrow as pa

    from wandb_mirror.mirror.editing import Edits
    from wandb_mirror.query.answer import Answer


@dataclass(slots=True)
class Reader:
    """What can be asked of a mirror without pulling or writing anything."""

    folder: Path
    settings: Settings

    @property
    def published_path(self) -> Path:
        """Where the DuckDB file is that readers open."""
        return locate_published(self.folder, self.settings)

    @property
    def store_path(self) -> Path:
        """Where the metadata is kept."""
        return self.folder / STORE_NAME

    @property
    def blobs(self) -> Blobs:
        """Where the bytes of files are kept."""
        return Blobs(self.folder / BLOBS_NAME)

    def require(self) -> None:
        """Raise ``NotMirrored`` where the folder holds no mirror."""
        if not self.store_path.exists():
            raise NotMirrored(
                f"{self.folder} holds no mirror; run 'wandb-mirror sync ENTITY/PROJECT', or name "
                "the right folder with --mirror"
            )

    def status(self) -> dict[str, Any]:
        """Return how fresh the mirror is and what it holds; raises ``NotMirrored``."""
        from wandb_mirror.mirror.status import read_status  # noqa: PLC0415  (opens the store)

        self.require()
        return read_status(self.folder, self.store_path, self.published_path)

    def read(self) -> Published:
        """Open the published file; raises ``NotMirrored`` when nothing was ever published."""
        return Published.open(self.published_path)

    @property
    def desk(self) -> Desk:
        """Where edits are made and shown."""
        return Desk(self.store_path)

    def read_edited(self) -> Published:
        """Open the published file with the edits that it does not show; raises ``NotMirrored``."""
        published = self.read()
        self.desk.lay(published)
        return published

    def edit(
        self, path: str, *, filters: Mapping[str, Any] | None = None, **edits: Unpack[Edits]
    ) -> int:
        """Queue edits of the object at ``path``, or with ``filters`` of a project's that pass.

        Paths are those of ``show``. ``add_tags``, ``remove_tags``, ``notes``, ``name``, ``group``,
        ``job_type``, ``description``, ``config``, ``summary`` and ``metadata`` (keys to set),
        ``unset_config`` and ``unset_metadata`` (keys to take out), ``add_aliases``,
        ``remove_aliases``, ``type``, ``ttl`` (seconds, -1 as the team says, -2 for ever). Returns
        how many cells wait because of them. Raises ``BadEdit``, ``BadPath``, ``BadFilter``,
        ``NotMirrored``, and ``OnlyUpstream`` for what is not edited from here.
        """
        from wandb_mirror.mirror.editing import edit_objects  # noqa: PLC0415  (opens the store)

        return edit_objects(self, path, filters, edits)

    def history(
        self,
        runs: str | Sequence[str],
        *,
        keys: Sequence[str] | None = None,
        needs: Needs = "any",
        samples: int | None = None,
        min_step: int | None = None,
        max_step: int | None = None,
        filters: Mapping[str, Any] | None = None,
    ) -> Histories:
        """Return the histories of a run, of several, or of a project's runs that pass ``filters``.

        Every row, or ``samples`` of each run, spread evenly; with ``keys`` rows that hold any of
        them, or all with ``needs="all"``, as W&B's client has it; from ``min_step`` on and before
        ``max_step``. Ask it for ``to_arrow()``, ``to_pandas()``, ``to_polars()`` or ``to_dicts()``.
        Raises ``BadFilter``; what is not here is said when it is read.
        """
        wanted = Wanted(keys, needs, samples, min_step, max_step)
        return Histories(self.read, runs, wanted, filters)

    def load_system(self, published: Published, run: str) -> pa.Table:
        """Return what a run's machine measured; see ``query.history``."""
        return load_system(published, parse_run(run))

    def ask_runs(
        self, published: Published, project: str, **question: Unpack[RunsOptions]
    ) -> RunsQuestion:
        """Return a question for a project's runs; see ``query.runs.ask_runs``."""
        return ask_runs(published, *parse_project(project), **question)

    def ask_sweeps(self, published: Published, project: str) -> Answer:
        """Return the sweeps of a project, each with its best run.

        Raises ``BadPath`` and ``NotMirrored``.
        """
        return published.ask(SWEEPS, list(need_project(published, project)))

    def ask_artifacts(
        self,
        published: Published,
        project: str,
        *,
        type_name: str | None = None,
        collection: str | None = None,
    ) -> Answer:
        """Return the versions in a project, of one type or collection.

        Raises ``BadPath`` and ``NotMirrored``.
        """
        return published.ask(VERSIONS, [*need_project(published, project), type_name, collection])

    def load_object(self, published: Published, path: str) -> dict[str, Any]:
        """Return one object of any kind, whole; raises ``BadPath`` and ``NotMirrored``.

        Paths are those of the command ``show``: see ``paths.WORDS``.
        """
        return load_object(published, parse_object(path))
