"""Nested values become leaves, and a leaf becomes a number, JSON text, or both.

A dict is flattened to paths; a dict with ``_type`` (media, histograms) and an empty dict are
leaves, and so is every list.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from wandb_mirror.jsontext import NON_FINITE, clean, dumps

EXACT = 2**53
"""Every integer up to here is a double; beyond, some are."""
INTERNAL_CONFIG = ("_wandb", "wandb_version")
"""Keys of a config that W&B's client keeps for itself (``WANDB_INTERNAL_KEYS`` of wandb 0.31)."""


def flatten(
    value: Mapping[str, Any], prefix: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield (path, leaf) of a nested dict."""
    for key, inner in value.items():
        if is_branch(inner):
            yield from flatten(inner, (*prefix, key))
        else:
            yield (*prefix, key), inner


def is_branch(value: Any) -> bool:
    """Tell whether a value is flattened further."""
    return type(value) is dict and bool(value) and "_type" not in value


def as_double(value: Any) -> float | None:
    """Return the nearest double of a number, W&B's spellings of NaN and infinity included."""
    if type(value) is float:
        return value
    if type(value) is int:
        try:
            return float(value)
        except OverflowError:
            return float("inf") if value > 0 else float("-inf")
    if type(value) is str:
        return NON_FINITE.get(value)
    return None


def as_leftover(value: Any, number: float | None) -> str | None:
    """Return the JSON text of what a double does not say exactly, or None where it says all."""
    if number is None:
        return dumps(value)
    if type(value) is int and not -EXACT <= value <= EXACT and _differs(value, number):
        return dumps(value)
    return None


def _differs(value: int, number: float) -> bool:
    return number in (float("inf"), float("-inf")) or int(number) != value


def as_text(value: Any, leftover: str | None) -> str | None:
    """Return a value as text: strings unquoted, null as NULL, nothing for a plain number."""
    if leftover is None or value is None:
        return None
    return clean(value) if type(value) is str else leftover


def unwrap_config(wire: Any) -> dict[str, Any]:
    """Return the user's config from ``{"lr": {"value": 0.1, "desc": null}, "_wandb": …}``."""
    if not isinstance(wire, dict):
        return {}
    return {
        key: inner["value"] if isinstance(inner, dict) and "value" in inner else inner
        for key, inner in wire.items()
        if key not in INTERNAL_CONFIG
    }
