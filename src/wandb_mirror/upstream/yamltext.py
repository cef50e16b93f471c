"""YAML that upstream holds as text, read as JSON: the configs of sweeps."""

from __future__ import annotations

from typing import Any, ClassVar

import yaml

from wandb_mirror.jsontext import dumps

MOST_YAML_VALUES = 100_000


class _Loader(yaml.SafeLoader):  # type: ignore[misc]  # it has no stubs
    """Reads YAML and leaves times the text they are."""

    yaml_implicit_resolvers: ClassVar = {
        first: [each for each in found if each[0] != "tag:yaml.org,2002:timestamp"]
        for first, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


def read_yaml(value: Any) -> str | None:
    """Return YAML as JSON text, None where it is none or too much of it.

    References may make a small text huge, so what they make is counted as it is written out.
    """
    if not isinstance(value, str):
        return dumps(value)
    try:
        return dumps(_plain(yaml.load(value, Loader=_Loader), [MOST_YAML_VALUES]))  # noqa: S506
    except (yaml.YAMLError, ValueError, RecursionError):
        return None


def _plain(value: Any, left: list[int]) -> Any:
    """Return a value of YAML as JSON has it: keys are text, times stay as they were written."""
    left[0] -= 1
    if left[0] < 0:
        raise ValueError("it holds too many values")
    if isinstance(value, dict):
        return {str(key): _plain(each, left) for key, each in value.items()}
    if isinstance(value, list | tuple | set):
        return [_plain(each, left) for each in value]
    return value if isinstance(value, str | int | float | None) else str(value)
