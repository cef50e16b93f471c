"""A world of any size from a seed: the same options give the same world, byte for byte."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from wandb_mirror.sandbox.behaviour import Behaviour
from wandb_mirror.sandbox.console import make_lines
from wandb_mirror.sandbox.curves import CurveHistory, LineCache, name_metrics
from wandb_mirror.sandbox.exports import count_exported, plan_parts
from wandb_mirror.sandbox.objects import Project, User, wrap_config
from wandb_mirror.sandbox.oddities import add_oddities
from wandb_mirror.sandbox.people import add_automations, add_reports
from wandb_mirror.sandbox.stock import add_artifacts, add_registry, add_run_files, add_sweeps
from wandb_mirror.sandbox.world import World

EPOCH = datetime(2024, 1, 1, tzinfo=UTC)
TEAM = "demo-team"
_PEOPLE = (("ada", "Ada L."), ("grace", "Grace H."), ("kurt", "Kurt G."), ("emmy", "Emmy N."))
_PROJECTS = ("mnist-baselines", "resnet-ablations", "tiny-transformer", "speech-denoise")
_ADJECTIVES = ("brisk", "calm", "deep", "eager", "fancy", "giddy", "hazy", "jolly", "lucid", "warm")
_NOUNS = ("comet", "delta", "ember", "forest", "glade", "harbor", "island", "lake", "moon", "river")
_STATES = ("finished",) * 16 + ("crashed", "failed", "killed", "running")
_TAGS = ("baseline", "best", "ablation", "paper", "debug", "to-delete")
_FIXED_CONFIG = 8
_SPAN_SECONDS = 300 * 86_400
"""The runs of a project were made within so long, however many: none in the future."""


@dataclass(frozen=True, slots=True)
class WorldOptions:
    """How large a world is."""

    projects: int = 2
    runs: int = 50
    """Runs in each project."""
    steps: int = 200
    """Rows in the history of each run; a running one has half."""
    metrics: int = 6
    wide_runs: int = 0
    """Runs of the first project, beyond ``runs``, with ``wide_metrics``."""
    wide_metrics: int = 3_000
    long_runs: int = 0
    """Runs of the first project, beyond ``runs``, with ``long_steps``."""
    long_steps: int = 200_000
    config_keys: int = 10
    seed: int = 0
    entity: str = TEAM
    samples: int = 5
    """Samples of the machine's metrics in each run that logged something."""
    log_lines: int = 12
    """Lines that half of the runs printed."""
    sweeps: int = 0
    """In each project; each takes a share of its runs."""
    datasets: int = 0
    """Sequences of datasets in each project, each of three versions that runs use."""
    models: int = 0
    """Sequences of models in each project; runs log their versions."""
    versions: int = 3
    """Versions of each model."""
    reports: int = 0
    """In each project."""
    has_run_files: bool = False
    """Give each run the files that the client of W&B uploads."""
    has_automations: bool = False
    """Give the team integrations, and automations that use them."""
    has_registry: bool = False
    """Put the teams under an organization, and link models into its registry."""
    has_sparse_metrics: bool = False
    """Log metrics that begin with ``val/`` at every tenth step only."""
    has_oddities: bool = False
    """Add the project of ``oddities.py``, whatever ``projects`` says."""
    cache_bytes: int = 256_000_000
    """How much rendered history is kept."""


def generate_world(options: WorldOptions | None = None, **changes: Any) -> World:
    """Return a world; ``changes`` are fields of ``WorldOptions``."""
    options = WorldOptions(**changes) if options is None else options
    world = World(seed=options.seed)
    for username, name in _PEOPLE:
        world.add_user(username, name=name, teams=(options.entity,))
    cache = LineCache(options.seed, limit_bytes=options.cache_bytes)
    for number in range(options.projects):
        name = _PROJECTS[number] if number < len(_PROJECTS) else f"project-{number:02d}"
        project = world.create_project(
            options.entity,
            name,
            created_at=EPOCH + timedelta(hours=number),
            description=f"Generated project {number + 1} of {options.projects}.",
            owner=world.users[number % len(world.users)],
        )
        _fill(world, project, options, cache)
        if options.has_run_files:
            add_run_files(project)
        source = Random(f"{options.seed} {number} shelf")  # noqa: S311  (not for secrets)
        add_sweeps(world, project, options.sweeps, source)
        add_reports(world, project, options.reports, source)
        add_artifacts(world, project, options.datasets, options.models, options.versions, source)
    if options.has_automations:
        add_automations(world, options.entity)
    if options.has_registry:
        add_registry(world, options.entity)
    if options.has_oddities:
        add_oddities(world, options.entity)
    world.now = max([world.now, *(_latest(project) for project in world.projects)])
    return world


def warm_up(world: World, behaviour: Behaviour | None = None) -> int:
    """Render every history now and return the bytes, so that no reader waits for it.

    What ``behaviour`` exports is written to its files, the rest to lines; lines that exceed
    ``cache_bytes`` are rendered again when they are read.
    """
    behaviour = behaviour or Behaviour()
    total = 0
    for run in (run for project in world.projects for run in project.runs.values()):
        total += sum(world.exports.write(part).size for part in plan_parts(run, behaviour))
        live = run.history.all_steps[count_exported(run, behaviour) :]
        if live:
            total += sum(map(len, run.history.lines(live[0])))
    return total


def _latest(project: Project) -> datetime:
    times = [run.updated_at for run in project.runs.values() if run.updated_at is not None]
    return max(times, default=project.created_at)


