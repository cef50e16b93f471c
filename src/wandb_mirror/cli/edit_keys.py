"""Editing by key: ``config``, ``summary`` and ``metadata`` queue edits of one key each."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from wandb_mirror.cli.context import Wish, pass_wish
from wandb_mirror.cli.edit import for_many, queue

if TYPE_CHECKING:
    from wandb_mirror.mirror.wishes import Wish as Change


@click.group("config")
def config_group() -> None:
    """Set or unset keys of a run's config."""


@click.group("summary")
def summary_group() -> None:
    """Set keys of a run's summary."""


@click.group("metadata")
def metadata_group() -> None:
    """Set or unset keys of the metadata of a version of an artifact."""


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
        f"Set keys of {field}; other keys stay as they are.\n\nA value is JSON, else "
        f"text. A dot nests, quotes keep it: model.depth=3, '\"a.b\"=3'."
    )
    return command


config_group.add_command(_set_command("config"))
summary_group.add_command(_set_command("summary"))
metadata_group.add_command(_set_command("metadata"))


def _unset_command(field: str) -> click.Command:
    @click.command("unset", help=f"Take keys out of {field}.")
    @for_many
    @click.argument("keys", nargs=-1, required=True, metavar="KEY...")
    @pass_wish
    def command(
        wish: Wish, path: str, filter_text: str | None, keys: tuple[str, ...], *, yes: bool
    ) -> None:
        from wandb_mirror.edits.values import ABSENT  # noqa: PLC0415

        changes = [_nested(field, read_key(key), ABSENT) for key in keys]
        queue(wish, path, filter_text, changes, yes=yes)

    return command


config_group.add_command(_unset_command("config"))
metadata_group.add_command(_unset_command("metadata"))


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


COMMANDS = (config_group, summary_group, metadata_group)
