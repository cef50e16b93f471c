"""Whether a mirror is as it should be, and its figures for Prometheus, from its status."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from wandb_mirror.mirror.report import SyncReport

FIGURES = (
    ("requests", "Requests sent to upstream by the last sync."),
    ("retries", "Requests of the last sync that were repeats."),
    ("throttled", "Requests of the last sync that upstream refused for coming too fast."),
    ("bytes_received", "Bytes received by the last sync."),
    ("rows", "Rows that the last sync found changed."),
    ("problems", "Objects that the last sync could not read."),
    ("seconds", "How long the last sync took, in seconds."),
)


def judge_health(status: Mapping[str, Any], max_age_seconds: float, now: datetime) -> str:
    """Return what is wrong with a mirror of this status; nothing where it is well.

    It is well while a complete sync ended at most ``max_age_seconds`` ago and the published file
    can be read; one that is at work for the first time is not well yet.
    """
    if status["published"] is None:
        return "nothing is published yet"
    ended = status["last_complete_sync_at"]
    if ended is None:
        return "no sync was ever complete"
    age = (now - datetime.fromisoformat(ended)).total_seconds()
    if age > max_age_seconds:
        return f"the last complete sync ended {age:.0f} s ago, more than {max_age_seconds:.0f} s"
    return ""


def write_metrics(path: Path, report: SyncReport, *, is_ok: bool, now: datetime) -> None:
    """Write the figures of a sync as Prometheus's node exporter reads them from a text file.

    The file is replaced in one piece: the exporter may read it at any time.
    """
    lines = []
    for name, about in FIGURES:
        lines += _gauge(f"wandb_mirror_last_sync_{name}", about, getattr(report, name))
    lines += _gauge("wandb_mirror_last_sync_ok", "1 where the last sync did all.", int(is_ok))
    ended = (now - datetime(1970, 1, 1)).total_seconds()  # noqa: DTZ001  (naive UTC, both)
    lines += _gauge("wandb_mirror_last_sync_ended_seconds", "When it ended, Unix time.", ended)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    beside.write_text("".join(lines), encoding="utf-8")
    beside.chmod(0o644)
    beside.replace(path)


def _gauge(name: str, about: str, value: float) -> list[str]:
    return [f"# HELP {name} {about}\n", f"# TYPE {name} gauge\n", f"{name} {value}\n"]
