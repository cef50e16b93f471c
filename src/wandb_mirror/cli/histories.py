"""The history of a run, and what its machine measured."""

from __future__ import annotations

import click

from wandb_mirror.cli.complete import complete_metric, complete_run
from wandb_mirror.cli.context import Wish, pass_wish
from wandb_mirror.cli.read import format_option, json_option, output_option, write


@click.command("history")
@click.argument("runs", metavar="RUN...", nargs=-1, required=True, shell_complete=complete_run)
@click.option("--keys", help="Metrics by comma; without it, all.", shell_complete=complete_metric)
@click.option("--key", "named", multiple=True, help="One metric, whose name may have a comma.")
@click.option("--all-keys", is_flag=True, help="Only rows that hold all of --keys, as W&B has it.")
@click.option("--samples", type=click.IntRange(1), help="So many rows a run, spread evenly.")
@click.option("--min-step", type=int, help="From this step on.")
@click.option("--max-step", type=int, help="Up to, not including, this step.")
@click.option("--system", is_flag=True, help="What a run's machine measured instead.")
@format_option
@output_option
@json_option
@pass_wish
def history_command(  # noqa: PLR0913, PLR0917  (a parameter a flag)
    wish: Wish,
    runs: tuple[str, ...],
    keys: str | None,
    named: tuple[str, ...],
    samples: int | None,
    min_step: int | None,
    max_step: int | None,
    name: str,
    output: str | None,
    *,
    all_keys: bool,
    system: bool,
    as_json: bool,
) -> None:
    """Print the history of a run: a row a step, a column a metric.

    RUN is ENTITY/PROJECT/RUN; of several, or of ENTITY/PROJECT with all its runs, rows name their
    run. Rows hold any of --keys; every row is printed unless --samples asks for fewer. Values that
    are no numbers are shown as text; 'metrics' in SQL has each value exactly.
    """
    from wandb_mirror.mirror.histories import say_incomplete  # noqa: PLC0415
    from wandb_mirror.query.answer import answer_of_table  # noqa: PLC0415

    mirror = wish.open_reader()
    if system:
        if len(runs) > 1:
            raise click.UsageError("--system shows one run at a time")
        with mirror.read() as published:
            table = mirror.load_system(published, runs[0])
    else:
        chosen = [part.strip() for part in keys.split(",")] if keys else []
        table, incomplete = mirror.history(
            runs[0] if len(runs) == 1 else runs,
            keys=[*chosen, *named] or None,
            needs="all" if all_keys else "any",
            samples=samples,
            min_step=min_step,
            max_step=max_step,
        ).load()
        if incomplete:
            wish.say(say_incomplete(incomplete))
    write(answer_of_table(table), "json" if as_json else name, output)


COMMANDS = (history_command,)
