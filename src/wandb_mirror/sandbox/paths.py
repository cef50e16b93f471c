"""What a filter or an order means by a key, for one run.

The keys, spellings and traps are those that are known of W&B's server: snake and camel case,
``config.x`` with or without ``.value``, keys that contain a dot are never found, ``name`` is the
run's id and ``displayName`` its name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from wandb_mirror.sandbox.objects import Run

MISSING: Final = object()
"""What a key means for a run that lacks it."""
Get = Callable[[Run], Any]

_COLUMNS: dict[str, Get] = {
    "name": lambda run: run.run_id,
    "displayName": lambda run: run.display_name,
    "state": lambda run: run.state,
    "group": lambda run: run.group,
    "jobType": lambda run: run.job_type,
    "host": lambda run: run.host,
    "commit": lambda run: run.commit,
    "notes": lambda run: run.notes,
    "description": lambda run: run.description,
    "username": lambda run: run.user.username if run.user else None,
    "sweep": lambda run: run.sweep_name,
    "tags": lambda run: run.tags,
    "duration": lambda run: run.compute_seconds,
    "createdAt": lambda run: run.created_at,
    "heartbeatAt": lambda run: run.heartbeat_at,
    "updatedAt": lambda run: run.updated_at,
    "entity": lambda run: run.project.entity,
    "project": lambda run: run.project.name,
}
TIMES: Final = frozenset({"createdAt", "heartbeatAt", "updatedAt"})
_SNAKE: Final = {
    "display_name": "displayName",
    "job_type": "jobType",
    "created_at": "createdAt",
    "heartbeat_at": "heartbeatAt",
    "updated_at": "updatedAt",
    "user": "username",
}


def column_of(key: str) -> str:
    """Return the camel case spelling of a run column."""
    return _SNAKE.get(key, key)


def find_getter(key: str) -> Get:
    """Return how to read ``key`` from a run; an unknown key is missing everywhere."""
    column = column_of(key)
    if column in _COLUMNS:
        return _COLUMNS[column]
    head, _, rest = key.partition(".")
    if head == "config" and rest:
        parts = rest.split(".")
        return lambda run: _config_value(run.config_values, parts)
    if head in ("summary_metrics", "summaryMetrics") and rest:
        parts = rest.split(".")
        return lambda run: walk(run.summary_values, parts)
    if head == "tags" and rest:
        return lambda run: rest in (run.tags or ())
    if key.startswith("keys_info.keys."):
        metric = key.removeprefix("keys_info.keys.")
        return lambda run: run.history.keys().get(metric, MISSING)
    return lambda _run: MISSING


def _config_value(config: Mapping[str, Any], parts: Sequence[str]) -> Any:
    """Return a config value; ``value``, the wrapper of the wire form, may be named or not."""
    entry = config.get(parts[0], MISSING)
    rest = parts[1:]
    if isinstance(entry, dict) and "value" in entry:
        entry = entry["value"]
        if rest and rest[0] == "value":
            rest = rest[1:]
    return walk(entry, rest)


def walk(value: Any, parts: Sequence[str]) -> Any:
    """Return what lies at the end of a path; lists are gone through as MongoDB does."""
    for place, part in enumerate(parts):
        if isinstance(value, Mapping):
            value = value.get(part, MISSING)
        elif isinstance(value, list) and part.isdigit():
            value = value[int(part)] if int(part) < len(value) else MISSING
        elif isinstance(value, list):
            inner = [walk(each, parts[place:]) for each in value if isinstance(each, Mapping)]
            found = [each for each in inner if each is not MISSING]
            return found or MISSING
        else:
            return MISSING
    return value


def is_time(value: Any) -> bool:
    """Tell whether a value is a time, which only times compare with."""
    return isinstance(value, datetime)
