"""What every command is handed: where the mirror is, and how to talk."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from wandb_mirror.mirror.mirror import Mirror
    from wandb_mirror.mirror.reader import Reader


@dataclass(frozen=True, slots=True)
class Wish:
    """The flags before the command's name."""

    folder: str | None
    config: str | None
    is_quiet: bool = False
    is_verbose: bool = False
    logs_json: bool = False

    def open_mirror(self, overrides: Mapping[str, object] | None = None) -> Mirror:
        """Return the mirror that the flags and the environment name."""
        from wandb_mirror.cli.bars import make_progress  # noqa: PLC0415
        from wandb_mirror.cli.jsonlog import JsonProgress  # noqa: PLC0415
        from wandb_mirror.mirror.mirror import Mirror  # noqa: PLC0415

        return Mirror.open(
            self.folder,
            config=self.config,
            overrides=overrides,
            environ=os.environ,
            progress=JsonProgress() if self.logs_json else make_progress(is_quiet=self.is_quiet),
        )

    def open_reader(self) -> Reader:
        """Return the mirror for reading alone: nothing that pulls or writes is imported."""
        from wandb_mirror.mirror.reader import Reader  # noqa: PLC0415
        from wandb_mirror.query.place import find_mirror  # noqa: PLC0415

        return Reader(*find_mirror(self.folder, self.config, None, os.environ))

    def say(self, text: str) -> None:
        """Talk to people, on stderr, unless they asked for quiet."""
        if not self.is_quiet:
            click.echo(text, err=True)


pass_wish = click.make_pass_decorator(Wish)


def is_at_terminal() -> bool:
    """Tell whether a person reads stderr."""
    return sys.stderr.isatty()
