"""Artifacts as the published file has them: a row a membership of a version in a collection."""

from __future__ import annotations

from collections.abc import Sequence

from wandb_mirror.api.generations import Generation, Row
from wandb_mirror.errors import BadPath, NotMirrored

PARTS = 3


def parse_artifact_path(
    name: str, entity: str | None, project: str | None
) -> tuple[str, str, str, str]:
    """Read ``[entity/]project/collection:alias``: entity, project, collection, alias.

    Without an alias it is ``latest``, as W&B's client has it. Raises ``BadPath``.
    """
    head, _, alias = name.strip("/ ").partition(":")
    parts = head.split("/")
    if len(parts) > PARTS or not all(parts):
        raise BadPath(f"Invalid artifact path: {name!r}; write ENTITY/PROJECT/COLLECTION:ALIAS")
    collection = parts[-1]
    project = parts[-2] if len(parts) > 1 else project or "uncategorized"
    entity = parts[0] if len(parts) == PARTS else entity
    if not entity:
        raise BadPath(f"Invalid artifact path: {name!r} (missing entity); write it before /")
    return entity, project, collection, alias or "latest"


def load_versions(
    generation: Generation, entity: str, project: str, collection: str, type_name: str | None
) -> list[Row]:
    """Return the versions of a collection, the newest first."""
    rows = generation.live(
        "artifacts",
        "entity = ? AND project = ? AND collection = ? ORDER BY version_index DESC",
        [entity, project, collection],
    )
    return [row for row in rows if type_name is None or row["type"] == type_name]


def find_version(
    generation: Generation, entity: str, project: str, collection: str, alias: str
) -> Row:
    """Return the version that an alias, a version or a digest means; raises ``NotMirrored``."""
    rows = load_versions(generation, entity, project, collection, None)
    marked = {
        row["artifact_id"]
        for row in generation.rows(
            "SELECT artifact_id FROM main.artifact_aliases "
            "WHERE entity = ? AND project = ? AND collection = ? AND alias = ?",
            [entity, project, collection, alias],
        )
    }
    for row in rows:
        if alias in (row["version"], row["digest"]) or row["artifact_id"] in marked:
            return row
    path = f"{entity}/{project}"
    if generation.find_project(entity, project) is None:
        raise NotMirrored(
            f"project {project!r} not found under entity {entity!r}: it is not in this mirror; "
            f"'wandb-mirror sync {path}' fetches it"
        )
    raise NotMirrored(
        f"artifact membership '{collection}:{alias}' not found in {path!r}: it is not in this "
        f"mirror; 'wandb-mirror sync {path}' fetches what is new"
    )


def load_marks(generation: Generation, view: str, column: str, row: Row) -> list[str]:
    """Return the aliases or tags of a version in its collection."""
    found = generation.rows(
        f"SELECT {column} FROM main.{view} WHERE entity = ? AND project = ? AND collection = ? "
        "AND artifact_id = ?",
        [row["entity"], row["project"], row["collection"], row["artifact_id"]],
    )
    return [each[column] for each in found]


def load_memberships(generation: Generation, artifact_ids: Sequence[str]) -> list[Row]:
    """Return where versions are, the collection they were logged into first."""
    return generation.rows(
        "SELECT a.*, c.is_sequence FROM main.artifacts a LEFT JOIN main.artifact_collections c "
        "USING (entity, project, type, collection) "
        "WHERE list_contains(?, a.artifact_id) "
        "ORDER BY c.is_sequence DESC NULLS LAST, a.entity, a.project, a.collection",
        [list(artifact_ids)],
    )
