"""What a run is: its fields, config and summary, path and page."""

from __future__ import annotations

import copy
import json
import urllib.parse
from collections.abc import Sequence
from typing import Any

from wandb_mirror.api.attrs import Attrs, frame
from wandb_mirror.api.generations import Generation, Generations, Row
from wandb_mirror.api.run_rows import (
    HeavyPage,
    attributes_of,
    find_run_row,
    load_history_keys,
)
from wandb_mirror.api.summary import HTTPSummary
from wandb_mirror.api.users import User
from wandb_mirror.edits.catalog import editable_of
from wandb_mirror.edits.cells import Change, find_changes
from wandb_mirror.edits.edit import Target

RUNS = "runs"
LIGHT = {
    "tags": "tags",
    "notes": "notes",
    "name": "displayName",
    "group": "group",
    "job_type": "jobType",
    "description": "description",
}
"""The fields that are edited as they stand, and upstream's names of them."""
ASKED = {name: name for name in LIGHT} | {"name": "display_name"}
"""The attributes that people set them by."""
MAPS = ("config", "summary")
"""The fields that are edited key by key."""


class RunFields(Attrs):
    """A run's fields, as they were in the generation that it was read from."""

    def __init__(self, generations: Generations, generation: Generation, row: Row) -> None:
        super().__init__({})
        self._generations = generations
        self._take(generation, row, HeavyPage(generation, [row["run_no"]]))

    def _take(self, generation: Generation, row: Row, heavy: HeavyPage) -> None:
        """Become what a row says."""
        self._generation = generation
        self._run_no = int(row["run_no"])
        self._heavy = heavy
        self._last_step = int(row["last_step"])
        self.history_status: str = row["history_status"]
        self._attrs = attributes_of(row)
        self._entity = row["entity"]
        self.project = row["project"]
        self.user = None if row["user"] is None else User(row["user"])
        self._target = Target(RUNS, row["project_id"], row["run_id"], _path_of(row))
        self._seen = {name: copy.copy(self._attrs[key]) for name, key in LIGHT.items()}
        self._loaded: dict[str, dict[str, Any]] = {}
        self._summary: HTTPSummary | None = None
        self._sweep: Any = None

    def share(self, heavy: HeavyPage) -> None:
        """Read heavy columns together with the other runs of a page."""
        self._heavy = heavy

    def _column(self, name: str) -> dict[str, Any]:
        if name not in self._loaded:
            self._loaded[name] = self._heavy.load(self._run_no, name)
        return self._loaded[name]

    @property
    def entity(self) -> str:
        """The entity that owns the project."""
        return str(self._entity)

    @property
    def username(self) -> str:
        """The entity, as W&B's client has it; who started the run is ``user.username``."""
        return self.entity

    @property
    def storage_id(self) -> str:
        """The id that mutations take."""
        return str(self._attrs["id"])

    @property
    def id(self) -> str:
        """The run's id, unique within its project."""
        return str(self._attrs["name"])

    @id.setter
    def id(self, new_id: str) -> None:
        self._attrs["name"] = new_id

    @property
    def name(self) -> str | None:
        """The name that people see."""
        shown: str | None = self._attrs["displayName"]
        return shown

    @name.setter
    def name(self, new_name: str) -> None:
        self._attrs["displayName"] = new_name

    @property
    def state(self) -> str:
        """Its state in lower case: running, finished, failed, crashed, killed, …."""
        return str(self._attrs["state"])

    @property
    def config(self) -> dict[str, Any]:
        """The user's config; what is changed in it is local until ``update``."""
        return self._column("config")

    @property
    def rawconfig(self) -> dict[str, Any]:
        """The config; keys that W&B's client keeps for itself are not published."""
        return self._column("config")

    @property
    def json_config(self) -> str:
        """The config as upstream takes it, as JSON."""
        wire = {key: {"value": value, "desc": None} for key, value in self.config.items()}
        return json.dumps(wire)

    @property
    def summary_metrics(self) -> dict[str, Any]:
        """The summary as a plain dict."""
        return self._column("summary")

    @property
    def summary(self) -> HTTPSummary:
        """The summary, which also answers to dots; what is changed in it is local."""
        if self._summary is None:
            self._summary = HTTPSummary(self.summary_metrics, self)
        return self._summary

    @property
    def system_metrics(self) -> dict[str, Any]:
        """The last sample of the machine's own metrics."""
        return self._column("system_metrics")

    @property
    def history_keys(self) -> dict[str, Any]:
        """Which metrics it logged, how often, and the last number of each."""
        return load_history_keys(self._generation, self._run_no, self._last_step)

    @property
    def lastHistoryStep(self) -> int:
        """The last step that is stored, -1 where there is none."""
        return self._last_step

    @property
    def sweep_name(self) -> str | None:
        """The id of the sweep it belongs to."""
        sweep: str | None = self._attrs["sweepName"]
        return sweep

    def _place(self) -> tuple[str, str, str]:
        return self.entity, self.project, self.id

    @property
    def path(self) -> list[str]:
        """Entity, project and id, each as it stands in a URL."""
        return [urllib.parse.quote(part, safe="") for part in (self.entity, self.project, self.id)]

    @property
    def url(self) -> str:
        """Where people look at it."""
        entity, project, run_id = self.path
        return f"{self._generation.app_url}{entity}/{project}/runs/{run_id}"

    def load(self, force: bool = False) -> dict[str, Any]:
        """Return upstream's fields; with ``force`` as the newest generation has them."""
        if force:
            generation = self._generations.current()
            fresh = find_run_row(generation, self.entity, self.project, self.id)
            self._take(generation, fresh, HeavyPage(generation, [fresh["run_no"]]))
        return self._attrs

    def load_full_data(self, force: bool = False) -> dict[str, Any]:
        """Return upstream's fields with config, summary and system metrics among them."""
        heavy = {
            "config": self.config if not force else None,
            "summaryMetrics": self.summary_metrics if not force else None,
            "systemMetrics": self.system_metrics if not force else None,
        }
        if force:
            self.load(force=True)
            return self.load_full_data()
        return self._attrs | heavy | {"rawconfig": self.rawconfig}

    def update(self) -> None:
        """Queue what was edited, and nothing else; 'wandb-mirror push' sends it.

        It is seen at once by whoever reads this mirror. Raises ``BadEdit``.
        """
        self._queue([*LIGHT, *MAPS])

    def save(self) -> None:
        """Queue what was edited; see ``update``."""
        self.update()

    def _queue(self, names: Sequence[str]) -> None:
        """Queue what was edited of some fields, against what this object was read as."""
        editable = editable_of(RUNS)
        edited: dict[str, Any] = {}
        made: list[tuple[Target, Change]] = []
        for name in names:
            if name in MAPS and name not in self._loaded:
                continue
            spec = editable.field(name)
            before = self._seen[name] if name in self._seen else self._load_seen(name)
            edited[name] = self._loaded[name] if name in MAPS else getattr(self, ASKED[name])
            made += [(self._target, each) for each in find_changes(spec, before, edited[name])]
        if made:
            self._generations.desk.queue(made)
        self._seen.update(copy.deepcopy(edited))

    def _load_seen(self, name: str) -> dict[str, Any]:
        """Return a heavy field as it was read, whatever was changed in it since."""
        return self._heavy.load(self._run_no, name)

    def to_html(self, height: int = 420, hidden: bool = False) -> str:
        """Return an iframe of the run's page."""
        return frame(self.url, height, hidden=hidden, name="run")

    def _repr_html_(self) -> str:
        return self.to_html()

    def __repr__(self) -> str:
        """Return its path and state."""
        return f"<Run {'/'.join(self.path)} ({self.state})>"


def _path_of(row: Row) -> str:
    return f"{row['entity']}/{row['project']}/{row['run_id']}"
