"""What was set on an object becomes edits, queued for a push: what was edited, and nothing else."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from wandb_mirror.api.generations import Generation, Generations
from wandb_mirror.desk.finding import Found, find_objects
from wandb_mirror.edits.catalog import editable_of
from wandb_mirror.edits.cells import Change, find_changes
from wandb_mirror.edits.edit import Target
from wandb_mirror.errors import NotMirrored

Made = tuple[Target, Change]
"""An object, and a cell of it that was edited."""


@dataclass(slots=True)
class Saver:
    """Queues what was edited of one object, against what it was read as."""

    generations: Generations
    generation: Generation
    kind: str
    condition: str
    """What its row fulfils: ``t`` is its table, ``p`` the project's."""
    parameters: Sequence[Any]
    seen: dict[str, Any] = field(default_factory=dict)
    """Field to what its reader saw last, here or after a save."""

    def note(self, **values: Any) -> None:
        """Remember what fields were read as; lists and dicts may be changed in place."""
        self.seen.update(copy.deepcopy(values))

    def find(self, *fields: str) -> Found:
        """Return the object as it was read; raises ``NotMirrored`` where it was deleted."""
        editable = editable_of(self.kind)
        published = self.generation.published
        found = find_objects(published, editable, fields, self.condition, self.parameters)
        if not found:
            raise NotMirrored(
                f"this {editable.noun} was deleted upstream, or is not in this mirror any more; "
                "'wandb-mirror sync' shows what there is"
            )
        return found[0]

    def save(self, values: Mapping[str, Any]) -> None:
        """Queue the fields whose values are not what was seen; raises ``BadEdit``."""
        self.queue(self.find_edited(values))
        self.note(**values)

    def queue(self, made: Sequence[Made]) -> None:
        """Queue edits, all of them or none."""
        if made:
            self.generations.desk.queue(made)

    def find_edited(self, values: Mapping[str, Any]) -> list[Made]:
        """Return the cells whose values are not what was seen."""
        editable = editable_of(self.kind)
        changes = [
            change
            for name, value in values.items()
            for change in find_changes(editable.field(name), self.seen.get(name), value)
        ]
        target = self.find().target if changes else None
        return [(target, change) for change in changes if target is not None]

    def find_moved(self, name: str, own: str, after: Sequence[str]) -> list[Made]:
        """Return the names that come to point to ``own``, and those that do no more."""
        before: Sequence[str] = self.seen[name]
        if set(before) == set(after):
            return []
        gone = [each for each in before if each not in after]
        found = self.find(name)
        seen = {**found.values[name], **dict.fromkeys(gone, own)}
        wanted = {key: value for key, value in seen.items() if key not in gone}
        wanted |= dict.fromkeys((each for each in after if each not in before), own)
        changes = find_changes(editable_of(self.kind).field(name), seen, wanted)
        return [(found.target, each) for each in changes]
