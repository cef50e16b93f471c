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
    is_gone: bool


def digest_light(kind: Kind, row: Row) -> str:
    """Return the digest of a row's light fields; equal rows, and only they, have equal digests."""
    content = repr([row.get(field.column) for field in kind.light_fields])
    return hashlib.blake2b(content.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
