"""What an artifact version was made from, and what was made with it; two steps each way."""

from __future__ import annotations

from typing import Any

from wandb_mirror.query.published import Published

VERSIONS = (
    "SELECT DISTINCT u.type || ' ' || u.source_entity || '/' || u.source_project || '/' "
    "|| u.source_collection || ':' || u.version FROM artifact_usage u "
    "WHERE u.entity = ? AND u.project = ? AND u.run_id = ? AND u.direction = ? ORDER BY 1"
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
        ("logged_by", "output", "used"),
        ("used_by", "input", "logged"),
    ):
        runs = published.rows(
            "SELECT DISTINCT entity, project, run_id FROM artifact_usage "
            "WHERE artifact_id = ? AND direction = ? ORDER BY ALL",
            [artifact_id, direction],
        )
        if runs:
            found[word] = {
                "/".join(run): load_usage(published, *run).get(other, []) for run in runs
            }
    return found
