"""Reading: ``sql``, ``runs``, ``projects``, ``show``. None of them opens a socket."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from wandb_mirror.cli.complete import complete_project, complete_run
from wandb_mirror.cli.context import Wish, pass_wish

if TYPE_CHECKING:
    from wandb_mirror.query.answer import Answer

FORMATS = ("table", "json", "csv", "parquet", "markdown")
format_option = click.option(
    "--format", "name", type=click.Choice(FORMATS), default="table", show_default=True
)
output_option = click.option(
    "-o", "--output", type=click.Path(dir_okay=False), help="Write to a file."
)
json_option = click.option("--json", "as_json", is_flag=True, help="The same as --format json.")


def write(answer: Answer, name: str, output: str | None = None) -> None:
    """Write rows to stdout or a file."""
    from wandb_mirror.cli.formats import write_answer  # noqa: PLC0415

    write_answer(answer, name=name, output=output)


@click.command("sql")
@click.argument("query")
@click.option(
    "-p",
    "--param",
    "given",
    metavar="NAME=VALUE",
    multiple=True,
    help="A value for $NAME in the query: JSON, else text. Repeat it for more.",
)
@format_option
@output_option
@json_option
@pass_wish
def sql_command(
    wish: Wish,
    query: str,
    given: tuple[str, ...],
    name: str,
    output: str | None,
    *,
    as_json: bool,
) -> None:
    r"""Run SQL over the published file, read-only.

    Try 'FROM runs LIMIT 5', 'SHOW ALL TABLES', or 'DESCRIBE metrics'. Every project has a schema of
    its own: SELECT * FROM "team/vision".runs. Times are UTC.

    \b
    wandb-mirror sql 'FROM runs WHERE name = $name' -p name=eager-fox-1
    """
    parameters = dict(map(read_parameter, given))
    mirror = wish.open_reader()
    with mirror.read() as published:
        waiting = mirror.desk.lay(published, in_tables=False)
        if waiting:
            wish.say(
                f"{waiting} edits wait to be pushed; here they stand in pending_edits alone, "
                "'wandb-mirror runs' and Api show them in their places"
            )
        write(published.ask(query, parameters), "json" if as_json else name, output)


def read_parameter(text: str) -> tuple[str, Any]:
    """Return name and value of a parameter; raises ``BadSettings``."""
    from wandb_mirror.errors import BadSettings  # noqa: PLC0415

    name, sign, value = text.partition("=")
    if not sign or not name.isidentifier():
        raise BadSettings(f"--param {text!r}: write NAME=VALUE, for $NAME in the query")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


@click.command("projects")
@format_option
@json_option
@pass_wish
def projects_command(wish: Wish, name: str, *, as_json: bool) -> None:
    """List the projects that are mirrored."""
    with wish.open_reader().read() as published:
        answer = published.ask(
            "SELECT p.entity, p.project, count(r.run_id) AS runs, "
            "coalesce(sum(r.history_rows), 0)::BIGINT AS history_rows, "
            "max(r.heartbeat_at) AS last_active, "
            "p.inaccessible_since FROM projects p LEFT JOIN runs r "
            "ON r.entity = p.entity AND r.project = p.project AND r.deleted_at IS NULL "
            "GROUP BY ALL ORDER BY ALL"
        )
        write(answer, "json" if as_json else name)


@click.command("runs")
@click.argument("project", metavar="ENTITY/PROJECT", shell_complete=complete_project)
@click.option("--filter", "filter_text", metavar="JSON", help="W&B's filter, as MongoDB's.")
@click.option(
    "--order", default="+created_at", show_default=True, help="Keys by comma, each with + or -."
)
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True)
@click.option("--columns", help="Columns by comma, like name,state,config.lr,summary.loss.")
@click.option("--include-deleted", is_flag=True, help="Show runs that are gone upstream too.")
@click.option("--explain", is_flag=True, help="Print the SQL instead of running it.")
@format_option
@output_option
@json_option
@pass_wish
def runs_command(  # noqa: PLR0913, PLR0917  (a flag a parameter)
    wish: Wish,
    project: str,
    filter_text: str | None,
    order: str,
    limit: int,
    columns: str | None,
    name: str,
    output: str | None,
    *,
    include_deleted: bool,
    explain: bool,
    as_json: bool,
) -> None:
    r"""List runs of a project that pass a filter.

    \b
    wandb-mirror runs team/vision \
        --filter '{"state": "finished", "config.learning_rate": {"$gte": 0.001}}' \
        --order -summary_metrics.accuracy --limit 10
    """
    chosen = [part.strip() for part in columns.split(",")] if columns else None
    mirror = wish.open_reader()
    with mirror.read_edited() as published:
        question = mirror.ask_runs(
            published,
            project,
            filters=read_filter(filter_text),
            order=order,
            limit=limit,
            columns=chosen,
            include_deleted=include_deleted,
        )
        if explain:
            click.echo(question.explain())
            return
        write(question.ask(), "json" if as_json else name, output)


def read_filter(text: str | None) -> dict[str, Any] | None:
    """Return the filter that a flag holds; raises ``BadFilter``."""
    from wandb_mirror.errors import BadFilter  # noqa: PLC0415

    if text is None:
        return None
    try:
        value = json.loads(text)
    except RecursionError as error:
        raise BadFilter("--filter: nested too deep; write it flatter") from error
    except ValueError as error:
        raise BadFilter(
            f"--filter is not JSON ({error}); write it in single quotes: "
            """--filter '{"state": "finished"}'"""
        ) from error
    if not isinstance(value, dict):
        raise BadFilter("""--filter is not a JSON object; write it as '{"state": "finished"}'""")
    return value


@click.command("show")
@click.argument("path", metavar="PATH", shell_complete=complete_run)
@json_option
@pass_wish
def show_command(wish: Wish, path: str, *, as_json: bool) -> None:
    """Show one object of any kind, with what belongs to it.

    PATH is ENTITY/PROJECT, ENTITY/PROJECT/RUN, sweep:ENTITY/PROJECT/SWEEP,
    ENTITY/PROJECT/COLLECTION:ALIAS (with its files and its lineage),
    collection:ENTITY/PROJECT/COLLECTION, report:ENTITY/PROJECT/ID, automation:ENTITY/PROJECT/NAME,
    integration:ENTITY/NAME, registry:ORGANIZATION/NAME, team:NAME or user:NAME.
    """
    from wandb_mirror.cli.terminal import print_json, print_object  # noqa: PLC0415

    mirror = wish.open_reader()
    with mirror.read_edited() as published:
        found = mirror.load_object(published, path)
    if as_json:
        print_json(found)
    else:
        print_object(found)


@click.command("sweeps")
@click.argument("project", metavar="ENTITY/PROJECT", shell_complete=complete_project)
@format_option
@output_option
@json_option
@pass_wish
def sweeps_command(
    wish: Wish, project: str, name: str, output: str | None, *, as_json: bool
) -> None:
    """List the sweeps of a project, each with its best run by its own metric."""
    mirror = wish.open_reader()
    with mirror.read_edited() as published:
        write(mirror.ask_sweeps(published, project), "json" if as_json else name, output)


@click.command("artifacts")
@click.argument("project", metavar="ENTITY/PROJECT", shell_complete=complete_project)
@click.option("--type", "type_name", help="Versions of this type alone.")
@click.option("--collection", help="Versions of this collection alone.")
@format_option
@output_option
@json_option
@pass_wish
def artifacts_command(
    wish: Wish,
    project: str,
    type_name: str | None,
    collection: str | None,
    name: str,
    output: str | None,
    *,
    as_json: bool,
) -> None:
    """List the artifact versions of a project, the newest of each collection first."""
    mirror = wish.open_reader()
    with mirror.read_edited() as published:
        answer = mirror.ask_artifacts(
            published, project, type_name=type_name, collection=collection
        )
        write(answer, "json" if as_json else name, output)


COMMANDS = (
    sql_command,
    projects_command,
    runs_command,
    sweeps_command,
    artifacts_command,
    show_command,
)
