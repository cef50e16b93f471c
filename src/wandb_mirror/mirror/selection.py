"""What of upstream is wanted: projects by glob, runs by a filter, config without secrets.

A rule that redacts is kept in the mirror: it holds also where a later sync has other settings,
until it is loosened on purpose. What a new rule concerns is redacted where it was stored before.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Any

from wandb_mirror.errors import BadSettings
from wandb_mirror.jsontext import dumps, loads
from wandb_mirror.kinds import KINDS, STORED
from wandb_mirror.kinds.pages import Row
from wandb_mirror.kinds.spec import Kind
from wandb_mirror.settings import SyncSettings
from wandb_mirror.store.store import Store

REDACTED = "[redacted]"
RULES = "redacted config keys"
_GLOB_MARKS = frozenset("*?[")


def find_switched_off(settings: SyncSettings, only: Collection[str]) -> list[str]:
    """Return the kinds that the settings turn off, but for those asked for by name."""
    return [
        kind.plural
        for kind in KINDS
        if kind.switched_by and not getattr(settings, kind.switched_by) and kind.plural not in only
    ]


def is_glob(name: str | None) -> bool:
    """Tell whether a project's name stands for several."""
    return name is not None and not _GLOB_MARKS.isdisjoint(name)


def is_wanted(row: Row, glob: str | None, excluded: Iterable[str]) -> bool:
    """Tell whether one of an entity's projects is to be mirrored.

    ``glob`` is what was asked for, None for all; ``excluded`` are globs of ``entity/project``.
    """
    if glob is not None and not fnmatchcase(row["project"], glob):
        return False
    path = f"{row['entity']}/{row['project']}"
    return not any(fnmatchcase(path, each) for each in excluded)


def read_run_filter(text: str) -> Mapping[str, Any] | None:
    """Return W&B's filter of a setting, None where there is none; raises ``BadSettings``."""
    if not text.strip():
        return None
    try:
        found = loads(text)
    except ValueError as error:
        raise BadSettings(f"sync.run_filter is not JSON: {error}") from error
    if not isinstance(found, dict) or not found:
        raise BadSettings('sync.run_filter must be a JSON object, like {"state": "finished"}')
    return found


@dataclass(frozen=True, slots=True)
class Redaction:
    """Puts a word in the place of values that are nobody's business."""

    rules: Sequence[str]
    """Globs of config keys; a dot goes into a nested dict."""

    def apply(self, kind: Kind, rows: Sequence[Row]) -> Sequence[Row]:
        """Return rows with the values of such keys replaced."""
        columns = [field.column for field in kind.fields if field.is_private]
        if not self.rules or not columns:
            return rows
        return [
            row | {name: self.clean(row[name]) for name in columns if row.get(name)} for row in rows
        ]

    def clean(self, text: str) -> str:
        """Return a config as upstream holds it, redacted; text that is no JSON goes as a whole."""
        try:
            config = loads(text)
        except ValueError:
            return dumps({})
        if not isinstance(config, dict) or not self._redact(config, "", is_wrapped=True):
            return text
        return dumps(config)

    def _redact(self, values: dict[str, Any], before: str, *, is_wrapped: bool) -> bool:
        """Replace values in place; True where there was one."""
        has_found = False
        for key, value in values.items():
            path = f"{before}{key}"
            is_entry = is_wrapped and isinstance(value, dict) and "value" in value
            inner = value["value"] if is_entry else value
            if any(fnmatchcase(path, rule) for rule in self.rules):
                has_found = has_found or inner != REDACTED
                values[key] = {**value, "value": REDACTED} if is_entry else REDACTED
            elif isinstance(inner, dict):
                has_found = self._redact(inner, f"{path}.", is_wrapped=False) or has_found
        return has_found


def settle_redaction(store: Store, wanted: Sequence[str], now: datetime) -> Redaction:
    """Return the rules of the mirror and of the settings; redact what a new one concerns."""
    known = list(loads(store.load_fact(RULES) or "[]"))
    new = [rule for rule in dict.fromkeys(wanted) if rule not in known]
    if not new:
        return Redaction(known)
    redaction = Redaction([*known, *new])
    for kind in STORED:
        columns = [field.column for field in kind.fields if field.is_private]
        if not columns:
            continue
        for rows in store.load_rows(kind, columns=[*columns, "deleted_at"], batch_size=100):
            there = [row for row in rows if row.pop("deleted_at") is None]
            clean = redaction.apply(kind, there)
            changed = [new for old, new in zip(there, clean, strict=True) if old != new]
            if changed:
                store.save_rows(kind, changed, now=now, is_whole=False)
    store.save_fact(RULES, dumps(list(redaction.rules)))
    return redaction


def loosen_redaction(store: Store, rules: Sequence[str]) -> list[str]:
    """Drop rules from the mirror; return those that are left.

    What they hid comes with the next reading of each run.
    """
    left = [rule for rule in loads(store.load_fact(RULES) or "[]") if rule not in rules]
    store.save_fact(RULES, dumps(left))
    return left
