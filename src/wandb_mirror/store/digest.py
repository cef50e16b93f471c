"""A digest of an object's light fields: what a listing is compared by."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from wandb_mirror.kinds.pages import Row
from wandb_mirror.kinds.spec import Kind


@dataclass(frozen=True, slots=True)
class Digest:
    """What is kept of an object to compare it by."""

    light_digest: str | None
    """Of the light fields when the whole object was last read; None where it must be read again."""
    is_gone: bool
    """Marked as deleted or inaccessible: if upstream shows it, it is back."""


def digest_light(kind: Kind, row: Row) -> str:
    """Return the digest of a row's light fields as they arrived; other columns do not matter.

    A value's ``repr`` tells 1, 1.0, True and "1" apart, and None from "".
    """
    content = repr([row.get(field.column) for field in kind.light_fields])
    return hashlib.blake2b(content.encode(), digest_size=16).hexdigest()
