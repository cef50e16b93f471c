"""What the warehouse remembers of itself: marks, generation, and the text of its views."""

from __future__ import annotations

from collections.abc import Mapping

from wandb_mirror.warehouse.engine import Database


class Facts:
    """A name and a text each, inside the caller's transaction; what stands is not written again."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: dict[str, str] | None = None

    def forget_cached(self) -> None:
        """Drop what was written in a transaction that was rolled back."""
        self._known = None

    def get(self, name: str) -> str | None:
        """Return a fact, or None."""
        return self._load().get(name)

    def find(self, prefix: str) -> dict[str, str]:
        """Return the facts whose names begin so."""
        return {name: text for name, text in self._load().items() if name.startswith(prefix)}

    def save(self, facts: Mapping[str, str | None]) -> None:
        """Write facts; None takes one away."""
        known = self._load()
        new = {name: text for name, text in facts.items() if known.get(name) != text}
        if not new:
            return
        self._database.run("DELETE FROM _data.facts WHERE name IN (SELECT unnest(?))", [list(new)])
        kept = {name: text for name, text in new.items() if text is not None}
        if kept:
            self._database.run(
                "INSERT INTO _data.facts SELECT unnest(?), unnest(?)",
                [list(kept), list(kept.values())],
            )
        self._known = {name: text for name, text in {**known, **new}.items() if text is not None}

    def _load(self) -> dict[str, str]:
        if self._known is None:
            self._known = dict(self._database.rows("SELECT name, value FROM _data.facts"))
        return self._known
