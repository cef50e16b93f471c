"""Editing: ``tag``, ``untag``, ``note``, … queue edits. None of them opens a socket."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

from wandb_mirror.cli.care import confirm
from wandb_mirror.cli.complete import complete_run
from wandb_mirror.cli.context import Wish, pass_wish
from wandb_mirror.cli.read import read_filter
from wandb_mirror.cli.text import readable

if TYPE_CHECKING:
    from wandb_mirror.mirror.edits import Wish as Change

SHOWN = 10
"""Objects that a preview names."""
Command = TypeVar("Command", bound=Callable[..., Any])


def for_many(command: Command) -> Command:
    """Give a command a path, ``--filter`` for many runs, and ``--yes``."""
    for add in (
        click.option("--yes", is_flag=True, help="Do not ask."),
        click.option(
            "--filter",
            "filter_text",
            metavar="JSON",
            help="Edit all runs of the project PATH that pass W&B's filter.",
        ),
        click.argument("path", metavar="PATH", shell_complete=complete_run),
    ):
        command = add(command)
    return command


def queue(
    wish: Wish, path: str, filter_text: str | None, changes: Sequence[Change], *, yes: bool
) -> None:
    """Queue the same changes of one object, or of all that pass a filter, after a preview."""
    from wandb_mirror.mirror.edits import find_objects, make_changes  # noqa: PLC0415

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
        confirm(f"Edit {', '.join(fields)} of these {len(targets)} runs?", is_answered=yes)
    mirror.desk.queue(made)
    if made:
        noun = "object" if len(targets) == 1 else "objects"
        wish.say(
            f"queued {len(made)} edits of {len(targets)} {noun}; 'wandb-mirror diff' shows them, "
            "'wandb-mirror push' sends them"
        )
    else:
        wish.say(f"nothing to change: {len(found)} looked at")


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
    r"""Add tags to a run, or with --filter to many.

    \b
    wandb-mirror tag team/vision/3fk2 reviewed
    wandb-mirror tag team/vision --filter '{"state": "crashed"}' triage
    """
    queue(wish, path, filter_text, [("tags", tag, becomes(True)) for tag in tags], yes=yes)


@click.command("untag")
@for_many
@click.argument("tags", nargs=-1, required=True, metavar="TAG...")
@pass_wish
def untag_command(
    wish: Wish, path: str, filter_text: str | None, tags: tuple[str, ...], *, yes: bool
) -> None:
    """Take tags off a run, or with --filter off many."""
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
rename_command = _text_command("rename", "name", "NAME", "Set the name that people see.")
group_command = _text_command("group", "group", "GROUP", "Set the group a run is shown in.")
describe_command = _text_command("describe", "description", "TEXT", "Set a description.")


@click.group("config")
def config_group() -> None:
    """Set or unset keys of a run's config."""


@click.group("summary")
def summary_group() -> None:
    """Set keys of a run's summary."""


def _set_command(field: str) -> click.Command:
    @click.command("set")
    @for_many
    @click.argument("settings", nargs=-1, required=True, metavar="KEY=VALUE...")
    @pass_wish
    def command(
        wish: Wish, path: str, filter_text: str | None, settings: tuple[str, ...], *, yes: bool
    ) -> None:
        queue(wish, path, filter_text, [read_setting(field, each) for each in settings], yes=yes)

    command.help = (
        f"Set keys of a run's {field}; other keys stay as they are.\n\nA value is JSON, else "
        f"text. A dot nests, quotes keep it: model.depth=3, '\"a.b\"=3'."
    )
    return command


config_group.add_command(_set_command("config"))
summary_group.add_command(_set_command("summary"))


@config_group.command("unset")
@for_many
@click.argument("keys", nargs=-1, required=True, metavar="KEY...")
@pass_wish
def config_unset_command(
    wish: Wish, path: str, filter_text: str | None, keys: tuple[str, ...], *, yes: bool
) -> None:
    """Take keys out of a run's config."""
    from wandb_mirror.edits.values import ABSENT  # noqa: PLC0415

    changes = [_nested("config", read_key(key), ABSENT) for key in keys]
    queue(wish, path, filter_text, changes, yes=yes)


def read_setting(field: str, text: str) -> Change:
    """Return what ``key=value`` asks for; raises ``BadEdit``."""
    from wandb_mirror.errors import BadEdit  # noqa: PLC0415

    key, value = _split_setting(text)
    if value is None:
        raise BadEdit(f"{text!r}: write KEY=VALUE")
    try:
        meant = json.loads(value)
    except ValueError:
        meant = value
    return _nested(field, read_key(key), meant)


def _split_setting(text: str) -> tuple[str, str | None]:
    """Return key and value: the first = outside of quotes stands between them."""
    is_quoted = False
    for place, letter in enumerate(text):
        if letter == '"':
            is_quoted = not is_quoted
        elif letter == "=" and not is_quoted:
            return text[:place], text[place + 1 :]
    return text, None


def read_key(text: str) -> list[str]:
    """Return the parts of a key: a dot nests, quotes keep it; raises ``BadEdit``."""
    from wandb_mirror.errors import BadEdit  # noqa: PLC0415

    parts, part, is_quoted = [], "", False
    for letter in text:
        if letter == '"':
            is_quoted = not is_quoted
        elif letter == "." and not is_quoted:
            parts.append(part)
            part = ""
        else:
            part += letter
    parts.append(part)
    if is_quoted or not all(parts):
        raise BadEdit(f"key {text!r} cannot be read; write model.depth, or '\"a.b\"' with quotes")
    return parts


def _nested(field: str, parts: Sequence[str], value: Any) -> Change:
    """Return the change of a nested key as one of the top-level key that holds it."""
    from wandb_mirror.edits.values import ABSENT  # noqa: PLC0415

    def put(base: Any, path: Sequence[str]) -> Any:
        if not path:
            return value
        inner = dict(base) if isinstance(base, dict) else {}
        below = put(inner.get(path[0], ABSENT), path[1:])
        if below is ABSENT:
            inner.pop(path[0], None)
            return inner if isinstance(base, dict) else base
        return {**inner, path[0]: below}

    head, *rest = parts
    return field, head, lambda base: put(base, rest)


COMMANDS = (
    tag_command,
    untag_command,
    note_command,
    rename_command,
    group_command,
    describe_command,
    config_group,
    summary_group,
)
