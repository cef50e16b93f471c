"""What a sync would fetch, with counts; nothing is written, and no lock is taken."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from wandb_mirror.errors import NotFound, NotMirrored, NotOffered, Skip, UpstreamBroken
from wandb_mirror.kinds import KINDS
from wandb_mirror.kinds.pages import Row, ScopeOf
from wandb_mirror.kinds.spec import Kind
from wandb_mirror.mirror.paths import Target
from wandb_mirror.mirror.selection import is_glob, is_wanted, read_run_filter
from wandb_mirror.pull.listing import Listing
from wandb_mirror.pull.reach import Reach
from wandb_mirror.query.published import Published
from wandb_mirror.settings import Settings
from wandb_mirror.store.digest import digest_light
from wandb_mirror.store.store import Store


@dataclass(slots=True)
class Foreseen:
    """What a sync would find of one kind in one project."""

    project: str
    kind: str
    listed: int = 0
    new: int = 0
    changed: int = 0
    gone: int = 0
    new_lines: int | None = None
    """History lines that upstream counts beyond those that are here; None where that is not asked
    or not known."""
    problem: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return asdict(self)

    def describe(self) -> str:
        """Return it for people."""
        if self.problem:
            return f"{self.kind}: {self.problem}"
        lines = "" if self.new_lines is None else f", {self.new_lines} new history lines"
        return (
            f"{self.listed} {self.kind}: {self.new} new, {self.changed} changed, "
            f"{self.gone} gone{lines}"
        )


def load_incomplete(path: Path) -> Mapping[tuple[str, str], int]:
    """Return of each run whose history is not all in the published file how many rows are."""
    try:
        published = Published.open(path)
    except NotMirrored:
        return {}
    with published:
        return {
            (project_id, run_id): rows
            for project_id, run_id, rows in published.rows(
                "SELECT p.project_id, r.run_id, r.history_rows FROM runs r "
                "JOIN projects p USING (entity, project) "
                "WHERE r.history_status IN ('none', 'partial', 'failed')"
            )
        }


@dataclass(frozen=True, slots=True)
class Foresight:
    """Lists what upstream has beside what is kept; ``store`` is None before the first sync."""

    store: Store | None
    reach: Reach
    """Its keeper is never called."""
    kinds: Sequence[Kind]
    settings: Settings
    incomplete: Mapping[tuple[str, str], int]
    """Runs whose histories are not all here, by project and run: how many rows are."""

    def look(self, targets: Sequence[Target]) -> Iterator[Foreseen]:
        """Yield what would be fetched, project by project and kind by kind.

        Kinds that are read for changed parents alone (files, manifests) are not counted.
        """
        for target in targets:
            for row in self._find_projects(target):
                scope = ScopeOf(row["entity"], row["project"], row["project_id"])
                for kind in self.kinds:
                    if kind.scope == "project" and kind.follows is None:
                        yield self._compare(kind, scope)

    def _find_projects(self, target: Target) -> Iterator[Row]:
        kind = next(each for each in KINDS if each.holds == "project")
        if target.project is not None and not is_glob(target.project):
            row = self.reach.upstream.fetch_node(kind, ScopeOf(target.entity, target.project))
            if row is None:
                raise NotFound(f"project {target} is absent or not visible to this key")
            yield row
            return
        for rows in Listing(kind, ScopeOf(target.entity)).pages(self.reach):
            for row in rows:
                if is_wanted(row, target.project, self.settings.sync.exclude):
                    yield row

    def _compare(self, kind: Kind, scope: ScopeOf) -> Foreseen:
        found = Foreseen(str(scope), kind.plural)
        only = read_run_filter(self.settings.sync.run_filter) if kind.holds == "run" else None
        listing = Listing(kind, scope, only=only)
        counter = self._counter(kind)
        try:
            for rows in listing.pages(self.reach):
                self._compare_page(kind, scope, rows, counter, found)
        except NotOffered:
            found.problem = "this server has none"
        except (Skip, UpstreamBroken, NotFound) as error:
            found.problem = str(error)
        if self.store is not None and only is None and listing.is_complete(None):
            live = self.store.count_live(kind, scope)
            found.gone = max(0, live - (found.listed - found.new))
        return found

    def _counter(self, kind: Kind) -> str | None:
        """Return the column that counts history lines, where history is to be read."""
        inside = [each for each in self.kinds if each.scope == kind.holds and each.shape == "steps"]
        return inside[0].counted_by if kind.holds and inside else None

    def _compare_page(
        self, kind: Kind, scope: ScopeOf, rows: Sequence[Row], counter: str | None, found: Foreseen
    ) -> None:
        own_keys = [row[kind.own_key] for row in rows]
        place = tuple(scope.columns(kind.scope_columns).values())
        keys = [(*place, own_key) for own_key in own_keys]
        kept = {} if self.store is None else self.store.load_named(kind, keys)
        found.listed += len(rows)
        for row, key in zip(rows, keys, strict=True):
            old = kept.get(key)
            if old is None or old["deleted_at"] is not None:
                found.new += 1
            elif old["light_digest"] != digest_light(kind, row):
                found.changed += 1
            if counter is not None:
                before = self.incomplete.get((key[0], key[-1]), (old or {}).get(counter) or 0)
                found.new_lines = (found.new_lines or 0) + max(0, (row[counter] or 0) - before)
