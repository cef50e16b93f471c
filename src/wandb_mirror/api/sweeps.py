"""Sweeps (``wandb.apis.public.sweeps``)."""

from __future__ import annotations

import urllib.parse
from typing import Any

from wandb_mirror.api.attrs import Attrs, frame
from wandb_mirror.api.generations import Generation, Generations, Row
from wandb_mirror.api.pages import Held
from wandb_mirror.api.refusals import CONTROL, refused
from wandb_mirror.api.run import Run
from wandb_mirror.api.runs import Runs
from wandb_mirror.api.saving import Saver
from wandb_mirror.errors import NotMirrored
from wandb_mirror.query.columns import parse
from wandb_mirror.query.order import DEFAULT_ORDER
from wandb_mirror.query.row_filters import filter_rows

OWN_COLUMNS = ("createdAt", "updatedAt", "name", "sweep")
"""Bare words that W&B's client sorts by as they are; any other is a key of the summary."""
PREFIXES = ("config", "summary_metrics", "tags")
NAMES = {"id": "storage_id", "displayName": "name", "name": "sweep_id"}


class Agent(Attrs):
    """A process that ran a sweep's runs, as of the last sync."""

    def __init__(self, generations: Generations, generation: Generation, row: Row) -> None:
        super().__init__(
            {
                "id": row["agent_id"],
                "name": row["agent"],
                "host": row["host"],
                "state": row["state"],
                "totalRuns": row["total_runs"],
                "createdAt": row["created_at"],
                "heartbeatAt": row["heartbeat_at"],
            }
        )
        self._generations = generations
        self._generation = generation
        self._row = row

    def runs(self, per_page: int = 50) -> Runs:
        """Return the runs that it ran, the oldest first."""
        row = self._row
        found = self._generation.rows(
            "SELECT run_id FROM main.agent_runs "
            "WHERE entity = ? AND project = ? AND sweep_id = ? AND agent = ?",
            [row["entity"], row["project"], row["sweep_id"], row["agent"]],
        )
        return Runs(
            self._generations,
            (row["entity"], row["project"]),
            {"name": {"$in": [each["run_id"] for each in found]}},
            DEFAULT_ORDER,
            per_page,
            generation=self._generation,
        )

    def __repr__(self) -> str:
        """Return its id and state."""
        return f"<Agent {self._attrs.get('id')} ({self._attrs.get('state')})>"


