"""One object of the published file, whole, as a dict."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from wandb_mirror.errors import NotMirrored
from wandb_mirror.jsontext import loads
from wandb_mirror.mirror.lineage import load_lineage, load_usage
from wandb_mirror.mirror.paths import ObjectPath, parse_project
from wandb_mirror.query.published import Published

JSON_COLUMNS = (
    "config", "summary", "system_metrics", "tags", "metadata", "spec", "event", "action", "scope",
)  # fmt: skip
QUESTIONS: dict[str, tuple[str, str]] = {
    "project": ("SELECT * FROM projects WHERE entity = ? AND project = ?", "sync"),
    "run": (
        "SELECT * EXCLUDE (run_no) FROM main.runs WHERE entity = ? AND project = ? AND run_id = ?",
        "runs",
    ),
    "sweep": ("SELECT * FROM sweeps WHERE entity = ? AND project = ? AND sweep_id = ?", "sweeps"),
    "artifact": (
        (
            "SELECT a.* FROM artifacts a LEFT JOIN artifact_aliases l ON l.entity = a.entity "
            "AND l.project = a.project AND l.collection = a.collection AND l.version = a.version "
            "AND l.alias = $4 WHERE a.entity = $1 AND a.project = $2 AND a.collection = $3 "
            "AND (a.version = $4 OR l.alias = $4) AND a.deleted_at IS NULL"
        ),
        "artifacts",
    ),
    "collection": (
        "SELECT * FROM artifact_collections WHERE entity = ? AND project = ? AND collection = ?",
        "artifacts",
    ),
    "report": (
        "SELECT * FROM reports WHERE entity = $1 AND project = $2 AND $3 IN (report_id, title)",
        "",
    ),
    "automation": (
        (
            "SELECT * FROM automations "
            "WHERE entity = $1 AND coalesce(project, '') = $2 AND $3 IN (id, name)"
        ),
        "",
    ),
    "integration": ("SELECT * FROM integrations WHERE entity = $1 AND $2 IN (id, name)", ""),
    "registry": (
        "SELECT * FROM registries WHERE $1 IN (organization, entity) AND registry = $2",
        "",
    ),
    "team": ("SELECT * FROM teams WHERE team = ?", ""),
    "user": ("SELECT * FROM users WHERE $1 IN (username, email)", ""),
}
"""By the word before a path: how the object is found, and the command that lists its like."""


def load_object(published: Published, path: ObjectPath) -> dict[str, Any]:
    """Return an object with its JSON parsed and what belongs to it; raises ``NotMirrored``."""
    found = _need(published, path)
    for name in JSON_COLUMNS:
        if found.get(name) is not None:
            found[name] = loads(found[name])
    return {**found, **_load_parts(published, path, found)}


def need_project(published: Published, project: str) -> tuple[str, str]:
    """Return entity and project of a path; raises ``BadPath`` and ``NotMirrored``."""
    parts = parse_project(project)
    _need(published, ObjectPath("project", parts))
    return parts


def _need(published: Published, path: ObjectPath) -> dict[str, Any]:
    """Return an object's own columns; raises ``NotMirrored``."""
    question, command = QUESTIONS[path.kind]
    found = _load_one(published, question, path.parts)
    if found is None:
        place = "/".join(path.parts[:2])
        hint = {
            "": "'wandb-mirror sql' lists what there is",
            "sync": f"fetch it with 'wandb-mirror sync {place}'",
        }.get(command, f"'wandb-mirror {command} {place}' lists those that are")
        raise NotMirrored(f"{path.kind} {path} is not in this mirror; {hint}")
    return found


