"""Paths as W&B's client takes them (``wandb.apis.public.api``, ``_parse_path`` and its like).

Missing parts come from the settings, then from the viewer's default entity.
"""

from __future__ import annotations

from collections.abc import Callable

from wandb_mirror.errors import BadPath

WHOLE, PAIR = 3, 2


def parse_object_path(
    path: object, default_entity: Callable[[], str | None], project: str | None
) -> tuple[str, str, str]:
    """Read the path of a run or sweep: entity, project and id; raises ``BadPath``.

    Forms: ``entity/project/runs/id``, ``entity/project/id``, ``entity/project:id``, ``project/id``,
    ``project:id``, ``id``.
    """
    if not isinstance(path, str):
        raise BadPath(f"Invalid path: {path!r} is no text; write ENTITY/PROJECT/ID")
    parts = path.replace("/runs/", "/").replace("/sweeps/", "/").strip("/ ").split("/")
    entity: str | None = None
    own: str | None = None
    if len(parts) == WHOLE:
        entity, project, own = parts
    elif len(parts) == PAIR:
        if ":" in parts[1]:
            entity = parts[0]
            project, own = parts[1].split(":", maxsplit=1)
        else:
            project, own = parts
    elif len(parts) == 1 and parts[0]:
        if ":" in parts[0]:
            project, own = parts[0].split(":", maxsplit=1)
        else:
            own = parts[0]
    entity = entity if entity is not None else default_entity()
    for name, value in (("entity", entity), ("project", project), ("id", own)):
        if not (value and value.strip()):
            raise BadPath(
                f"Invalid path: {path!r} (missing {name}); write ENTITY/PROJECT/ID, or set the "
                "default with Api(overrides={'entity': …, 'project': …})"
            )
    return str(entity).strip(), str(project).strip(), str(own).strip()


def parse_project_path(
    path: str | None, default_entity: Callable[[], str | None], project: str | None
) -> tuple[str, str]:
    """Read the path of a project: ``entity/project`` or ``project``; raises ``BadPath``."""
    entity: str | None = None
    if path:
        head, slash, tail = path.strip("/ ").partition("/")
        entity, project = (head, tail) if slash else (None, head)
    entity = entity or default_entity()
    project = project or "uncategorized"
    if not entity:
        raise BadPath(
            f"Invalid path: {path!r} (missing entity); write ENTITY/PROJECT, or set the default "
            "with Api(overrides={'entity': …})"
        )
    if "/" in project:
        raise BadPath(f"Invalid path: {path!r} is not a project; write ENTITY/PROJECT")
    return entity, project
