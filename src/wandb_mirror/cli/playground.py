"""The sandbox and the demo: a generated server, a sync, four questions with their answers."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from wandb_mirror.errors import BadSettings
from wandb_mirror.mirror.mirror import Mirror

if TYPE_CHECKING:
    from wandb_mirror.cli.context import Wish
    from wandb_mirror.sandbox import World

ENTITY = "demo-team"


@dataclass(frozen=True, slots=True)
class Size:
    """How much to generate."""

    projects: int
    runs: int
    steps: int
    metrics: int
    seed: int


@dataclass(frozen=True, slots=True)
class Question:
    """Something to ask the demo's mirror, as a person would."""

    title: str
    sql: str


QUESTIONS = (
    Question(
        "The best runs, and the learning rates they had",
        """SELECT name, "config.lr" AS learning_rate, "summary.val/accuracy" AS accuracy
FROM "{project}".runs WHERE state = 'finished'
ORDER BY accuracy DESC NULLS LAST LIMIT 5""",
    ),
    Question(
        "One metric across runs: where the loss was lowest, and when",
        """SELECT r.name, s.min AS lowest_loss, s.min_step AS at_step, s.last AS last_loss
FROM metric_stats s JOIN runs r USING (run_no)
WHERE s.project = '{name}' AND s.key = 'loss'
ORDER BY lowest_loss LIMIT 5""",
    ),
    Question(
        "The spread within groups",
        """SELECT run_group, count(*) AS runs, round(avg("summary.val/accuracy"), 4) AS mean,
  round(stddev("summary.val/accuracy"), 4) AS spread
FROM "{project}".runs GROUP BY run_group ORDER BY mean DESC NULLS LAST LIMIT 5""",
    ),
    Question(
        "Lineage, two hops: the models that were trained from each version of a dataset",
        """SELECT i.source_collection || ':' || i.version AS dataset,
  o.source_collection || ':' || o.version AS model, o.run_id AS trained_by
FROM artifact_usage i JOIN artifact_usage o USING (entity, project, run_id)
WHERE i.direction = 'input' AND i.type = 'dataset' AND o.direction = 'output' AND o.type = 'model'
  AND project = '{name}' ORDER BY ALL LIMIT 5""",
    ),
)


def make_world(size: Size) -> World:
    """Return a generated world; raises ``BadSettings`` where the extra is not installed."""
    try:
        from wandb_mirror.sandbox import generate_world  # noqa: PLC0415
    except ImportError as error:
        raise BadSettings(
            f"the sandbox needs {error.name}; install it with: pip install 'wandb-mirror[sandbox]'"
        ) from error
    return generate_world(
        projects=size.projects,
        runs=size.runs,
        steps=size.steps,
        metrics=size.metrics,
        seed=size.seed,
        entity=ENTITY,
        sweeps=2,
        datasets=1,
        models=2,
        reports=2,
        has_run_files=True,
        has_automations=True,
        has_registry=True,
    )


def serve(size: Size, *, port: int, latency_ms: float, is_older: bool = False) -> None:
    """Serve a generated world until a signal comes."""
    world = make_world(size)
    from wandb_mirror.sandbox import OLDER, Behaviour, run_server  # noqa: PLC0415

    def announce(base_url: str) -> None:
        click.echo(f"serving {base_url} until Ctrl-C; in another terminal:", err=True)
        click.echo(f"export WANDB_BASE_URL={base_url} WANDB_API_KEY={world.api_key}")
        click.echo(f"wandb-mirror sync {ENTITY}", err=True)

    behaviour = Behaviour(latency_ms=latency_ms, lacks=OLDER if is_older else frozenset())
    run_server(world, behaviour, port=port, on_ready=announce)


def demonstrate(wish: Wish, folder: Path, size: Size) -> None:
    """Mirror a generated server and ask it four things."""
    from wandb_mirror.cli.bars import make_progress  # noqa: PLC0415
    from wandb_mirror.cli.formats import write_answer  # noqa: PLC0415
    from wandb_mirror.cli.terminal import say_report  # noqa: PLC0415

    world = make_world(size)
    from wandb_mirror.sandbox import Sandbox  # noqa: PLC0415

    _clear(folder)
    with Sandbox(world) as box:
        wish.say(f"a W&B-compatible server with generated data runs at {box.base_url}")
        wish.say(f"$ wandb-mirror sync {ENTITY}")
        environ = {"WANDB_BASE_URL": box.base_url, "WANDB_API_KEY": box.api_key}
        mirror = Mirror.open(
            folder, environ=environ, progress=make_progress(is_quiet=wish.is_quiet)
        )
        report = mirror.sync([ENTITY])
        if not wish.is_quiet:
            say_report(report, mirror.published_path)
    wish.say("the server is stopped; everything below is answered by the mirror")
    with mirror.read() as published:
        [(entity, project), *_] = published.rows(
            "SELECT entity, project FROM runs GROUP BY ALL ORDER BY count(*) DESC, entity, project"
        )
        for question in QUESTIONS:
            sql = question.sql.format(project=f"{entity}/{project}", name=project)
            click.echo(f"\n{click.style(question.title, bold=True)}\n\n{sql}\n")
            write_answer(published.ask(sql), name="table", output=None)
    path = mirror.published_path.resolve()
    click.echo(
        f"\nThe DuckDB file is {path}\n"
        "Open it with any DuckDB tool, read-only:\n"
        f'  duckdb -readonly "{path}"\n'
        f"  python -c \"import duckdb; duckdb.connect('{path}', read_only=True)"
        ".sql('FROM runs LIMIT 5').show()\"\n"
        f"  wandb-mirror --mirror {folder} sql 'FROM runs LIMIT 5'\n"
        f"  wandb-mirror --mirror {folder} runs {entity}/{project} "
        """--filter '{"config.lr": {"$gte": 0.001}}'"""
    )


def _clear(folder: Path) -> None:
    """Remove the mirror of an earlier demo, and nothing else."""
    if not folder.exists() or not any(folder.iterdir()):
        return
    if not (folder / "store.sqlite").exists():
        raise BadSettings(f"{folder} is there and holds no mirror; name another with --folder")
    shutil.rmtree(folder)
