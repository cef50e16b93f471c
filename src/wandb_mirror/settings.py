"""Settings: flags before environment before file before defaults. Nobody else reads any of them.

``config.example.toml`` shows every setting with its default; a test holds the two equal. What
``wandb login --host`` left behind says which server is meant where nothing else does.
"""

from __future__ import annotations

import configparser
import difflib
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any

import msgspec

from wandb_mirror.errors import BadSettings

DEFAULT_BASE_URL = "https://api.wandb.ai"

Positive = Annotated[int, msgspec.Meta(ge=1)]
NotNegative = Annotated[int, msgspec.Meta(ge=0)]
NotNegativeNumber = Annotated[float, msgspec.Meta(ge=0)]
Seconds = Annotated[float, msgspec.Meta(gt=0, le=86_400)]
Often = Annotated[float, msgspec.Meta(gt=0)]


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
    exclude: tuple[str, ...] = ()
    run_filter: str = ""
    redact: tuple[str, ...] = ()
    history: bool = True
    system_metrics: bool = True
    console_lines: bool = False
    deep_every_hours: Often = 24.0
    overlap_minutes: NotNegativeNumber = 15.0
    publish_every_minutes: Often = 10.0
    least_free_disk_mb: NotNegative = 200
    metrics_file: str = ""
    past_values: bool = False


class RunsSettings(_Section, frozen=True):
    """The wide table of runs."""

    max_columns: Annotated[int, msgspec.Meta(ge=1, le=5000)] = 500
    pins: tuple[str, ...] = ()


class HistorySettings(_Section, frozen=True):
    """Where histories are read from, and their wide table."""

    exports: bool = True
    exports_from: Positive = 500
    metrics: tuple[str, ...] = ()
    skip_projects: tuple[str, ...] = ()
    max_columns: Annotated[int, msgspec.Meta(ge=1, le=5000)] = 200
    pins: tuple[str, ...] = ()


class ArtifactsSettings(_Section, frozen=True):
    """Which artifacts are mirrored: those that machines make are many and of little use."""

    skip_types: tuple[str, ...] = ("wandb-history", "run_table", "job", "code")


class FilesSettings(_Section, frozen=True):
    """Whose bytes ``download`` fetches where nothing is named."""

    types: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ("latest",)
    patterns: tuple[str, ...] = ("*",)
    run_files: tuple[str, ...] = ()
    max_file_mb: Positive = 1024
    reference_schemes: tuple[str, ...] = ("https",)


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
    artifacts: ArtifactsSettings = ArtifactsSettings()
    files: FilesSettings = FilesSettings()
    warehouse: WarehouseSettings = WarehouseSettings()
    publish: PublishSettings = PublishSettings()


def load_settings(
    file: Path | None, environ: Mapping[str, str], overrides: Mapping[str, object]
) -> Settings:
    """Return the settings; ``overrides`` are flags by ``section.key``.

    Raises ``BadSettings`` naming the place, what was found there, and what would do.
    """
    values: dict[str, dict[str, object]] = {}
    sources: dict[str, str] = {}
    for source, layer in _layers(file, environ, overrides):
        _check_names(layer, source)
        for section, table in layer.items():
            values.setdefault(section, {}).update(table)
            sources.update({f"{section}.{key}": source for key in table})
    try:
        return msgspec.convert(values, Settings)
    except msgspec.ValidationError as error:
        raise BadSettings(_in_plain_words(error, values, sources)) from error


def read_wandb_settings(environ: Mapping[str, str], home: Path) -> dict[str, str]:
    """Return what W&B's own settings file says, nothing where there is none."""
    folder = environ.get("WANDB_CONFIG_DIR")
    path = (expand_home(folder, home) if folder else home / ".config" / "wandb") / "settings"
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read_string(path.read_text(encoding="utf-8"))
    except OSError:
        return {}
    except (configparser.Error, UnicodeDecodeError):
        # The parser quotes the line it cannot read, which may be the key: no cause is kept.
        raise BadSettings(f"the wandb settings file {path} cannot be read; mend it") from None
    return dict(parser["default"]) if parser.has_section("default") else {}


def expand_home(path: str, home: Path) -> Path:
    """Return a path with ``~`` at its beginning replaced."""
    return home / path[2:] if path.startswith("~/") else Path(path)


def _layers(
    file: Path | None, environ: Mapping[str, str], overrides: Mapping[str, object]
) -> Iterable[tuple[str, dict[str, Any]]]:
    """Yield where settings come from and what is there, later ones before earlier ones."""
    if (home := environ.get("HOME")) or environ.get("WANDB_CONFIG_DIR"):
        base_url = read_wandb_settings(environ, Path(home or "/")).get("base_url")
        if base_url:
            yield "the wandb settings file", {"upstream": {"base_url": base_url}}
    if file is not None:
        yield f"settings file {file}", _read(file)
    if base_url := environ.get("WANDB_BASE_URL"):
        yield "WANDB_BASE_URL", {"upstream": {"base_url": base_url}}
    if text := environ.get("WANDB_HTTP_TIMEOUT"):
        try:
            seconds = float(text)
        except ValueError:
            raise BadSettings(f"WANDB_HTTP_TIMEOUT is {text!r}, not a number of seconds") from None
        yield "WANDB_HTTP_TIMEOUT", {"upstream": {"timeout_seconds": seconds}}
    for name, value in overrides.items():
        section, _, key = name.partition(".")
        yield "a flag or an argument", {section: {key: value}}


def _read(file: Path) -> dict[str, Any]:
    """Return what a settings file holds."""
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadSettings(f"settings file {file} cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadSettings(f"settings file {file} is not TOML: {error}") from error


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


def _in_plain_words(
    error: msgspec.ValidationError,
    values: Mapping[str, Mapping[str, object]],
    sources: Mapping[str, str],
) -> str:
    """Return msgspec's finding with the setting, what was found, and where it was said."""
    finding, _, place = str(error).partition(" - at `$.")
    name = place.rstrip("`").partition("[")[0]
    section, _, key = name.partition(".")
    found = values[section][key]
    return f"{sources[name]}: {name} is {found!r}: {finding[0].lower()}{finding[1:]}"