class Sweep(Attrs):
    """A sweep and its runs."""

    enqueue_run = refused(CONTROL)

    def __init__(self, generations: Generations, generation: Generation, row: Row) -> None:
        super().__init__({})
        self._generations = generations
        self._take(generation, row)

    def _take(self, generation: Generation, row: Row) -> None:
        """Become what a row says."""
        self._generation = generation
        self._attrs = {
            "id": row.get("storage_id"),
            "name": row["sweep_id"],
            "displayName": row["name"],
            "state": row["state"],
            "method": row["method"],
            "description": row.get("description"),
            "bestLoss": row["best_loss"],
            "config": parse(row["config"]) if row["config"] else {},
            "runCount": row["run_count"],
            "runCountExpected": row.get("expected_runs"),
            "createdAt": row["created_at"],
            "updatedAt": row["updated_at"],
        }
        self._saver = Saver(
            self._generations,
            generation,
            "sweeps",
            "p.entity = ? AND p.project = ? AND t.sweep_id = ?",
            [row["entity"], row["project"], row["sweep_id"]],
        )
        self._saver.note(name=row["name"], description=row.get("description"))
        self._entity = row["entity"]
        self.project = row["project"]
        self.id = row["sweep_id"]
        self._runs: Runs | None = None

    @property
    def entity(self) -> str:
        """The entity that owns the project."""
        return str(self._entity)

    @property
    def username(self) -> str:
        """The entity, as W&B's client has it."""
        return self.entity

    @property
    def config(self) -> dict[str, Any]:
        """The sweep's configuration."""
        config: dict[str, Any] = self._attrs["config"]
        return config

    @property
    def name(self) -> str:
        """The name that people see: as edited, as configured, else the id."""
        return str(self._attrs["displayName"] or self.config.get("name") or self.id)

    @property
    def expected_run_count(self) -> int | None:
        """How many runs it will have, None where nothing limits them."""
        count: int | None = self._attrs["runCountExpected"]
        return count

    def agents(self) -> list[Agent]:
        """Return the agents that ran it."""
        rows = self._generation.live(
            "sweep_agents",
            "entity = ? AND project = ? AND sweep_id = ? ORDER BY created_at, agent",
            [self.entity, self.project, self.id],
        )
        return [Agent(self._generations, self._generation, row) for row in rows]

    def agent(self, agent_id: str) -> Agent:
        """Return one of them by its id or name; raises ``NotMirrored``."""
        for each in self.agents():
            if agent_id in (each.id, each.name):
                return each
        raise NotMirrored(
            f"sweep {'/'.join(self.path)} has no agent {agent_id!r} in this mirror; agents() "
            "lists those that it has"
        )

    def _ask(self, order: str, per_page: int) -> Runs:
        return Runs(
            self._generations,
            (self.entity, self.project),
            {"$and": [{"sweep": self.id}]},
            order,
            per_page,
            generation=self._generation,
        )

    @property
    def runs(self) -> Runs:
        """Its runs, the oldest first."""
        if self._runs is None:
            self._runs = self._ask(DEFAULT_ORDER, 10)
        return self._runs

    @property
    def order(self) -> str | None:
        """The order that puts the best run first, from the metric it is configured with."""
        metric = self.config.get("metric")
        if not metric:
            return None
        sign = "+" if metric.get("goal", "minimize") == "minimize" else "-"
        return format_order_key(sign + str(metric["name"]))

    def best_run(self, order: str | None = None) -> Run | None:
        """Return the best run by the summary, None where there is no run.

        By the configured metric, else by ``order`` (no sign is ``-``), else the oldest.
        ``runs.best(metric)`` looks at the whole history instead.
        """
        chosen = self.order if order is None else format_order_key(order)
        runs = self._ask(chosen or DEFAULT_ORDER, 1)
        return runs[0] if runs else None

    def load(self, force: bool = False) -> dict[str, Any]:
        """Return upstream's fields; with ``force`` as the newest generation has them."""
        if force:
            generation = self._generations.current()
            self._take(generation, find_sweep_row(generation, self.entity, self.project, self.id))
        return self._attrs

    @property
    def path(self) -> list[str]:
        """Entity, project and id, each as it stands in a URL."""
        return [urllib.parse.quote_plus(each) for each in (self.entity, self.project, self.id)]

    @property
    def url(self) -> str:
        """Where people look at it."""
        entity, project, sweep_id = self.path
        return f"{self._generation.app_url}{entity}/{project}/sweeps/{sweep_id}"

    def save(self) -> None:
        """Queue a new ``display_name`` or ``description``; 'wandb-mirror push' sends it.

        Raises ``BadEdit``.
        """
        self._saver.save({"name": self.display_name, "description": self.description})

    def to_html(self, height: int = 420, hidden: bool = False) -> str:
        """Return an iframe of the sweep's page."""
        return frame(self.url, height, hidden=hidden, name="sweep")

    def _repr_html_(self) -> str:
        return self.to_html()

    def __repr__(self) -> str:
        """Return its path and state."""
        return f"<Sweep {'/'.join(self.path)} ({self._attrs['state']})>"


class Sweeps(Held[Sweep]):
    """The sweeps of a project, the newest first."""

    def __init__(
        self,
        generations: Generations,
        path: tuple[str, str],
        per_page: int = 50,
        filters: dict[str, Any] | None = None,
    ) -> None:
        self.entity, self.project = path
        generation = generations.current()
        rows = generation.live(
            "sweeps", "entity = ? AND project = ? ORDER BY created_at DESC, sweep_id", path
        )
        found = filter_rows(rows, filters, NAMES)
        super().__init__([Sweep(generations, generation, row) for row in found], per_page)

    def __repr__(self) -> str:
        """Return whose sweeps they are."""
        return f"<Sweeps {self.entity}/{self.project}>"


def find_sweep_row(generation: Generation, entity: str, project: str, sweep_id: str) -> Row:
    """Return a sweep's row; raises ``NotMirrored``."""
    rows = generation.live(
        "sweeps", "entity = ? AND project = ? AND sweep_id = ?", [entity, project, sweep_id]
    )
    if not rows:
        raise NotMirrored(
            f"Could not find sweep {entity}/{project}/{sweep_id}: it is not in this mirror; "
            f"'wandb-mirror sync {entity}/{project}' fetches it"
        )
    return rows[0]


def format_order_key(key: str) -> str:
    """Return an order as upstream takes it, from a metric's name (``QueryGenerator``)."""
    sign, path = (key[0], key[1:]) if key[:1] in ("+", "-") else ("-", key)
    head, dot, _ = path.partition(".")
    is_known = head in PREFIXES if dot else path in OWN_COLUMNS
    return f"{sign}{path}" if is_known else f"{sign}summary_metrics.{path}"
