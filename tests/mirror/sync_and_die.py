"""A sync in a process of its own that kills itself: after a commit, or before a request.

Called as ``sync_and_die.py FOLDER BASE_URL API_KEY SETTINGS WHERE NUMBER``; SETTINGS is JSON, WHERE
is ``commit``, ``request``, ``file`` for a file of a history that was fetched, or a step of
publishing: ``copied``, ``renaming`` or ``renamed``.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from wandb_mirror.mirror.mirror import Mirror
from wandb_mirror.pull.kept_files import KeptFiles
from wandb_mirror.upstream.client import Client
from wandb_mirror.warehouse import publish

TEAM = "team"


class Fuse:
    """Burns down with each call and kills the process at the end, as a power cut does."""

    def __init__(self, length: int) -> None:
        self.length = length
        self.burnt = 0

    def __call__(self, *_: object) -> None:
        self.burnt += 1
        if self.burnt == self.length:
            os.kill(os.getpid(), signal.SIGKILL)

    def before(self, call: Callable[..., Any]) -> Callable[..., Any]:
        """Return ``call`` with the fuse in front of it."""

        def burning(*arguments: Any, **options: Any) -> Any:
            self()
            return call(*arguments, **options)

        return burning

    def after(self, call: Callable[..., Any]) -> Callable[..., Any]:
        """Return ``call`` with the fuse behind it."""

        def burning(*arguments: Any, **options: Any) -> Any:
            result = call(*arguments, **options)
            self()
            return result

        return burning


def main(folder: str, base_url: str, api_key: str, overrides: str, where: str, number: str) -> None:
    """Sync once, or die."""
    fuse = Fuse(int(number))
    environ = {"WANDB_API_KEY": api_key, "WANDB_BASE_URL": base_url, "HOME": folder}
    mirror = Mirror.open(folder, environ=environ, overrides=json.loads(overrides))
    if where == "commit":
        mirror.on_commit = fuse
    elif where == "request":
        Client.execute = fuse.before(Client.execute)
    elif where == "file":
        KeptFiles._fetch = fuse.after(KeptFiles._fetch)
    elif where == "copied":
        publish.copy_file = fuse.after(publish.copy_file)
    elif where == "renaming":
        Path.replace = fuse.before(Path.replace)
    elif where == "renamed":
        Path.replace = fuse.after(Path.replace)
    mirror.sync([TEAM])


if __name__ == "__main__":
    main(*sys.argv[1:])
