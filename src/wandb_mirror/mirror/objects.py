"""One object of the published file, whole, as a dict."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from wandb_mirror.errors import NotMirrored
from wandb_mirror.jsontext import loads
from wandb_mirror.query.published import Published

JSON_COLUMNS = ("config", "summary", "system_metrics", "tags")


def load_project(published: Published, entity: str, project: str) -> dict[str, Any]:
    """Return a project with the counts of its runs by state; raises ``NotMirrored``."""
    found = _load_one(
        published, "SELECT * FROM projects WHERE entity = ? AND project = ?", [entity, project]
    )
    if found is None:
        raise NotMirrored(
            f"project {entity}/{project} is not in this mirror; "
            f"fetch it with 'wandb-mirror sync {entity}/{project}'"
        )
    found["runs_by_state"] = dict(
        published.rows(
            "SELECT coalesce(state, 'unknown'), count(*) FROM runs "
            "WHERE entity = ? AND project = ? AND deleted_at IS NULL GROUP BY 1 ORDER BY 1",
            [entity, project],
        )
    )
    return found


def load_run(published: Published, entity: str, project: str, run_id: str) -> dict[str, Any]:
    """Return a run with its config and summary parsed; raises ``NotMirrored``."""
    found = _load_one(
        published,
        "SELECT * EXCLUDE (run_no) FROM main.runs WHERE entity = ? AND project = ? AND run_id = ?",
        [entity, project, run_id],
    )
    if found is None:
        raise NotMirrored(
            f"run {entity}/{project}/{run_id} is not in this mirror; "
            f"'wandb-mirror runs {entity}/{project}' lists those that are"
        )
    for name in JSON_COLUMNS:
        if found[name] is not None:
            found[name] = loads(found[name])
    return found


def _load_one(published: Published, sql: str, parameters: list[str]) -> dict[str, Any] | None:
    """Return the only row of a query by column, times as ISO 8601 with Z."""
    rows = published.stream(sql, parameters).read_all().to_pylist()
    if not rows:
        return None
    return {
        name: value.isoformat() + "Z" if isinstance(value, datetime) else value
        for name, value in rows[0].items()
    }
