"""Of a page of steps, the metrics that are wanted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from functools import lru_cache

from wandb_mirror.history.columns import StepColumns
from wandb_mirror.jsontext import loads


def select_metrics(content: StepColumns, globs: Sequence[str]) -> StepColumns:
    """Return a page with the metrics whose names match any of ``globs``; all without any.

    A nested metric is matched by its keys joined by dots. Every step stays.
    """
    if not globs:
        return content
    chosen = tuple(globs)
    kept = [column for column in content.columns if _is_wanted(column.path, chosen)]
    return replace(content, columns=kept)


@lru_cache(maxsize=10_000)
def _is_wanted(path: str, globs: tuple[str, ...]) -> bool:
    name = ".".join(loads(path))
    return any(fnmatchcase(name, glob) for glob in globs)
