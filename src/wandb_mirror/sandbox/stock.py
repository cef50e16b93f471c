"""Generated files, sweeps, datasets, models and a registry: what a team keeps beside its runs.

Each dataset is used by runs, which log versions of models; the best are linked into the registry.
So lineage has two hops, as people ask for it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta
from random import Random

from wandb_mirror.sandbox.artifacts import Content
from wandb_mirror.sandbox.objects import Project, Run
from wandb_mirror.sandbox.shelf import REGISTRY_PREFIX
from wandb_mirror.sandbox.world import World

_METHODS = ("bayes", "random", "grid")
_DATASETS = ("mnist", "imagenet-1k", "librispeech", "wikitext")
_MODELS = ("classifier", "encoder", "denoiser", "language-model")
_USES = 10
"""Runs that use one version of a dataset."""


def add_run_files(project: Project) -> None:
    """Give each run the files that the client of W&B uploads."""
    for run in project.live_runs:
        metadata = {
            "os": "Linux-6.8-x86_64-with-glibc2.39",
            "python": "CPython 3.11.9",
            "startedAt": f"{run.created_at:%Y-%m-%dT%H:%M:%S}.000000Z",
            "program": "train.py",
            "codePath": "train.py",
            "git": {"remote": "https://git.example.com/lab/train.git", "commit": run.commit},
            "host": run.host,
            "cpu_count": 16,
        }
        config = "".join(f"{key}: {json.dumps(each)}\n" for key, each in run.config_values.items())
        run.uploads |= {
            "config.yaml": config.encode(),
            "output.log": "".join(f"{line}\n" for line in run.console).encode(),
            "requirements.txt": b"numpy==2.1.0\ntorch==2.4.0\nwandb==0.31.0\n",
            "wandb-metadata.json": json.dumps(metadata, indent=2).encode(),
            "wandb-summary.json": (run.summary or "{}").encode(),
        }


def add_sweeps(world: World, project: Project, count: int, source: Random) -> None:
    """Add sweeps; each takes its share of the project's runs."""
    runs = list(project.runs.values())
    share = len(runs) // max(1, count)
    for number in range(count):
        mine = runs[number * share : (number + 1) * share]
        method = _METHODS[number % len(_METHODS)]
        created_at = mine[0].created_at if mine else project.created_at
        sweep = world.shelf.create_sweep(
            project,
            f"swp{project.number:02d}{number:03d}",
            config=_sweep_config(method, source),
            display_name=f"{method}-search-{number + 1}" if source.random() < 0.8 else None,  # noqa: PLR2004
            description=f"Search {number + 1}." if source.random() < 0.3 else None,  # noqa: PLR2004
            state=source.choice(("FINISHED", "FINISHED", "RUNNING", "CANCELED")),
            created_at=created_at,
            user=project.owner,
            expected_runs=share if method == "grid" else None,
        )
        for run in mine:
            run.sweep_name = sweep.sweep_id


def _sweep_config(method: str, source: Random) -> str:
    """Return the YAML that a person would write."""
    goal = source.choice(("minimize", "maximize"))
    metric = "loss" if goal == "minimize" else "accuracy"
    return (
        f"# searched with care\nprogram: train.py\nmethod: {method}\n"
        f"metric:\n  name: {metric}\n  goal: {goal}\n"
        "parameters:\n  lr:\n    distribution: log_uniform_values\n    min: 1e-5\n    max: 0.1\n"
        "  batch_size:\n    values: [16, 32, 64, 128]\n"
        "  model:\n    parameters:\n      depth:\n        min: 1\n        max: 24\n"
    )


def add_artifacts(
    world: World, project: Project, datasets: int, models: int, versions: int, source: Random
) -> None:
    """Add datasets, the runs that use them, and the models that these log."""
    runs = [run for run in project.runs.values() if run.state == "finished"]
    shelf = world.shelf
    trained: list[list[Run]] = []
    for number in range(datasets):
        name = f"{_DATASETS[number % len(_DATASETS)]}-{number}"
        for version in range(3):
            maker = runs[(number * 3 + version) % len(runs)] if runs else None
            made = shelf.log_artifact(
                project,
                name,
                "dataset",
                _dataset_files(version, source),
                run=maker,
                description=f"Cleaned {version + 1} times." if version else None,
                metadata={"rows": 1000 * (version + 1), "source": {"name": name, "split": "train"}},
                created_at=project.created_at + timedelta(minutes=10 * version),
                tags=["raw"] if version == 0 else [],
                aliases=["best"] if version == 1 else [],
            )
            others = [run for run in runs if run is not maker] or runs
            users = _some(others, _USES, source)
            for run in users:
                shelf.use_artifact(made, run)
            trained.insert(0, users)
    for number in range(models):
        name = f"{_MODELS[number % len(_MODELS)]}-{number}"
        # the newest version of a dataset trains the first model, the one before it the second
        pool = trained[number % len(trained)] if trained else runs
        pool = pool if len(pool) >= versions else runs
        for version, run in enumerate(_some(pool, versions, source)):
            last = version == versions - 1
            shelf.log_artifact(
                project,
                name,
                "model",
                {
                    "model.bin": source.randbytes(200 + 10 * version),
                    "config.json": json.dumps({"version": version}),
                },
                run=run,
                metadata={"accuracy": round(source.random(), 4), "epoch": version},
                created_at=run.heartbeat_at or run.created_at,
                aliases=["production"] if last and number % 2 == 0 else [],
                history_step=version * 10,
            )
    for number, run in enumerate(runs[: datasets and 5]):
        shelf.log_artifact(
            project,
            f"run-{run.run_id}-events",
            "run_table",
            {"events.table.json": json.dumps({"columns": ["step"], "data": [[number]]})},
            run=run,
            created_at=run.created_at,
        )


def _dataset_files(version: int, source: Random) -> dict[str, Content | str]:
    """Return files by path: nested, empty, a reference, names that need quoting."""
    return {
        "train/part-0.csv": source.randbytes(500),
        "train/part-1.csv": source.randbytes(100 * (version + 1)),
        "labels.json": json.dumps({"classes": ["a", "b", "ü"]}),
        "notes/read me & more.txt": f"version {version}\n",
        "empty.bin": b"",
        "raw/images": "s3://bucket/images/v" + str(version),
    }


def _some(runs: Sequence[Run], count: int, source: Random) -> list[Run]:
    """Return at most ``count`` runs, in the order they were made."""
    chosen = source.sample(range(len(runs)), min(count, len(runs)))
    return [runs[place] for place in sorted(chosen)]


def add_registry(world: World, team: str) -> None:
    """Add an organization with a registry of the team's models."""
    entity = world.add_entity(f"{team}-org")
    organization = world.shelf.create_organization(team, entity, [world.entities[team]])
    registry = world.create_project(
        organization.entity.name,
        f"{REGISTRY_PREFIX}model",
        description="Models that are served.",
        access="PRIVATE",
    )
    for project in [each for each in world.projects if each is not registry]:
        for collection in list(project.collections.values()):
            if collection.type == "model" and collection.live:
                name = f"{project.name}-{collection.name}"
                portfolio = world.shelf.create_collection(
                    registry,
                    name,
                    "model",
                    is_sequence=False,
                    description=f"The {collection.name} of {project.name}.",
                    tags=["served"],
                )
                for each in collection.live[-2:]:
                    world.shelf.link(each.artifact, portfolio)
                world.shelf.add_aliases(portfolio.live[0], ["staging"])
