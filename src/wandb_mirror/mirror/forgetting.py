"""Remove a project from the mirror; nothing happens upstream."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wandb_mirror.errors import BadSettings
from wandb_mirror.kinds import KINDS
from wandb_mirror.mirror.paths import parse_project
from wandb_mirror.mirror.targets import find_projects
from wandb_mirror.pull.kept_files import remove_left

if TYPE_CHECKING:
    from wandb_mirror.mirror.mirror import Mirror


def forget_project(mirror: Mirror, project: str) -> None:
    """Remove what is kept of a project, and what a sync of it that was killed left."""
    parse_project(project)
    with mirror.work("forget") as (store, warehouse):
        kind = next(each for each in KINDS if each.holds == "project")
        [row] = find_projects(store, [project])
        project_id = row[kind.own_key]
        if any(
            each.target.project_id == project_id and each.state != "done"
            for each in store.outbox.load()
        ):
            raise BadSettings(
                f"edits of {project} wait to be pushed and would be lost; "
                f"'wandb-mirror push {project}' or 'wandb-mirror discard {project}' first"
            )
        store.forget(project_id)
        warehouse.take(store)
        warehouse.forget(project_id)
        warehouse.publish()
        for steps in (each for each in KINDS if each.shape == "steps"):
            remove_left(mirror.folder, steps, project_id)