PAIRS: dict[str, dict[str, str]] = {
    "project": {
        "runs_by_state": """
        SELECT coalesce(state, 'unknown'), count(*) FROM runs
        WHERE entity = ? AND project = ? AND deleted_at IS NULL GROUP BY 1 ORDER BY 1
        """,
    },
    "sweep": {
        "agents": """
        SELECT a.agent, coalesce(a.state, 'unknown') || ', ' || count(r.run_id)
          || CASE count(r.run_id) WHEN 1 THEN ' run' ELSE ' runs' END
          || coalesce(strftime(a.heartbeat_at, ', last heard of %Y-%m-%dT%H:%M:%SZ'), '')
        FROM sweep_agents a LEFT JOIN agent_runs r USING (entity, project, sweep_id, agent)
        WHERE a.entity = ? AND a.project = ? AND a.sweep_id = ? AND a.deleted_at IS NULL
        GROUP BY a.agent, a.state, a.heartbeat_at ORDER BY 1
        """,
        "runs": """
        SELECT run_id || ' ' || coalesce(name, ''), coalesce(state, 'unknown') FROM runs
        WHERE entity = ? AND project = ? AND sweep_id = ? AND deleted_at IS NULL ORDER BY 1
        """,
    },
    "collection": {
        "aliases": """
        SELECT alias, version FROM artifact_aliases
        WHERE entity = ? AND project = ? AND collection = ? ORDER BY ALL
        """,
        "versions": """
        SELECT version, coalesce(file_count, 0) || ' files, ' || coalesce(size_bytes, 0) || ' bytes'
        FROM artifacts WHERE entity = ? AND project = ? AND collection = ? AND deleted_at IS NULL
        ORDER BY version_index DESC LIMIT 20
        """,
    },
    "registry": {
        "collections": """
        SELECT c.collection, count(a.artifact_id) || ' versions' FROM registries r
        JOIN artifact_collections c ON c.entity = r.entity AND c.project = r.project
        LEFT JOIN artifacts a ON a.entity = c.entity AND a.project = c.project
          AND a.collection = c.collection AND a.deleted_at IS NULL
        WHERE $1 IN (r.organization, r.entity) AND r.registry = $2 AND c.deleted_at IS NULL
        GROUP BY 1 ORDER BY 1
        """,
    },
    "team": {
        "members": (
            "SELECT coalesce(username, name), role FROM team_members WHERE team = ? ORDER BY ALL"
        ),
    },
    "user": {
        "teams": "SELECT team, role FROM team_members WHERE $1 IN (username, email) ORDER BY ALL",
    },
}
"""By word: what is shown beside an object's own columns, a name and a value each."""


def _load_parts(published: Published, path: ObjectPath, found: dict[str, Any]) -> dict[str, Any]:
    """Return what people want to see beside an object's own columns."""
    if path.kind == "run":
        usage = load_usage(published, *path.parts)
        return {"artifacts": usage} if usage else {}
    if path.kind == "artifact":
        return _artifact_parts(published, found)
    return {
        name: dict(published.rows(question, list(path.parts)))
        for name, question in PAIRS.get(path.kind, {}).items()
    }


def _artifact_parts(published: Published, found: dict[str, Any]) -> dict[str, Any]:
    place = [found[name] for name in ("entity", "project", "collection", "version")]
    aliases = published.rows(
        "SELECT alias FROM artifact_aliases WHERE entity = ? AND project = ? AND collection = ? "
        "AND version = ? ORDER BY ALL",
        place,
    )
    files = published.rows(
        "SELECT path, coalesce(reference, size_bytes || ' bytes') FROM artifact_files "
        "WHERE artifact_id = ? ORDER BY 1 LIMIT 20",
        [found["artifact_id"]],
    )
    lineage = load_lineage(published, found["artifact_id"])
    parts = {"aliases": [alias for (alias,) in aliases], "files": dict(files), "lineage": lineage}
    return {name: value for name, value in parts.items() if value}


def _load_one(published: Published, sql: str, parameters: Sequence[str]) -> dict[str, Any] | None:
    """Return the first row of a query by column, times as ISO 8601 with Z."""
    rows = published.stream(sql, list(parameters)).read_all().to_pylist()
    if not rows:
        return None
    return {
        name: value.isoformat() + "Z" if isinstance(value, datetime) else value
        for name, value in rows[0].items()
    }
