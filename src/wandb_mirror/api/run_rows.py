"""Runs as the published file has them: the light columns of a page, the heavy ones when asked for.

Heavy columns (config, summary, system metrics) of all runs of a page are read by the first run
that is asked for one of its own: going through a project is no query a run.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from wandb_mirror.api.generations import Generation, Row
from wandb_mirror.errors import NotMirrored
from wandb_mirror.jsontext import loads
from wandb_mirror.query.columns import parse

ATTRIBUTES = {
    "id": "storage_id",
    "name": "run_id",
    "displayName": "name",
    "tags": "tags",
    "sweepName": "sweep_id",
    "state": "state",
    "group": "run_group",
    "jobType": "job_type",
    "commit": "git_commit",
    "host": "host",
    "createdAt": "created_at",
    "heartbeatAt": "heartbeat_at",
    "updatedAt": "updated_at",
    "description": "description",
    "notes": "notes",
    "historyLineCount": "history_line_count",
    "computeSeconds": "compute_seconds",
    "readOnly": "read_only",
}
"""Upstream's name of a field to our column."""
HEAVY = ("config", "summary", "system_metrics")


def load_run_rows(generation: Generation, run_nos: Sequence[int]) -> list[Row]:
    """Return the light columns of some runs, in the order given."""
    if not run_nos:
        return []
    columns = ", ".join(f'r."{name}"' for name in dict.fromkeys(ATTRIBUTES.values()))
    found = generation.about(
        run_nos,
        f"SELECT r.run_no, r.username, p.project_id, p.entity, p.project, {columns}, "
        "coalesce(k.status, 'none') AS history_status, coalesce(k.last_step, -1) AS last_step "
        "FROM _data.runs r JOIN chosen c ON c.number = r.run_no "
        "JOIN _data.projects p ON p.project_no = r.project_no "
        "LEFT JOIN _data.cursors k ON k.run_no = r.run_no",
    )
    by_number = {row["run_no"]: row for row in found}
    for row in found:
        row["tags"] = None if row["tags"] is None else loads(row["tags"])
        row["user"] = (
            None
            if row["username"] is None
            else {"name": generation.user_names.get(row["username"]), "username": row["username"]}
        )
    return [by_number[run_no] for run_no in run_nos]


def attributes_of(row: Row) -> dict[str, Any]:
    """Return a row as upstream's fields; what is not mirrored is None."""
    attrs = {name: row[column] for name, column in ATTRIBUTES.items()}
    return attrs | {"user": row["user"], "projectId": row["project_id"]}


class HeavyPage:
    """The heavy columns of some runs, read once."""

    def __init__(self, generation: Generation, run_nos: Sequence[int]) -> None:
        self._generation = generation
        self._run_nos = run_nos
        self._texts: dict[int, dict[str, str | None]] | None = None

    def load(self, run_no: int, column: str) -> dict[str, Any]:
        """Return a heavy column of a run, parsed anew, real numbers for W&B's strings of them."""
        if self._texts is None:
            rows = self._generation.about(
                self._run_nos,
                f"SELECT run_no, {', '.join(HEAVY)} FROM _data.runs "
                "JOIN chosen c ON c.number = run_no",
            )
            self._texts = {row["run_no"]: row for row in rows}
        text = self._texts[run_no][column]
        found = {} if text is None else parse(text)
        return found if isinstance(found, dict) else {}


def load_history_keys(generation: Generation, run_no: int, last_step: int) -> dict[str, Any]:
    """Return what upstream calls ``historyKeys``, as far as statistics of the metrics tell.

    ``sets`` is left out: which keys were logged together is not kept.
    """
    rows = generation.rows(
        "SELECT k.name, m.count, m.others, m.last FROM _data.metric_stats m "
        "JOIN _data.keys k ON k.key_no = m.key_no WHERE m.run_no = ? ORDER BY k.key_no",
        [run_no],
    )
    keys = {}
    for row in rows:
        counts = [("number", row["count"]), ("unknown", row["others"])]
        keys[row["name"]] = {
            "typeCounts": [{"type": sort, "count": count} for sort, count in counts if count],
            "previousValue": row["last"],
        }
    return {"keys": keys, "lastStep": last_step}


def find_run_row(generation: Generation, entity: str, project: str, run_id: str) -> Row:
    """Return a run's row; raises ``NotMirrored``."""
    found = generation.one(
        "SELECT r.run_no, r.deleted_at FROM _data.runs r "
        "JOIN _data.projects p ON p.project_no = r.project_no "
        "WHERE p.entity = ? AND p.project = ? AND r.run_id = ? "
        "ORDER BY p.inaccessible_since IS NOT NULL LIMIT 1",
        [entity, project, run_id],
    )
    path = f"{entity}/{project}/{run_id}"
    if found is None:
        raise NotMirrored(
            f"Could not find run {path}: it is not in this mirror; check its id with "
            f"'wandb-mirror runs {entity}/{project}', or fetch it with "
            f"'wandb-mirror sync {entity}/{project}'"
        )
    if found["deleted_at"] is not None and not generation.include_deleted:
        raise NotMirrored(
            f"Could not find run {path}: upstream deleted it, the mirror keeps it; "
            "Api(include_deleted=True) shows it"
        )
    [row] = load_run_rows(generation, [found["run_no"]])
    return row