def _fill(world: World, project: Project, options: WorldOptions, cache: LineCache) -> None:
    """Add the runs of one project."""
    source = Random(f"{options.seed} {project.number}")  # noqa: S311  (not for secrets)
    created_at = project.created_at
    make = _Maker(world, project, options, cache, source)
    metrics = name_metrics(options.metrics)
    longest = max(61, min(3600, 2 * _SPAN_SECONDS // max(1, options.runs)))
    for number in range(options.runs):
        # A tenth of the runs begin in the same second as the run before: a sweep's agents.
        gap = 0 if _chance(source, 0.1) else source.randrange(60, longest)
        created_at += timedelta(seconds=gap)
        state = source.choice(_STATES)
        steps = options.steps // 2 if state == "running" else options.steps
        make.run(number, created_at, state, steps, metrics)
    if project.number == 1:
        wide = name_metrics(options.wide_metrics)
        for number in range(options.runs, options.runs + options.wide_runs):
            make.run(number, created_at, "finished", options.steps, wide)
        end = options.runs + options.wide_runs
        for number in range(end, end + options.long_runs):
            make.run(number, created_at, "finished", options.long_steps, metrics)


@dataclass(frozen=True, slots=True)
class _Maker:
    """Makes the runs of one project."""

    world: World
    project: Project
    options: WorldOptions
    cache: LineCache
    source: Random

    def run(
        self, number: int, created_at: datetime, state: str, steps: int, metrics: tuple[str, ...]
    ) -> None:
        """Add a run."""
        options, source = self.options, self.source
        history = CurveHistory(
            options.seed * 1_000_000_007 + self.project.number * 10_000_000 + number,
            steps,
            metrics,
            created_at.timestamp(),
            round(source.uniform(0.4, 3.0), 3),
            self.cache,
            is_sparse=options.has_sparse_metrics,
        )
        ended_at = created_at + timedelta(seconds=int(history.steps * history.seconds_per_step))
        adjective, noun = source.choice(_ADJECTIVES), source.choice(_NOUNS)
        run = self.world.create_run(
            self.project,
            display_name=f"{adjective}-{noun}-{number + 1}",
            state=state,
            created_at=created_at,
            heartbeat_at=ended_at,
            updated_at=ended_at,
            group=f"group-{number // 8:03d}" if _chance(source, 0.7) else None,
            **_make_details(source, self.world.users, history, options),
        )
        if options.log_lines and number % 2 == 0:
            run.console = make_lines(run.run_id, state, created_at, options.log_lines)


def _chance(source: Random, probability: float) -> bool:
    return source.random() < probability


def _make_details(
    source: Random, users: Sequence[User], history: CurveHistory, options: WorldOptions
) -> dict[str, Any]:
    """Return what people and machines add to a run."""
    system = {"system.cpu": source.randrange(100), "system.memory": source.randrange(100)}
    return {
        "user": source.choice(users),
        "config": _make_config(source, options.config_keys),
        "summary": _make_summary(history),
        "system_metrics": json.dumps(system),
        "tags": sorted(source.sample(_TAGS, source.randrange(4))),
        "notes": f"Odd after step {source.randrange(99)}." if _chance(source, 0.2) else None,
        "job_type": source.choice(("train", "train", "eval", None)),
        "commit": f"{source.getrandbits(160):040x}",
        "host": f"node-{source.randrange(8)}",
        "history": history,
        "events": _make_events(history, source, options.samples),
    }


def _make_config(source: Random, count: int) -> str:
    """Return a config in its wire form, with ``count`` keys and what the client adds."""
    values: dict[str, Any] = {
        "lr": source.choice((0.1, 0.03, 0.01, 0.003, 0.001, 3e-4)),
        "batch_size": source.choice((16, 32, 64, 128)),
        "optimizer": source.choice(("adam", "adamw", "sgd")),
        "epochs": source.choice((5, 10, 20)),
        "model": {"name": source.choice(("mlp", "resnet18", "vit")), "depth": source.randrange(24)},
        "dropout": source.choice((0.0, 0.1, 0.5)),
        "use_amp": _chance(source, 0.5),
        "seed": source.randrange(10_000),
    }
    names = list(values)[:count] + [f"option_{n:03d}" for n in range(_FIXED_CONFIG, count)]
    chosen = {name: values[name] if name in values else round(source.random(), 4) for name in names}
    wire = wrap_config(chosen)
    wire["_wandb"] = {
        "value": {"cli_version": "0.31.0", "python_version": "3.11.9", "t": {"1": []}}
    }
    return json.dumps(wire)


def _make_summary(history: CurveHistory) -> str:
    """Return the last values of a history, as a run's summary has them."""
    if not history.steps:
        return "{}"
    last = history.row(history.steps - 1, is_whole=True)
    return json.dumps({**last, "_wandb": {"runtime": int(last["_runtime"])}})


def _make_events(history: CurveHistory, source: Random, count: int) -> list[str]:
    """Return samples of the machine's own metrics, as ``wandb-core`` writes them."""
    seconds = history.steps * history.seconds_per_step / max(1, count)
    disk = source.randrange(20, 90)
    return [
        json.dumps(
            {
                "_wandb": True,
                "_timestamp": history.started + number * seconds,
                "_runtime": number * seconds,
                "system.cpu": source.randrange(1000) / 10,
                "system.memory_percent": source.randrange(1000) / 10,
                "system.disk./.usagePercent": disk + number / 100,
                "system.proc.memory.rssMB": 512.0 + number,
                "system.gpu.0.gpu": source.randrange(101),
                "system.gpu.0.temp": 40 + source.randrange(45),
            }
        )
        for number in range(count if history.steps else 0)
    ]
