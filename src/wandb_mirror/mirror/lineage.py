"""What an artifact version was made from, and what was made with it; two steps each way."""

from __future__ import annotations

from typing import Any

from wandb_mirror.query.published import Published

NAMED = (
    "{0}.type || ' ' || {0}.source_entity || '/' || {0}.source_project || '/' "
    "|| {0}.source_collection || ':' || {0}.version"
)
VERSIONS = (
    f"SELECT DISTINCT {NAMED.format('u')} FROM artifact_usage u "
    "WHERE u.entity = ? AND u.project = ? AND u.run_id = ? AND u.direction = ? ORDER BY 1"
)
RUNS = (
    f"SELECT DISTINCT u.entity, u.project, u.run_id, {NAMED.format('o')} AS named "
    "FROM artifact_usage u LEFT JOIN artifact_usage o ON o.entity = u.entity "
    "AND o.project = u.project AND o.run_id = u.run_id AND o.direction = $3 "
    "WHERE u.artifact_id = $1 AND u.direction = $2 ORDER BY ALL"
)


def load_usage(published: Published, entity: str, project: str, run_id: str) -> dict[str, Any]:
    """Return the versions that a run used and logged; nothing where there are none."""
    found = {
        word: [name for (name,) in published.rows(VERSIONS, [entity, project, run_id, direction])]
        for word, direction in (("used", "input"), ("logged", "output"))
    }
    return {word: names for word, names in found.items() if names}


def load_lineage(published: Published, artifact_id: str) -> dict[str, Any]:
    """Return the runs that logged and used a version, each with the versions on its other side."""
    found: dict[str, Any] = {}
    for word, direction, other in (
        ("logged_by", "output", "input"),
        ("used_by", "input", "output"),
    ):
        runs: dict[str, list[str]] = {}
        for *run, version in published.rows(RUNS, [artifact_id, direction, other]):
            versions = runs.setdefault("/".join(run), [])
            versions += [] if version is None else [version]
        if runs:
            found[word] = runs
    return found
