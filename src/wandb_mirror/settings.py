"""Settings: flags before environment before file before defaults. Nobody else reads any of them.

``config.example.toml`` shows every setting with its default; a test holds the two equal.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import msgspec

from wandb_mirror.errors import BadSettings

DEFAULT_BASE_URL = "https://api.wandb.ai"

Positive = Annotated[int, msgspec.Meta(ge=1)]
NotNegative = Annotated[int, msgspec.Meta(ge=0)]
Seconds = Annotated[float, msgspec.Meta(gt=0)]


class _Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One table of the settings file."""


class UpstreamSettings(_Section, frozen=True):
    """How the server is spoken to."""

    base_url: str = DEFAULT_BASE_URL
    timeout_seconds: Seconds = 30.0
    workers: Annotated[int, msgspec.Meta(ge=1, le=64)] = 6
    max_retries: NotNegative = 8
    max_requests: NotNegative = 0
    max_reply_mb: Positive = 100
    ca_file: str = ""


class SyncSettings(_Section, frozen=True):
    """What is mirrored, and how often what."""

    projects: tuple[str, ...] = ()
    history: bool = True
    deep_every_hours: Annotated[float, msgspec.Meta(gt=0)] = 24.0
    publish_every_minutes: Annotated[float, msgspec.Meta(gt=0)] = 10.0
    least_free_disk_mb: NotNegative = 200


class RunsSettings(_Section, frozen=True):
    """The wide table of runs."""

    max_columns: Annotated[int, msgspec.Meta(ge=1, le=5000)] = 500
    pins: tuple[str, ...] = ()


class HistorySettings(_Section, frozen=True):
    """The wide table of history."""

    max_columns: Annotated[int, msgspec.Meta(ge=1, le=5000)] = 200
    pins: tuple[str, ...] = ()


class WarehouseSettings(_Section, frozen=True):
    """What DuckDB may use while syncing."""

    memory_limit: str = "1GB"
    threads: Positive = 2
    temp_directory: str = ""


class PublishSettings(_Section, frozen=True):
    """Where the published file goes and who may read it."""

    path: str = ""
    mode: Annotated[str, msgspec.Meta(pattern="^0?[0-7]{3}$")] = "0444"


class Settings(_Section, frozen=True):
    """Every setting, by section."""

    upstream: UpstreamSettings = UpstreamSettings()
    sync: SyncSettings = SyncSettings()
    runs: RunsSettings = RunsSettings()
    history: HistorySettings = HistorySettings()
    warehouse: WarehouseSettings = WarehouseSettings()
    publish: PublishSettings = PublishSettings()


def load_settings(
    file: Path | None, environ: Mapping[str, str], overrides: Mapping[str, object]
) -> Settings:
    """Return the settings; ``overrides`` are flags by ``section.key``.

    Raises ``BadSettings`` naming the place, what is wrong there, and what would do.
    """
    values = _read(file) if file is not None else {}
    for name, value in {**_from_environment(environ), **overrides}.items():
        section, key = name.split(".")
        values.setdefault(section, {})[key] = value
    where = f"settings file {file}" if file is not None else "settings"
    _check_names(values, where)
    try:
        return msgspec.convert(values, Settings)
    except msgspec.ValidationError as error:
        raise BadSettings(f"{where}: {_in_plain_words(error)}") from error


def _read(file: Path) -> dict[str, Any]:
    """Return what a settings file holds."""
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadSettings(f"settings file {file} cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadSettings(f"settings file {file} is not TOML: {error}") from error


def _from_environment(environ: Mapping[str, str]) -> dict[str, object]:
    """Return the settings that W&B's own variables give."""
    found: dict[str, object] = {}
    if base_url := environ.get("WANDB_BASE_URL"):
        found["upstream.base_url"] = base_url
    if text := environ.get("WANDB_HTTP_TIMEOUT"):
        try:
            found["upstream.timeout_seconds"] = float(text)
        except ValueError:
            raise BadSettings(f"WANDB_HTTP_TIMEOUT is {text!r}, not a number of seconds") from None
    return found


def _check_names(values: Mapping[str, Any], where: str) -> None:
    """Refuse a section or a key that there is not, naming the nearest that there is."""
    sections = {field.name: field.type for field in msgspec.structs.fields(Settings)}
    for section, table in values.items():
        if section not in sections:
            raise BadSettings(f"{where}: no section [{section}]{_nearest(section, sections)}")
        if not isinstance(table, Mapping):
            raise BadSettings(f"{where}: {section} is a section, write [{section}] above its keys")
        known = [field.name for field in msgspec.structs.fields(sections[section])]
        for key in table:
            if key not in known:
                raise BadSettings(f"{where}: no setting {section}.{key}{_nearest(key, known)}")


def _nearest(word: str, known: Mapping[str, Any] | list[str]) -> str:
    """Return what was probably meant, as the rest of a sentence."""
    near = difflib.get_close_matches(word, list(known), n=1)
    if near:
        return f"; did you mean {near[0]}?"
    return f"; there are {', '.join(known)}"


def _in_plain_words(error: msgspec.ValidationError) -> str:
    """Return msgspec's finding with the place as ``section.key``."""
    finding, _, place = str(error).partition(" - at `$.")
    return f"{place.rstrip('`')}: {finding[0].lower()}{finding[1:]}" if place else finding
