"""The outbox: ``diff``, ``push``, ``discard``, ``resolve``; and ``delete``, which asks first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from wandb_mirror.cli.care import confirm, json_option
from wandb_mirror.cli.complete import complete_run
from wandb_mirror.cli.context import Wish, pass_wish
from wandb_mirror.cli.sync import stopping_gently
from wandb_mirror.cli.text import readable

if TYPE_CHECKING:
    from wandb_mirror.edits.edit import Edit
    from wandb_mirror.push.report import PushReport

LEFTOVERS = 3
COLOURS = {"conflict": "red", "refused": "red", "done": "green"}
paths_argument = click.argument("paths", nargs=-1, metavar="[PATH]...", shell_complete=complete_run)


@click.command("diff")
@paths_argument
@json_option
@pass_wish
def diff_command(wish: Wish, paths: tuple[str, ...], *, as_json: bool) -> None:
    """Show what was edited here and is not upstream: of these paths, and below them, or all."""
    from wandb_mirror.cli.terminal import print_json  # noqa: PLC0415
    from wandb_mirror.mirror.edits import matching  # noqa: PLC0415

    mirror = wish.open_reader()
    mirror.require()
    chosen = matching(paths)
    edits = [each for each in mirror.desk.load() if chosen(each) and each.state != "done"]
    if as_json:
        print_json([_as_json(each) for each in edits])
        return
    if not edits:
        wish.say("nothing was edited that is not upstream")
    last = ""
    for each in edits:
        if each.target.path != last:
            click.echo(click.style(readable(each.target.path), bold=True))
            last = each.target.path
        _print_edit(each)


def _as_json(edit: Edit) -> dict[str, Any]:
    from wandb_mirror.edits.values import ABSENT  # noqa: PLC0415

    values = {"base": edit.base, "local": edit.local, "upstream": edit.upstream}
    return {
        "kind": edit.target.kind,
        "path": edit.target.path,
        "field": edit.field,
        "key": edit.key or None,
        **{name: value for name, value in values.items() if value is not ABSENT},
        "state": edit.state,
        "attempts": edit.attempts,
        "error": edit.error,
    }


def _print_edit(edit: Edit) -> None:
    """Print an edit: what it was in red, what it is to be in green."""
    from wandb_mirror.edits.values import ABSENT  # noqa: PLC0415
    from wandb_mirror.jsontext import dumps  # noqa: PLC0415

    mark = click.style(f"  [{edit.state}]", fg=COLOURS.get(edit.state, "yellow"))
    if isinstance(edit.base, bool) and isinstance(edit.local, bool) and edit.field != "config":
        sign, colour = ("+", "green") if edit.local else ("-", "red")
        click.echo(f"  {edit.field} {click.style(sign + readable(edit.key), fg=colour)}{mark}")
    else:
        click.echo(f"  {readable(edit.label)}{mark}")
        for sign, value, colour in (("-", edit.base, "red"), ("+", edit.local, "green")):
            if value is not ABSENT and value is not None:
                click.echo(click.style(f"    {sign} {readable(dumps(value))}", fg=colour))
    if edit.error:
        click.echo(f"    {readable(edit.error)}")


@click.command("push")
@paths_argument
@click.option("--dry-run", is_flag=True, help="Send nothing; print the mutations.")
@click.option("--force", is_flag=True, help="Also send what a running run may overwrite.")
@click.option("--again", is_flag=True, help="Try what was refused once more.")
@json_option
@pass_wish
def push_command(
    wish: Wish,
    paths: tuple[str, ...],
    *,
    dry_run: bool,
    force: bool,
    again: bool,
    as_json: bool,
) -> int:
    """Send edits upstream: those of these paths, and below them, or all.

    Each object is read fresh first; what somebody else changed too is a conflict and is left for
    'wandb-mirror resolve'. Exit code 3 where conflicts or refusals are left.
    """
    mirror = wish.open_mirror()
    with stopping_gently(mirror):
        report = mirror.push(*paths, is_dry=dry_run, is_forced=force, again=again)
    say_push(wish, report, is_dry=dry_run, as_json=as_json)
    return 0 if report.is_complete else LEFTOVERS


def say_push(wish: Wish, report: PushReport, *, is_dry: bool = False, as_json: bool) -> None:
    """Say what a push did: JSON to stdout, or a few lines to stderr."""
    from wandb_mirror.cli.terminal import print_json  # noqa: PLC0415
    from wandb_mirror.jsontext import dumps  # noqa: PLC0415

    if as_json:
        print_json(report.to_dict())
        return
    for text, variables in report.documents:
        click.echo(text)
        click.echo(dumps(dict(variables)))
    for message in report.messages:
        click.echo(readable(message), err=True)
    counts = {
        "would be sent": report.would_send,
        "pushed": report.pushed,
        "there already": report.confirmed,
        "in conflict": report.conflicts,
        "refused": report.refused,
        "waiting for their run to end": report.waiting,
        "to be tried again": report.retry_later,
        "of others overwritten in the same moment and put back": report.races,
    }
    told = ", ".join(f"{count} {word}" for word, count in counts.items() if count)
    wish.say(f"{told or 'nothing to push'}; {report.requests} requests")
    if is_dry:
        wish.say("nothing was sent: this was a dry run")


@click.command("discard")
@paths_argument
@click.option("--yes", is_flag=True, help="Do not ask.")
@pass_wish
def discard_command(wish: Wish, paths: tuple[str, ...], *, yes: bool) -> None:
    """Take edits back: those of these paths, and below them, or all. Nothing happens upstream."""
    from wandb_mirror.mirror.edits import discard_edits, matching  # noqa: PLC0415

    mirror = wish.open_mirror()
    mirror.require()
    chosen = matching(paths)
    edits = [each for each in mirror.desk.load() if chosen(each) and each.state != "done"]
    if len(edits) > 1 or not paths:
        confirm(f"Take back {len(edits)} edits?", is_answered=yes)
    wish.say(f"took back {discard_edits(mirror, chosen)} edits")


@click.command("resolve")
@paths_argument
@click.option("--ours/--theirs", "ours", default=None, help="Whose value is to stand.")
@pass_wish
def resolve_command(wish: Wish, paths: tuple[str, ...], *, ours: bool | None) -> None:
    """Settle conflicts of these paths, and below them, or all; the next push sends the outcome."""
    from wandb_mirror.mirror.edits import matching, resolve_edits  # noqa: PLC0415

    if ours is None:
        raise click.UsageError("say --ours or --theirs; 'wandb-mirror diff' shows both")
    count = resolve_edits(wish.open_mirror(), matching(paths), takes_theirs=not ours)
    wish.say(f"settled {count} conflicts; 'wandb-mirror push' sends the outcome")


@click.command("delete")
@click.argument("path", metavar="PATH", shell_complete=complete_run)
@click.argument("pattern", required=False, metavar="[PATTERN]")
@click.option(
    "--run-files", is_flag=True, help="PATH is a run: delete its files that match PATTERN."
)
@click.option("--aliases", is_flag=True, help="Delete a version of an artifact with its aliases.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@pass_wish
def delete_command(
    wish: Wish, path: str, pattern: str | None, *, run_files: bool, aliases: bool, yes: bool
) -> None:
    """Delete upstream, now: a run, artifact:ENTITY/PROJECT/NAME:v1, or files of a run.

    The mirror keeps what it has of it, marked deleted.
    """
    from wandb_mirror.mirror.deleting import delete_object, delete_run_files  # noqa: PLC0415

    if run_files != (pattern is not None):
        raise click.UsageError("write: delete --run-files ENTITY/PROJECT/RUN PATTERN")
    mirror = wish.open_mirror()
    if pattern is not None:
        confirm(f"Delete the files {pattern} of {path} upstream, for good?", is_answered=yes)
        count = delete_run_files(mirror, path, pattern)
        wish.say(f"deleted {count} files of {path} upstream; the mirror keeps what it has of them")
        return
    is_run = not path.startswith("artifact:")
    hint = "W&B can restore a run for 7 days." if is_run else "This cannot be undone."
    confirm(f"Delete {path} upstream? {hint}", is_answered=yes)
    delete_object(mirror, path, deletes_aliases=aliases)
    wish.say(f"deleted {path} upstream; the mirror keeps its copy")


COMMANDS = (diff_command, push_command, discard_command, resolve_command, delete_command)
