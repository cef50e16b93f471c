"""What differs between a mirror and upstream, and the ``Keeper`` that finds it.

A walk that is handed this keeper keeps nothing: whatever it brings is held against what is here.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from wandb_mirror.history.columns import ExportedFiles, StagedSteps, StepsPage
from wandb_mirror.history.samples import Samples
from wandb_mirror.kinds.pages import Place, Row, ScopeOf
from wandb_mirror.kinds.spec import Kind
from wandb_mirror.mirror.selection import Redaction
from wandb_mirror.store.digest import digest_light
from wandb_mirror.store.store import Store
from wandb_mirror.warehouse.warehouse import Warehouse


@dataclass(frozen=True, slots=True)
class Difference:
    """One object that is not here as it is upstream."""

    kind: str
    path: str
    problem: str


@dataclass(slots=True)
class Verdict:
    """What a comparison found."""

    compared: dict[str, int] = field(default_factory=dict)
    behind: list[Difference] = field(default_factory=list)
    different: list[Difference] = field(default_factory=list)

    @property
    def status(self) -> str:
        """What ``sync_log`` says of the comparison."""
        if self.different:
            return "verified: different"
        return "verified: behind" if self.behind else "verified: equal"

    @property
    def is_equal(self) -> bool:
        """Whether nothing differs but what a sync would fetch."""
        return not self.different

    def count(self, kind: str) -> None:
        """Count one object that was compared."""
        self.compared[kind] = self.compared.get(kind, 0) + 1

    def to_dict(self) -> dict[str, Any]:
        """Return the verdict as JSON has it."""
        return asdict(self) | {"is_equal": self.is_equal}


@dataclass(slots=True)
class Comparing:
    """Compares rows, and the samples of machines, as a walk brings them."""

    store: Store
    warehouse: Warehouse
    redaction: Redaction
    verdict: Verdict = field(default_factory=Verdict)
    place: ScopeOf = field(default_factory=ScopeOf)
    """Whose rows come, as far as they do not say it themselves."""

    def compare(self, kind: Kind, scope: ScopeOf, rows: Sequence[Row]) -> None:
        """Note which of the rows, whole ones, are not here as upstream has them."""
        found = self.store.load_digests(kind, scope, [row[kind.own_key] for row in rows])
        for row in self.redaction.apply(kind, rows):
            self.verdict.count(kind.plural)
            digest = found.get(row[kind.own_key])
            if digest is None:
                self.note_behind(kind, scope, row[kind.own_key], "is new upstream")
            elif digest.is_gone or digest.light_digest != digest_light(kind, row):
                self.note_behind(kind, scope, row[kind.own_key], "changed upstream")
            elif wrong := self._differing(kind, scope, row):
                problem = f"{', '.join(wrong)} not as upstream"
                self.note_different(kind, scope, row[kind.own_key], problem)

    def _differing(self, kind: Kind, scope: ScopeOf, row: Row) -> list[str]:
        """Return the columns that are not as upstream has them."""
        where = {**scope.columns(kind.scope_columns), kind.own_key: row[kind.own_key]}
        for rows in self.store.load_rows(kind, where=where):
            kept = rows[0]
            return [
                field.column for field in kind.fields if kept[field.column] != row[field.column]
            ]
        return [kind.own_key]

    def kept(self, kind: Kind, scope: ScopeOf) -> set[str]:
        """Return the own keys of what is here of a scope and not marked as gone."""
        where = scope.columns(kind.scope_columns)
        columns = [kind.own_key, "deleted_at"]
        return {
            row[kind.own_key]
            for rows in self.store.load_rows(kind, where=where, columns=columns)
            for row in rows
            if row["deleted_at"] is None
        }

    def note_behind(self, kind: Kind, scope: ScopeOf, own_key: str, problem: str) -> None:
        """Note what a sync would fetch."""
        path = _spell(scope, own_key)
        self.verdict.behind.append(Difference(kind.plural, path, problem))

    def note_different(self, kind: Kind, scope: ScopeOf, own_key: str, problem: str) -> None:
        """Note what is wrong here although upstream says that nothing changed."""
        path = _spell(scope, own_key)
        self.verdict.different.append(Difference(kind.plural, path, problem))

    def select_changed(self, kind: Kind, scope: ScopeOf, rows: Sequence[Row]) -> list[Row]:  # noqa: ARG002
        """Have everything read whole."""
        return list(rows)

    def save(self, kind: Kind, rows: Sequence[Row], *, is_whole: bool) -> int:  # noqa: ARG002
        """Compare rows, which say themselves of which scope they are."""
        by_scope: dict[ScopeOf, list[Row]] = {}
        for row in rows:
            scope = replace(self.place, **{name: row[name] for name in kind.scope_columns})
            by_scope.setdefault(scope, []).append(row)
        for scope, some in by_scope.items():
            self.compare(kind, scope, some)
        return 0

    def mark_missing(self, kind: Kind, scope: ScopeOf, seen: Collection[str]) -> int:
        """Note what is here and was not seen in a complete listing."""
        for own_key in sorted(self.kept(kind, scope).difference(seen)):
            self.note_behind(kind, scope, own_key, "is gone upstream")
        return 0

    def set_aside(self, kind: Kind, scope: ScopeOf, own_key: str, problem: str) -> None:
        """Note what could not be read."""
        self.note_behind(kind, scope, own_key, f"cannot be read: {problem}")

    note_shortfall = set_aside

    def note_place(self, kind: Kind, scope: ScopeOf, place: Place) -> None:
        """Remember nothing."""

    def put_back(self, kind: Kind, scope: ScopeOf, own_keys: Collection[str]) -> None:
        """Forget nothing."""

    def stage_steps(
        self,
        scope: ScopeOf,  # noqa: ARG002
        files: Sequence[ExportedFiles],
    ) -> list[StagedSteps | None]:
        """Leave files alone: histories are compared window by window."""
        return [None] * len(files)

    def save_steps(self, kind: Kind, scope: ScopeOf, pages: Sequence[StepsPage]) -> None:
        """Keep nothing."""

    def save_samples(self, kind: Kind, scope: ScopeOf, found: Sequence[Samples]) -> int:
        """Compare the samples of machines."""
        for each in found:
            if wrong := self.warehouse.compare_samples(each):
                self.note_different(kind, scope, each.run_id, wrong)
        return 0


def _spell(scope: ScopeOf, own_key: str) -> str:
    """Return the path of an object for people."""
    return f"{scope}/{own_key}".lstrip("/")
