"""Sweeps: a config in YAML, and the agents that run what it says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import yaml

from wandb_mirror.sandbox.objects import Project, Run, User, encode_id

SWEEP_STATES = ("PENDING", "RUNNING", "PAUSED", "FINISHED", "CANCELED")


@dataclass(slots=True, eq=False)
class Sweep:
    """A search over configs; ``sweep_id`` is what W&B calls its name."""

    project: Project
    number: int
    sweep_id: str
    config: str
    """YAML text, as somebody wrote it."""
    created_at: datetime
    display_name: str | None = None
    description: str | None = None
    state: str = "RUNNING"
    updated_at: datetime | None = None
    user: User | None = None
    expected_runs: int | None = None

    @property
    def storage_id(self) -> str:
        """The id that mutations take."""
        return encode_id("Sweep", self.number)

    @property
    def values(self) -> Mapping[str, Any]:
        """The parsed config; nothing where its YAML is broken."""
        try:
            parsed = yaml.safe_load(self.config)
        except yaml.YAMLError:
            return {}
        return parsed if isinstance(parsed, dict) else {}

    @property
    def runs(self) -> list[Run]:
        """Its runs that were not deleted."""
        return [run for run in self.project.live_runs if run.sweep_name == self.sweep_id]

    @property
    def best_loss(self) -> float | None:
        """The best last value of its metric, by the goal; None where no run has one."""
        metric = self.values.get("metric") or {}
        found = [run.summary_values.get(str(metric.get("name"))) for run in self.runs]
        numbers = [each for each in found if isinstance(each, int | float)]
        if not numbers:
            return None
        return max(numbers) if metric.get("goal") == "maximize" else min(numbers)


@dataclass(frozen=True, slots=True)
class Agent:
    """A process that runs what a sweep says; here one for each host."""

    sweep: Sweep
    host: str

    @property
    def runs(self) -> list[Run]:
        """The runs on its host."""
        return [run for run in self.sweep.runs if (run.host or "") == self.host]

    @property
    def storage_id(self) -> str:
        """The opaque id."""
        return encode_id("Agent", self.sweep.number, self.host)


def agents_of(sweep: Sweep) -> list[Agent]:
    """Return the agents of a sweep."""
    return [Agent(sweep, host) for host in sorted({run.host or "" for run in sweep.runs})]
