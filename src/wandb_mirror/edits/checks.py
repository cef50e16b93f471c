"""What upstream would not take, found before it is asked: each reason says what to do."""

from __future__ import annotations

import re
from typing import Any

from wandb_mirror.edits.cells import INTERNAL, Change
from wandb_mirror.edits.spec import EditField
from wandb_mirror.edits.values import ABSENT

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
    if field.sort == "map":
        return _fault_of_key(field, change.key)
    return _fault_of_scalar(field, change.local)


def _fault_of_scalar(field: EditField, value: Any) -> str | None:
    if value is None or field.graphql_type != "String":
        return None
    if not isinstance(value, str):
        return f"{field.name} holds text, not {value!r}; write it in quotes"
    if field.longest is not None and len(value) > field.longest:
        return (
            f"{field.name} may have {field.longest} characters, this has {len(value)}; shorten it"
        )
    return None


def _fault_of_member(field: EditField, change: Change) -> str | None:
    if change.local is not True:
        return None
    if not change.key.strip():
        return f"{field.name} cannot hold an empty text; leave it out"
    if field.pattern is not None and not re.fullmatch(field.pattern, change.key):
        return f"{change.key!r} is none of the {field.name} that W&B takes: {field.pattern_words}"
    if field.longest is not None and len(change.key) > field.longest:
        return f"{change.key!r} has more than {field.longest} characters; shorten it"
    return None


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
