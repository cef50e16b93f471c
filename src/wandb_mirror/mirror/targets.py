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


def find_projects(store: Store, named: Sequence[str]) -> list[Row]:
    """Return the rows of mirrored projects: by path, all of an entity, or all where none is named.

    Of an entity, and where none is named, those that are visible. Raises ``NotMirrored`` for what
    is not there.
    """
    kind = next(each for each in KINDS if each.holds == "project")
    rows = [row for batch in store.load_rows(kind) for row in batch]
    by_path = {f"{row['entity']}/{row['project']}": row for row in rows}
    visible = [row for row in rows if row["inaccessible_since"] is None]
    found: list[Row] = []
    for name in named:
        below = [by_path[name]] if name in by_path else []
        below = below or [row for row in visible if row["entity"] == name]
        if not below:
            raise NotMirrored(
                f"{name} is not in this mirror; it holds {', '.join(sorted(by_path)) or 'none'}"
            )
        found += [row for row in below if row not in found]
    return found if named else visible


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
