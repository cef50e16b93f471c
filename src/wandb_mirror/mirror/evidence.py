"""What edits have shown of a server: whether they move the time of the latest change.

No source states it, so it is seen or not believed. An edit counts where the object's own process
gave no sign of life in between: then nothing but the edit can have moved that time. Light fields
(tags, notes, names) and heavy ones (config, summary) are judged apart, and so is what the object's
own process does. One change that left the time standing outweighs any number that moved it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from wandb_mirror.kinds.pages import Row
from wandb_mirror.kinds.spec import Kind
from wandb_mirror.store.store import Store

MOVES, STILL = "moves", "stands still"


def judge_edit(kind: Kind, old: Row, new: Row) -> dict[str, bool]:
    """Return, by part, whether an edit moved the time of the latest change; empty without one."""
    stamp = kind.stamped_by
    if stamp is None or old[stamp] is None or new[stamp] is None:
        return {}
    if old["deleted_at"] is not None:
        return {}
    if kind.heard_by and old[kind.heard_by] != new[kind.heard_by]:
        return {"process": new[stamp] > old[stamp]}
    if any(old[name] != new[name] for name in kind.restless):
        return {}
    has_moved = new[stamp] > old[stamp]
    quiet = {stamp, *kind.restless}
    return {
        ("heavy" if each.is_heavy else "light"): has_moved
        for each in kind.fields
        if each.column not in quiet and old[each.column] != new[each.column]
    }


@dataclass(slots=True)
class Evidence:
    """Watches what is saved, and remembers per server what it showed."""

    store: Store
    _known: dict[str, str | None] = field(default_factory=dict)

    def believes(self, kind: Kind, part: str) -> bool:
        """Tell whether edits to a part of a kind's objects were seen to move the time, each one."""
        return self._load(kind, part) == MOVES

    def watch(self, kind: Kind, old: Row, new: Row) -> None:
        """Compare a row with the one that it is about to replace."""
        for part, has_moved in judge_edit(kind, old, new).items():
            self._note(kind, part, MOVES if has_moved else STILL)

    def _note(self, kind: Kind, part: str, finding: str) -> None:
        if self._load(kind, part) not in (finding, STILL):
            self.store.save_fact(_fact(kind, part), finding)
            self._known[_fact(kind, part)] = finding

    def _load(self, kind: Kind, part: str) -> str | None:
        name = _fact(kind, part)
        if name not in self._known:
            self._known[name] = self.store.load_fact(name)
        return self._known[name]


def _fact(kind: Kind, part: str) -> str:
    return f"{kind.stamped_by} of edited {part} {kind.plural}"
