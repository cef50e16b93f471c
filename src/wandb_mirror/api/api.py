"""``Api``: the door (``wandb.apis.public.api.Api`` of wandb 0.31)."""

from __future__ import annotations

import os
import urllib.parse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from wandb_mirror.api.catalog import Catalog
from wandb_mirror.api.contents import Fetch, Shelf
from wandb_mirror.api.generations import Generation, Generations
from wandb_mirror.api.makers import MAKERS
from wandb_mirror.api.paths import parse_object_path, parse_project_path
from wandb_mirror.api.projects import Project, Projects
from wandb_mirror.api.refusals import (
    ACCOUNTS,
    EDITS,
    LAUNCH,
    LOGGING,
    UPLOADS,
    refused,
)
from wandb_mirror.api.reports import BetaReport, Reports
from wandb_mirror.api.run import Run
from wandb_mirror.api.runs import Runs
from wandb_mirror.api.sweeps import Sweep
from wandb_mirror.api.users import User, load_viewer
from wandb_mirror.blobs.blobs import Blobs
from wandb_mirror.desk.desk import Desk
from wandb_mirror.errors import BadFilter, BadPath, NotMirrored, OnlyUpstream
from wandb_mirror.query.order import DEFAULT_ORDER
from wandb_mirror.query.place import BLOBS_NAME, STORE_NAME, find_mirror, locate_published

PROJECT_PARTS, RUN_PARTS, LONGEST = 2, 3, 4
SETTINGS = {
    "entity": "WANDB_ENTITY",
    "project": "WANDB_PROJECT",
    "organization": "WANDB_ORGANIZATION",
}
"""Defaults for paths, and the variables of the environment that set them."""


