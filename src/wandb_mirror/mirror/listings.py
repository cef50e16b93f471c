"""Pull what is listed for many scopes at once: all projects' sweeps, the files of changed runs.

A kind that cannot be read does not stop the others. Children of a parent are read when it changed;
a checkpoint remembers what it was like, so what a stopped sync left out is found by the next.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from wandb_mirror.errors import NotFound, NotOffered
from wandb_mirror.kinds import STORED
from wandb_mirror.kinds.pages import ScopeOf
from wandb_mirror.kinds.spec import Follow, Kind
from wandb_mirror.mirror.keeper import MirrorKeeper
from wandb_mirror.mirror.report import ProjectReport
from wandb_mirror.pull.manifests import walk_manifests
from wandb_mirror.pull.reach import Reach
from wandb_mirror.pull.together import Outcome, walk_together
from wandb_mirror.pull.walk import Walked
from wandb_mirror.store.checkpoints import Checkpoint
from wandb_mirror.store.due import Due, spell_mark
from wandb_mirror.store.store import Store

Place = tuple[ScopeOf, ProjectReport]
"""Where to look, and where to write down what was found."""


OF_ENTITIES = ("team", "organization", "registry")
"""Scopes that an entity is, and not a project."""


def is_taken_together(kind: Kind) -> bool:
    """Tell whether a kind is listed for many scopes at once, and not a project at a time."""
    if kind.shape == "node":
        return kind.scope == "team"
    return kind.is_stored and kind.seek is None and kind.holds != "project"


def is_read_by_project(kind: Kind) -> bool:
    """Tell whether a kind is listed a project at a time."""
    return kind.scope == "project" and not is_taken_together(kind)


@dataclass(slots=True)
class Listings:
    """Pulls the kinds that are listed for many scopes at once."""

    store: Store
    reach: Reach
    keeper: MirrorKeeper
    now: Callable[[], datetime]
    is_full_refresh: bool

    def pull_entity(self, kinds: Sequence[Kind], entity: str, report: ProjectReport) -> None:
        """Pull what an entity has beside projects."""
        place = (ScopeOf(entity), report)
        self._pull([kind for kind in kinds if kind.scope in OF_ENTITIES], [place])

    def pull_places(self, kinds: Sequence[Kind], places: Sequence[Place]) -> None:
        """Pull what projects have, parents before children."""
        self._pull([kind for kind in kinds if kind.scope not in OF_ENTITIES], places)

    def _pull(self, kinds: Sequence[Kind], places: Sequence[Place]) -> None:
        """Pull what every sync lists, all kinds at once; then what follows another kind.

        What could not be read the last time is asked for apart, lest it spoil the rest again.
        """
        wanted = [kind for kind in kinds if is_taken_together(kind)]
        listed = [kind for kind in wanted if kind.follows is None]
        apart = [kind for kind in listed if self.keeper.is_troubled(kind)]
        for some in [[kind for kind in listed if kind not in apart], *([kind] for kind in apart)]:
            if some and places:
                self._pull_all(some, places)
        for kind in wanted if places else ():
            if kind.follows is not None:
                self._pull_due(kind, kind.follows, places)

    def _pull_all(self, kinds: Sequence[Kind], places: Sequence[Place]) -> None:
        """Walk the listings of each place."""
        reports = dict(places)
        for outcomes in walk_together(kinds, list(reports), self.reach):
            for kind, scope, outcome in outcomes:
                self._note(kind, scope, outcome, reports[scope])

    def _pull_due(self, kind: Kind, follow: Follow, places: Sequence[Place]) -> None:
        """Walk the listings of those parents that changed."""
        for place, report in places:
            due: dict[ScopeOf, Due] = {}
            for each in self._find_due(kind, follow, place):
                project = place.project or each.scope.project
                scope = replace(each.scope, entity=place.entity, project=project)
                if each.is_gone:
                    self.keeper.mark_missing(kind, scope, ())
                    self._save_marks(kind, [each])
                else:
                    due[scope] = each
            if not due:
                continue
            if kind.shape == "manifest":
                walks = walk_manifests(kind, list(due), self.reach)
            else:
                tails = {scope: each.tail for scope, each in due.items()}
                walks = walk_together([kind], list(due), self.reach, tails)
            for outcomes in walks:
                read = [
                    replace(due[scope], mark=_spell(due[scope], outcome))
                    for _, scope, outcome in outcomes
                    if self._note(kind, scope, outcome, report) and not _is_cut(outcome)
                ]
                self._save_marks(kind, read)

    def _find_due(self, kind: Kind, follow: Follow, place: ScopeOf) -> Iterator[Due]:
        parent = next(each for each in STORED if each.plural == follow.parent)
        known = place.columns(parent.scope_columns[:1])
        where: dict[str, object] = {name: each for name, each in known.items() if each is not None}
        return self.store.load_due(kind, follow, parent, where, takes_all=self.is_full_refresh)

    def _save_marks(self, kind: Kind, read: Sequence[Due]) -> None:
        if read:
            saved = [Checkpoint(each.scope, cursor=each.mark) for each in read]
            self.store.save_checkpoints(kind, saved, now=self.now())

    def _note(self, kind: Kind, scope: ScopeOf, outcome: Outcome, report: ProjectReport) -> bool:
        """Write down what a walk found; True where there was one."""
        if isinstance(outcome, NotOffered):
            if kind.plural not in report.not_offered:
                report.not_offered.append(kind.plural)
            return False
        own = scope.own
        if not isinstance(outcome, Walked):
            if isinstance(outcome, NotFound) and own:
                return False  # it went after it was listed; the next sync sees that
            self.keeper.set_aside(kind, scope, own, str(outcome))
            report.notes.append(f"{kind.plural}: {outcome}")
            return False
        self.keeper.put_back(kind, scope, [own])
        for counts, count in (
            (report.seen, outcome.seen),
            (report.changed, outcome.changed),
            (report.missing, outcome.missing),
        ):
            counts[kind.plural] = counts.get(kind.plural, 0) + count
        if outcome.incomplete:
            report.notes.append(
                f"{kind.plural}: deletions were not looked for: {outcome.incomplete}"
            )
        return True


def _spell(due: Due, outcome: Outcome) -> str:
    """Return what a checkpoint says of a listing that was read."""
    return spell_mark(due.mark, outcome.goes_on if isinstance(outcome, Walked) else None)


def _is_cut(outcome: Outcome) -> bool:
    """Tell whether a listing was not seen to its end: then it is read again."""
    return isinstance(outcome, Walked) and bool(outcome.incomplete)
