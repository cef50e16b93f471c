"""What upstream would not take, found before it is asked: each reason says what to do."""

from __future__ import annotations

import re
from typing import Any

from wandb_mirror.edits.cells import INTERNAL, Change
from wandb_mirror.edits.spec import EditField
from wandb_mirror.edits.values import ABSENT

AS_THE_TEAM_SAYS, FOR_EVER = -1, -2
"""Times to live that are no number of seconds."""
REDACTED = "[redacted]"
"""What the mirror keeps in the place of a value that must not be kept."""


def find_fault(field: EditField, change: Change) -> str | None:
    """Return why an edit cannot be made, None where it can."""
    if field.sort == "set":
        return _fault_of_member(field, change)
    if _has_redacted(change.local):
        return (
            f"{field.name} {change.key}: '{REDACTED}' stands for a value that the mirror does not "
            "keep, and is never written back; give the real value with wandb.Api"
        )
    if field.points_to is not None:
        return None if change.local is ABSENT else _fault_of_word(field, change.key)
    if field.sort == "map":
        return _fault_of_key(field, change.key)
    if field.graphql_type == "Int64":
        return _fault_of_time(field, change.local)
    return _fault_of_scalar(field, change.local)


def _fault_of_scalar(field: EditField, value: Any) -> str | None:
    if value is None:
        return f"{field.name} cannot be left empty; write one" if field.pattern else None
    if not isinstance(value, str):
        return f"{field.name} holds text, not {value!r}; write it in quotes"
    if field.pattern is not None:
        return _fault_of_word(field, value)
    if field.longest is not None and len(value) > field.longest:
        return (
            f"{field.name} may have {field.longest} characters, this has {len(value)}; shorten it"
        )
    return None


def _fault_of_time(field: EditField, value: Any) -> str | None:
    if type(value) is int and (value > 0 or value in (AS_THE_TEAM_SAYS, FOR_EVER)):
        return None
    return (
        f"{field.name} is a number of seconds, {AS_THE_TEAM_SAYS} for what the team says or "
        f"{FOR_EVER} for ever, not {value!r}; write one of those"
    )


def _fault_of_member(field: EditField, change: Change) -> str | None:
    return _fault_of_word(field, change.key) if change.local is True else None


def _fault_of_word(field: EditField, word: str) -> str | None:
    if not word.strip():
        return f"{field.name} cannot hold an empty text; leave it out"
    if field.pattern is not None and not re.fullmatch(field.pattern, word):
        return f"{field.name}: W&B does not take {word!r}; write one with {field.pattern_words}"
    if field.longest is not None and len(word) > field.longest:
        return f"{word!r} has more than {field.longest} characters; shorten it"
    return None


def find_excess(field: EditField, keys: int) -> str | None:
    """Return why a map cannot hold so many keys, None where it can."""
    if field.most_keys is None or keys <= field.most_keys:
        return None
    return (
        f"{field.name} may have {field.most_keys} keys, with this there are {keys}; take some out"
    )


def _fault_of_key(field: EditField, key: str) -> str | None:
    if not key:
        return f"{field.name} has no key without a name; name one"
    if key in INTERNAL:
        return f"{field.name} {key} belongs to W&B's own client and is never edited; leave it out"
    return None


def _has_redacted(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(_has_redacted, value.values()))
    if isinstance(value, list):
        return any(map(_has_redacted, value))
    return value is not ABSENT and value == REDACTED
