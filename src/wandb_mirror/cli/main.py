"""The ``wandb-mirror`` command.

Nothing heavy is imported before a command runs: ``--help`` answers at once.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click

from wandb_mirror.cli import (
    analyse,
    care,
    edit,
    edit_keys,
    files,
    histories,
    outbox,
    read,
    sync,
    try_out,
)
from wandb_mirror.cli.context import Wish
from wandb_mirror.cli.jsonlog import log, wants_json
from wandb_mirror.errors import (
    BadEdit,
    BadPath,
    BadSettings,
    BudgetSpent,
    Interrupted,
    Locked,
    MirrorError,
    Retry,
    Skip,
    Stop,
    Unexplained,
)

EXIT_CODES: tuple[tuple[type[MirrorError], int, str], ...] = (
    (Interrupted, 130, "stopped by Ctrl-C; what was fetched is kept"),
    (BudgetSpent, 3, "the request budget is spent; the next sync goes on"),
    (Locked, 4, "another sync holds the lock"),
    (BadPath, 2, "a path or a flag cannot be read"),
    (BadEdit, 2, "an edit that upstream would not take"),
    (BadSettings, 2, "a setting or a flag cannot be used"),
    (Stop, 1, "stopped: fix what the message names"),
    (Retry, 75, "upstream unreachable or throttled after all retries"),
    (Unexplained, 75, "upstream answers an error that it does not explain"),
    (Skip, 3, "done, but for what stands in sync_errors"),
)
"""What the exit code says, most particular error first; 0 is done, 3 is done with skips."""


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="wandb-mirror")
@click.option(
    "--mirror",
    type=click.Path(file_okay=False),
    help="The mirror's folder.  [default: $WANDB_MIRROR, then ./wandb-mirror]",
)
@click.option(
    "--config",
    type=click.Path(dir_okay=False, exists=True),
    help="A settings file.  [default: config.toml in the mirror's folder]",
)
@click.option("-q", "--quiet", is_flag=True, help="Say nothing but errors on stderr.")
@click.option("-v", "--verbose", is_flag=True, help="Say more on stderr.")
@click.option(
    "--log-format",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="How stderr talks: for people, or one JSON object a line.",
)
@click.pass_context
def cli(
    context: click.Context,
    mirror: str | None,
    config: str | None,
    log_format: str,
    *,
    quiet: bool,
    verbose: bool,
) -> None:
    """A local copy of your Weights & Biases data.

    Sync a project, then query it with SQL, W&B's own filters, or any tool that opens DuckDB files.
    """
    context.obj = Wish(
        mirror, config, is_quiet=quiet, is_verbose=verbose, logs_json=log_format == "json"
    )


for command in (
    *sync.COMMANDS,
    *read.COMMANDS,
    *histories.COMMANDS,
    *analyse.COMMANDS,
    *edit.COMMANDS,
    *edit_keys.COMMANDS,
    *outbox.COMMANDS,
    *files.COMMANDS,
    *care.COMMANDS,
    *try_out.COMMANDS,
):
    if command.help:
        # click's mark before lines that stay apart is a control character, which no docstring holds
        command.help = command.help.replace("\\b\n", "\b\n")
    cli.add_command(command)


def exit_code(error: MirrorError) -> int:
    """Return the exit code for an error that ended a command."""
    return next(code for kind, code, _ in EXIT_CODES if isinstance(error, kind))


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit with the code of ``EXIT_CODES``."""
    try:
        code = cli.main(None if arguments is None else list(arguments), standalone_mode=False)
    except MirrorError as error:
        if wants_json(sys.argv[1:] if arguments is None else arguments):
            log("error", text=str(error), exit_code=exit_code(error))
        else:
            click.echo(f"wandb-mirror: {error}", err=True)
        sys.exit(exit_code(error))
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("wandb-mirror: stopped", err=True)
        sys.exit(130)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(0)
    sys.exit(code if isinstance(code, int) else 0)
