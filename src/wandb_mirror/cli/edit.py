"""Editing: ``tag``, ``note``, ``alias``, … queue edits. None of them opens a socket."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

from wandb_mirror.cli.care import confirm
from wandb_mirror.cli.complete import complete_run
from wandb_mirror.cli.context import Wish, pass_wish
from wandb_mirror.cli.read import read_filter
from wandb_mirror.cli.text import readable

if TYPE_CHECKING:
    from wandb_mirror.edits.cells import Change as Cell
    from wandb_mirror.edits.edit import Target
    from wandb_mirror.mirror.reader import Reader
    from wandb_mirror.mirror.wishes import Wish as Change

SHOWN = 10
"""Objects that a preview names."""
Command = TypeVar("Command", bound=Callable[..., Any])


def for_many(command: Command) -> Command:
    """Give a command a path, ``--filter`` for many objects, and ``--yes``."""
    for add in (
        click.option("--yes", is_flag=True, help="Do not ask."),
        click.option(
            "--filter",
            "filter_text",
            metavar="JSON",
            help="Edit all that pass W&B's filter: runs of the project PATH, or "
            "artifact:, collection:, report: or sweep:ENTITY/PROJECT.",
        ),
        click.argument("path", metavar="PATH", shell_complete=complete_run),
    ):
        command = add(command)
    return command


def queue(
    wish: Wish, path: str, filter_text: str | None, changes: Sequence[Change], *, yes: bool
) -> None:
    """Queue the same changes of one object, or of all that pass a filter, after a preview."""
    from wandb_mirror.mirror.wishes import find_objects, make_changes  # noqa: PLC0415

    mirror = wish.open_reader()
    fields = list(dict.fromkeys(name for name, *_ in changes))
    with mirror.read_edited() as published:
        found = find_objects(published, path, fields, read_filter(filter_text))
    made = [
        (target, change)
        for target, change in make_changes(found, changes)
        if not _is_same(change.base, change.local)
    ]
    targets = list(dict.fromkeys(target.path for target, _ in made))
    if len(targets) > 1:
        for each in targets[:SHOWN]:
            wish.say(readable(each))
        if len(targets) > SHOWN:
            wish.say(f"… and {len(targets) - SHOWN} more")
        confirm(f"Edit {', '.join(fields)} of these {len(targets)}?", is_answered=yes)
    _take_down(wish, mirror, made, f"{len(found)} looked at")


def _take_down(
    wish: Wish, mirror: Reader, made: Sequence[tuple[Target, Cell]], otherwise: str
) -> None:
    """Queue edits and say so."""
    made = [each for each in made if not _is_same(each[1].base, each[1].local)]
    mirror.desk.queue(made)
    if made:
        count = len({target for target, _ in made})
        edits = f"{len(made)} edit{'' if len(made) == 1 else 's'}"
        wish.say(
            f"queued {edits} of {count} object{'' if count == 1 else 's'}; "
            "'wandb-mirror diff' shows what waits, 'wandb-mirror push' sends it"
        )
    else:
        wish.say(f"nothing to change: {otherwise}")


def _is_same(base: Any, local: Any) -> bool:
    from wandb_mirror.edits.values import is_same  # noqa: PLC0415

    return is_same(base, local)


def becomes(value: Any) -> Callable[[Any], Any]:
    """Return what makes anything become a value."""
    return lambda _: value


@click.command("tag")
@for_many
@click.argument("tags", nargs=-1, required=True, metavar="TAG...")
@pass_wish
def tag_command(
    wish: Wish, path: str, filter_text: str | None, tags: tuple[str, ...], *, yes: bool
) -> None:
    r"""Add tags to a run, a version of an artifact or a collection; with --filter to many.

    \b
    wandb-mirror tag team/vision/3fk2 reviewed
    wandb-mirror tag team/vision --filter '{"state": "crashed"}' triage
    wandb-mirror tag artifact:team/vision/model:v3 approved
    """
    queue(wish, path, filter_text, [("tags", tag, becomes(True)) for tag in tags], yes=yes)


@click.command("untag")
@for_many
@click.argument("tags", nargs=-1, required=True, metavar="TAG...")
@pass_wish
def untag_command(
    wish: Wish, path: str, filter_text: str | None, tags: tuple[str, ...], *, yes: bool
) -> None:
    """Take tags off a run, a version or a collection; with --filter off many."""
    queue(wish, path, filter_text, [("tags", tag, becomes(False)) for tag in tags], yes=yes)


def _text_command(name: str, field: str, argument: str, about: str) -> click.Command:
    """Return a command that sets a text."""

    @click.command(name, help=f'{about} "" clears it.')
    @for_many
    @click.argument("text", metavar=argument)
    @pass_wish
    def command(wish: Wish, path: str, filter_text: str | None, text: str, *, yes: bool) -> None:
        queue(wish, path, filter_text, [(field, "", becomes(text or None))], yes=yes)

    return command


note_command = _text_command("note", "notes", "TEXT", "Set a run's notes.")
rename_command = _text_command(
    "rename", "name", "NAME", "Set the name of a run, a collection, a sweep or a report."
)
group_command = _text_command("group", "group", "GROUP", "Set the group a run is shown in.")
describe_command = _text_command(
    "describe",
    "description",
    "TEXT",
    "Set a description, of a run, a version, a collection, a report, a sweep or a project.",
)
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


@click.command("ttl")
@for_many
@click.argument("time", metavar="TIME")
@pass_wish
def ttl_command(wish: Wish, path: str, filter_text: str | None, time: str, *, yes: bool) -> None:
    r"""Set how long a version of an artifact is kept: 30d, 12h; off for ever; inherit.

    \b
    wandb-mirror ttl artifact:team/vision/model:v3 30d
    wandb-mirror ttl artifact:team/vision/model --filter '{"tags": {"$ne": "keep"}}' 7d
    """
    queue(wish, path, filter_text, [("ttl", "", becomes(_read_time(time)))], yes=yes)


def _read_time(text: str) -> int:
    """Return seconds, or what stands for ever and for what the team says."""
    from wandb_mirror.edits.checks import AS_THE_TEAM_SAYS, FOR_EVER  # noqa: PLC0415
    from wandb_mirror.errors import BadEdit  # noqa: PLC0415

    words = {"off": FOR_EVER, "inherit": AS_THE_TEAM_SAYS}
    if text in words:
        return words[text]
    if not text[:-1].isdecimal() or text[-1] not in SECONDS:
        raise BadEdit(f"{text!r} is no time; write 30d, 12h, 90m, off or inherit")
    return int(text[:-1]) * SECONDS[text[-1]]


@click.group("alias")
def alias_group() -> None:
    """Add or remove aliases of a version of an artifact."""


aliases_argument = click.argument("aliases", nargs=-1, required=True, metavar="ALIAS...")


@alias_group.command("add")
@click.argument("path", metavar="PATH", shell_complete=complete_run)
@aliases_argument
@pass_wish
def alias_add_command(wish: Wish, path: str, aliases: tuple[str, ...]) -> None:
    r"""Give aliases to a version; whichever version of its collection had them loses them.

    \b
    wandb-mirror alias add artifact:team/vision/model:v3 production
    """
    _queue_aliases(wish, path, add=aliases)


@alias_group.command("rm")
@click.argument("path", metavar="PATH", shell_complete=complete_run)
@aliases_argument
@pass_wish
def alias_rm_command(wish: Wish, path: str, aliases: tuple[str, ...]) -> None:
    """Take aliases off a version; one that another version has stays where it is."""
    _queue_aliases(wish, path, remove=aliases)


def _queue_aliases(
    wish: Wish, path: str, *, add: Sequence[str] = (), remove: Sequence[str] = ()
) -> None:
    from wandb_mirror.mirror.wishes import change_aliases  # noqa: PLC0415

    mirror = wish.open_reader()
    with mirror.read_edited() as published:
        made = change_aliases(published, path, add=add, remove=remove)
    _take_down(wish, mirror, made, path)


COMMANDS = (
    tag_command,
    untag_command,
    note_command,
    rename_command,
    group_command,
    describe_command,
    ttl_command,
    alias_group,
)
