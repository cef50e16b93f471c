"""Looking at many runs at once: ``importance``; taking a project away as files: ``export``."""

from __future__ import annotations

from pathlib import Path

import click

from wandb_mirror.cli.complete import complete_project, complete_summary
from wandb_mirror.cli.context import Wish, pass_wish
from wandb_mirror.cli.read import (
    format_option,
    json_option,
    output_option,
    read_filter,
    write,
)


@click.command("importance")
@click.argument("project", metavar="ENTITY/PROJECT", shell_complete=complete_project)
@click.option(
    "--metric",
    required=True,
    help="A key of the summary, like loss.",
    shell_complete=complete_summary,
)
@click.option("--filter", "filter_text", metavar="JSON", help="W&B's filter, as MongoDB's.")
@format_option
@output_option
@json_option
@pass_wish
def importance_command(
    wish: Wish,
    project: str,
    metric: str,
    filter_text: str | None,
    name: str,
    output: str | None,
    *,
    as_json: bool,
) -> None:
    r"""Tell which parameters of the config matter for a metric.

    As W&B's parameter-importance panel: the importance that a random forest gives a parameter when
    it predicts the metric, and the linear correlation of the two. A parameter that holds text has
    a row a value: 1 where a run has it, 0 where not. Needs scikit-learn
    (pip install 'wandb-mirror[analysis]').

    \b
    wandb-mirror importance team/vision --metric loss --filter '{"state": "finished"}'
    """
    from wandb_mirror.query.answer import answer_of_table  # noqa: PLC0415
    from wandb_mirror.query.importance import load_importance  # noqa: PLC0415

    mirror = wish.open_reader()
    with mirror.read_edited() as published:
        question = mirror.ask_runs(published, project, filters=read_filter(filter_text))
        table = load_importance(question, metric, question.numbers())
    write(answer_of_table(table), "json" if as_json else name, output)


@click.command("export")
@click.argument("project", metavar="ENTITY/PROJECT", shell_complete=complete_project)
@click.argument("folder", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--format", "name", type=click.Choice(("parquet", "csv")), default="parquet", show_default=True
)
@pass_wish
def export_command(wish: Wish, project: str, folder: Path, name: str) -> None:
    """Write a project's tables as files that any tool reads.

    A folder a table, partitioned as Hive does it:
    DIR/metrics/entity=team/project=vision/data.parquet. Columns are those of docs/schema.md; 'runs'
    and 'history' are the project's own, a column a key. What an earlier export wrote is replaced.
    """
    from wandb_mirror.mirror.paths import parse_project  # noqa: PLC0415
    from wandb_mirror.query.export import export_project  # noqa: PLC0415

    entity, own = parse_project(project)
    with wish.open_reader().read() as published:
        for _, file in export_project(published, entity, own, folder, name):
            click.echo(str(file))


COMMANDS = (importance_command, export_command)