class Api(Catalog):
    """Ask the mirror as you would ask W&B.

    from wandb_mirror import Api

    for run in Api().runs("team/project", {"config.lr": {"$gte": 0.001}}):
        print(run.name, run.summary.get("accuracy"))

    ``mirror`` is a folder; without it ``$WANDB_MIRROR``, then ``./wandb-mirror``. ``overrides``
    sets ``entity``, ``project`` and ``organization`` for paths that lack them. ``timeout`` and
    ``api_key`` are taken and not used: nothing is sent anywhere, but where ``online`` asks for it:
    then bytes that are not here are fetched when they are asked for. ``include_deleted`` shows what
    upstream deleted. Raises ``NotMirrored`` where nothing was published yet.
    """

    create_run = refused(LOGGING)
    create_project = refused(EDITS)
    create_registry = refused(EDITS)
    create_automation = refused(EDITS)
    update_automation = refused(EDITS)
    delete_automation = refused(EDITS)
    create_team = refused(ACCOUNTS)
    create_user = refused(ACCOUNTS)
    create_custom_chart = refused(UPLOADS)
    sync_tensorboard = refused(LOGGING)
    job = refused(LAUNCH)
    list_jobs = refused(LAUNCH)
    run_queue = refused(LAUNCH)
    create_run_queue = refused(LAUNCH)
    upsert_run_queue = refused(LAUNCH)
    queued_run = refused(LAUNCH)

    def __init__(
        self,
        overrides: Mapping[str, Any] | None = None,
        timeout: int | None = None,
        api_key: str | None = None,
        *,
        mirror: str | Path | None = None,
        online: bool = False,
        include_deleted: bool = False,
    ) -> None:
        del timeout, api_key
        folder, settings = find_mirror(mirror, None, None, os.environ)
        self.settings: dict[str, Any] = {
            "base_url": settings.upstream.base_url,
            **{name: os.environ.get(variable) or None for name, variable in SETTINGS.items()},
            **(overrides or {}),
        }
        self.api_key = None
        self._generations = Generations(
            locate_published(folder, settings),
            include_deleted=include_deleted,
            desk=Desk(folder / STORE_NAME),
            shelf=Shelf(
                Blobs(folder / BLOBS_NAME), os.environ, self._fetcher(folder) if online else None
            ),
            makers=MAKERS,
        )
        self._generations.current()
        self._kept: dict[tuple[Any, ...], Any] = {}
        self._kept_of: Generation | None = None

    def _fetcher(self, folder: Path) -> Fetch:
        """Return what fetches bytes; this half of the package speaks with nobody."""
        del folder
        raise OnlyUpstream("Api(online=True): import Api from wandb_mirror to fetch bytes")

    @property
    def user_agent(self) -> str:
        """What the mirror is called; it is sent nowhere."""
        return "wandb-mirror"

    @property
    def default_entity(self) -> str | None:
        """The entity of paths that name none: the settings', else the viewer's."""
        viewer = self.viewer
        return None if viewer is None else viewer._attrs["entity"]

    @property
    def viewer(self) -> User | None:
        """The user whose key the mirror was synced with."""
        return load_viewer(self._generations.current())

    def _entity(self) -> str | None:
        return self.settings["entity"] or self.default_entity

    def _need_entity(self, entity: str | None) -> str:
        """Return the entity that is meant; raises ``BadPath`` where nothing says it."""
        found = entity or self._entity()
        if not found:
            raise BadPath("entity must be passed as a parameter, or set in settings")
        return found

    def flush(self) -> None:
        """Forget what was read: whatever is asked next is of the newest generation."""
        self._kept.clear()

    def _keep(self, key: tuple[Any, ...], make: Any) -> Any:
        """Return what was made for a key in the newest generation, made now where nothing was."""
        generation = self._generations.current()
        if self._kept_of is not generation:
            self._kept.clear()  # an older generation would stay on the disk as long as it is held
            self._kept_of = generation
        if key not in self._kept:
            self._kept[key] = make()
        return self._kept[key]

    def _make(self, sort: str, *path: str) -> Any:
        return self._generations.make(sort, self._generations.current(), *path)

    def _project_path(self, path: str | None) -> tuple[str, str]:
        return parse_project_path(path, self._entity, self.settings["project"])

    def runs(
        self,
        path: str | None = None,
        filters: Mapping[str, Any] | None = None,
        order: str = DEFAULT_ORDER,
        per_page: int = 50,
        include_sweeps: bool = False,
        lazy: bool = True,
    ) -> Runs:
        """Return the runs of a project that pass a filter; nothing is read before it is needed.

        Filters are W&B's (docs/filters.md). Orders are keys by comma, each with + or -. The same
        question gives the same list until ``flush()`` or a newer publication. Raises ``BadPath``.
        """
        place = self._project_path(path)
        try:
            question = (repr(filters), order if isinstance(order, str) else repr(order))
        except RecursionError as error:
            raise BadFilter("filter: nested too deep; write it flatter") from error
        runs: Runs = self._keep(
            ("runs", place, *question),
            lambda: Runs(
                self._generations,
                place,
                filters,
                order,
                per_page,
                include_sweeps=include_sweeps,
                lazy=lazy,
            ),
        )
        return runs

    def run(self, path: str = "") -> Run:
        """Return one run; raises ``BadPath`` and ``NotMirrored``.

        The same path gives the same object until ``flush()`` or a newer publication.
        """
        place = parse_object_path(path, self._entity, self.settings["project"])
        run: Run = self._keep(("run", place), lambda: self._make("run", *place))
        return run

    def projects(self, entity: str | None = None, per_page: int = 200) -> Projects:
        """Return the projects of an entity that are mirrored; raises ``BadPath``."""
        name = self._need_entity(entity)
        projects: Projects = self._keep(
            ("projects", name), lambda: Projects(self._generations, name, per_page)
        )
        return projects

    def project(self, name: str, entity: str | None = None) -> Project:
        """Return a project, of which nothing is read yet; raises ``BadPath``."""
        return Project(self._generations, self._need_entity(entity), name)

    def sweep(self, path: str = "") -> Sweep:
        """Return one sweep; raises ``BadPath`` and ``NotMirrored``."""
        place = parse_object_path(path, self._entity, self.settings["project"])
        sweep: Sweep = self._keep(("sweep", place), lambda: self._make("sweep", *place))
        return sweep

    def reports(self, path: str = "", name: str | None = None, per_page: int = 50) -> Reports:
        """Return the reports of a project, or those of one name; raises ``BadPath``."""
        place = self._project_path(path)
        wanted = None if name is None else urllib.parse.unquote(name)
        reports: Reports = self._keep(
            ("reports", place, wanted),
            lambda: Reports(self._generations, place, wanted, per_page),
        )
        return reports

    def from_path(self, path: str) -> Project | Run | Sweep | BetaReport:
        """Return what a path means: a project, run, sweep or report.

        ``project``, ``entity/project``, ``entity/project/run``, ``…/runs/run``, ``…/sweeps/sweep``,
        ``…/reports/title--id``. Raises ``BadPath`` and ``NotMirrored``.
        """
        parts = path.strip("/ ").split("/")
        if len(parts) == 1 and parts[0]:
            return self.project(parts[0])
        if len(parts) == PROJECT_PARTS:
            return self.project(parts[1], parts[0])
        if len(parts) == RUN_PARTS:
            return self.run(path)
        if len(parts) == LONGEST and parts[2].startswith("run"):
            return self.run("/".join([*parts[:2], parts[3]]))
        if len(parts) == LONGEST and parts[2].startswith("sweep"):
            return self.sweep("/".join([*parts[:2], parts[3]]))
        if len(parts) == LONGEST and parts[2].startswith("report"):
            own = parts[3].rpartition("--")[2].replace("=", "")
            for report in self.reports("/".join(parts[:2])):
                if report.id.replace("=", "") == own:
                    return report
            raise NotMirrored(f"Could not find report {path}: it is not in this mirror")
        raise BadPath(
            f"Invalid path: {path!r}, should be TEAM/PROJECT/TYPE/ID where TYPE is runs, sweeps, "
            "or reports"
        )
