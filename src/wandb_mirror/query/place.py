"""Where a mirror is: its folder, its settings, its published file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from wandb_mirror.errors import BadSettings
from wandb_mirror.settings import Settings, load_settings

PUBLISHED_NAME = "wandb.duckdb"
BLOBS_NAME = "blobs"
STORE_NAME = "store.sqlite"
SETTINGS_NAME = "config.toml"
DEFAULT_FOLDER = "wandb-mirror"


def find_mirror(
    folder: str | Path | None,
    config: str | Path | None,
    overrides: Mapping[str, object] | None,
    environ: Mapping[str, str],
) -> tuple[Path, Settings]:
    """Return a mirror's folder and its settings; see ``Mirror.open``."""
    place = Path(folder or environ.get("WANDB_MIRROR") or DEFAULT_FOLDER).expanduser()
    if "?" in str(place.absolute()):
        raise BadSettings(
            f"no mirror can lie in {place}: DuckDB loses its log at a question mark in a path; "
            "name another folder"
        )
    file = Path(config) if config is not None else place / SETTINGS_NAME
    named = file if config is not None or file.exists() else None
    return place, load_settings(named, environ, overrides or {})


def locate_published(folder: Path, settings: Settings) -> Path:
    """Return where the DuckDB file is that readers open."""
    return Path(settings.publish.path or folder / PUBLISHED_NAME).expanduser()
