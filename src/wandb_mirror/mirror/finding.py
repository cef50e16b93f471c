"""Finds upstream what a target names: one project, or the projects of an entity.

Nothing of a target is read without this. Where it fails, the target is set aside and the others go
on; where it was the only one, the sync ends with an error that says whether to try again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from wandb_mirror.errors import NotFound, Skip, Unexplained, UpstreamBroken
from wandb_mirror.kinds import KINDS
from wandb_mirror.kinds.pages import Row, ScopeOf
from wandb_mirror.kinds.spec import Kind
from wandb_mirror.mirror.keeper import MirrorKeeper
from wandb_mirror.mirror.paths import Target
from wandb_mirror.mirror.report import SyncReport
from wandb_mirror.mirror.selection import is_glob, is_wanted
from wandb_mirror.mirror.targets import find_led
from wandb_mirror.pull.reach import Reach
from wandb_mirror.pull.walk import walk_listing
from wandb_mirror.settings import SyncSettings

PROJECTS = next(kind for kind in KINDS if kind.holds == "project")


@dataclass(frozen=True, slots=True)
class Finding:
    """Where to look for projects, and where to write down what is not there."""

    reach: Reach
    keeper: MirrorKeeper
    settings: SyncSettings
    report: SyncReport
    kinds: Sequence[Kind]
    """What is read; without projects among it none is looked for."""

    def find(self, target: Target, *, is_only: bool) -> list[Row] | None:
        """Save and return the rows of the projects of a target, or None where it is set aside.

        Raises what set it aside where it ``is_only``: ``NotFound``, or ``UpstreamBroken`` for what
        may pass.
        """
        try:
            rows = list(self._find(target))
        except NotFound as error:
            self._note_absent(target, error)
            if is_only:
                raise
            return None
        except Skip as error:
            name = target.project or ""
            self.keeper.set_aside(PROJECTS, ScopeOf(target.entity), name, str(error))
            if not is_only:
                return None
            may_pass = isinstance(error, Unexplained)
            raise (UpstreamBroken if may_pass else NotFound)(f"{target}: {error}") from error
        self.keeper.put_back(PROJECTS, ScopeOf(target.entity), [target.project or ""])
        return rows

    def _find(self, target: Target) -> Iterator[Row]:
        if PROJECTS not in self.kinds:
            return
        if target.project is None or is_glob(target.project):
            yield from self._find_all(target)
            return
        scope = ScopeOf(entity=target.entity, project=target.project)
        row = self.reach.upstream.fetch_node(PROJECTS, scope)
        if row is None:
            raise NotFound(
                f"project {target} is absent or not visible to this key; "
                "check its name, and whose key is in use with 'wandb-mirror doctor'"
            )
        self.keeper.save(PROJECTS, [row], is_whole=True)
        yield row

    def _find_all(self, target: Target) -> Iterator[Row]:
        """Save and yield the rows of all projects of an entity."""
        walked = walk_listing(PROJECTS, ScopeOf(target.entity), self.reach, expected=None)
        if walked.seen == 0:
            raise NotFound(
                f"no project of entity {target.entity} is visible to this key; check the name, "
                "or name one project as ENTITY/PROJECT"
            )
        for rows in self.keeper.store.load_rows(PROJECTS, where={"entity": target.entity}):
            for row in rows:
                excluded = self.settings.exclude
                if row["inaccessible_since"] is None and is_wanted(row, target.project, excluded):
                    yield row

    def find_led(self) -> Iterator[Row]:
        """Save and yield the projects that other kinds lead to: one request an owner of such."""
        kinds = self.kinds if PROJECTS in self.kinds else ()
        for owner, names in find_led(self.keeper.store, kinds):
            try:
                found = list(self._find_all(Target(owner, None)))
            except (NotFound, Skip) as error:  # listed, but not to be looked into with this key
                self.report.projects[-1].notes.append(f"{owner}: {error}")
                continue
            yield from (row for row in found if row["project"] in names)

    def _note_absent(self, target: Target, error: NotFound) -> None:
        """Keep what is there of a project that upstream no longer shows, and say so."""
        self.report.not_found.append(str(target))
        if target.project is None:
            return
        store, now = self.keeper.store, self.keeper.now()
        where = {"entity": target.entity, "project": target.project}
        for rows in store.load_rows(PROJECTS, where=where):
            for row in rows:
                store.mark_inaccessible(PROJECTS, row[PROJECTS.own_key], now=now)
                self.keeper.rows_changed += 1
        store.save_error(PROJECTS.plural, str(target), str(error), now=now)
