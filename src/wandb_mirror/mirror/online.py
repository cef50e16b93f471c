"""``Api`` that may fetch bytes: the door of the package."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from wandb_mirror.api import api
from wandb_mirror.api.contents import Fetch


class Api(api.Api):
    """Ask the mirror as you would ask W&B; ``online`` fetches bytes that are not here.

    See ``wandb_mirror.api.api.Api``.
    """

    def _fetcher(self, folder: Path) -> Fetch:
        """Return what fetches bytes into the mirror, with the key and the settings of a sync."""

        def fetch(path: str, pattern: str, is_run: bool) -> Mapping[str, str]:  # noqa: FBT001
            from wandb_mirror.mirror.mirror import Mirror  # noqa: PLC0415  (offline needs none)

            return Mirror.open(folder).download(path, pattern, is_run=is_run).problems

        return fetch
