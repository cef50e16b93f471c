"""Which projects: what a sync takes, and which of those that are mirrored somebody means."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from wandb_mirror.errors import BadSettings, NotMirrored
from wandb_mirror.kinds import KINDS
from wandb_mirror.kinds.pages import Row
from wandb_mirror.kinds.spec import Kind
from wandb_mirror.mirror.paths import Target, parse_target
from wandb_mirror.settings import Settings
from wandb_mirror.store.store import Store


def choose_targets(
    named: Sequence[str], settings: Settings, store: Store | None, environ: Mapping[str, str]
) -> list[Target]:
    """Return what to sync: what is named, else the settings, else the mirror, else the environment.

    Raises ``BadSettings`` where nothing says it, and ``BadPath``.
    """
    if named or settings.sync.projects:
        return [parse_target(each) for each in named or settings.sync.projects]
    if scopes := ([] if store is None else store.load_scopes()):
        whole = {entity for entity, project in scopes if not project}
        return [
            Target(entity, project or None)
            for entity, project in scopes
            if not project or entity not in whole
        ]
    if entity := environ.get("WANDB_ENTITY"):
        return [Target(entity, environ.get("WANDB_PROJECT") or None)]
    raise BadSettings(
        "nothing to sync is named and nothing is mirrored yet; "
        "write 'wandb-mirror sync ENTITY/PROJECT' or 'wandb-mirror sync ENTITY'"
    )


def find_projects(store: Store, projects: Sequence[str]) -> list[Row]:
    """Return the rows of mirrored projects, all that are visible where none are named.

    Raises ``NotMirrored`` for one that is not there.
    """
    kind = next(each for each in KINDS if each.holds == "project")
    rows = [row for batch in store.load_rows(kind) for row in batch]
    by_path = {f"{row['entity']}/{row['project']}": row for row in rows}
    for project in projects:
        if project not in by_path:
            raise NotMirrored(
                f"{project} is not in this mirror; it holds {', '.join(sorted(by_path)) or 'none'}"
            )
    if projects:
        return [by_path[project] for project in projects]
    return [row for row in rows if row["inaccessible_since"] is None]


def find_led(store: Store, kinds: Sequence[Kind]) -> Iterator[tuple[str, set[str]]]:
    """Yield each owner of projects that objects of some kinds are, with the projects' names."""
    for kind in kinds:
        if kind.leads_to is None:
            continue
        owner, project = kind.leads_to
        named: dict[str, set[str]] = {}
        for rows in store.load_rows(kind):
            for row in rows:
                if row["inaccessible_since"] is None:
                    named.setdefault(row[owner], set()).add(row[project])
        yield from named.items()
