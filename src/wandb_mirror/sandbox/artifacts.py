"""Collections of artifacts, their versions, and what the versions hold."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from hashlib import md5
from typing import ClassVar

from wandb_mirror.sandbox.objects import Project, Run, User, encode_id

COMMITTED, DELETED = "COMMITTED", "DELETED"
LATEST = "latest"
"""The alias of the newest version of a collection."""
INHERITS_TTL = -1
"""Kept as long as the collection says."""
BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class Zeros:
    """Content of any size that takes no room."""

    size: int


Content = bytes | Zeros


class Entry:
    """One file of a version: its bytes, or a reference to where they lie."""

    def __init__(self, path: str, content: Content = b"", *, ref: str | None = None) -> None:
        self.path = path
        self.content = content
        self.ref = ref

    @property
    def size(self) -> int:
        """Bytes."""
        return self.content.size if isinstance(self.content, Zeros) else len(self.content)

    @cached_property
    def digest(self) -> str:
        """Base64 of the MD5 of the bytes; of a reference, something that changes with it."""
        if self.ref is not None:
            return md5(self.ref.encode(), usedforsecurity=False).hexdigest()
        found = md5(usedforsecurity=False)
        for block in self.read(0, self.size):
            found.update(block)
        return b64encode(found.digest()).decode()

    @property
    def etag(self) -> str:
        """The digest in quotes."""
        return f'"{self.digest}"'

    def read(self, start: int, stop: int) -> Iterator[bytes]:
        """Yield the bytes from ``start`` up to, not including, ``stop``."""
        for place in range(start, stop, BLOCK):
            end = min(place + BLOCK, stop)
            yield bytes(end - place) if isinstance(self.content, Zeros) else self.content[place:end]


@dataclass(slots=True, eq=False)
class Collection:
    """A sequence, which runs log into, or a portfolio, which versions are linked into."""

    project: Project
    number: int
    name: str
    type: str
    is_sequence: bool
    created_at: datetime
    updated_at: datetime
    description: str | None = None
    tags: list[str] = field(default_factory=list)
    is_deleted: bool = False
    memberships: list[Membership] = field(default_factory=list)
    """Those of deleted versions included, in the order they came."""

    @property
    def typename(self) -> str:
        """The GraphQL type."""
        return "ArtifactSequence" if self.is_sequence else "ArtifactPortfolio"

    @property
    def storage_id(self) -> str:
        """The id that mutations take."""
        return encode_id(self.typename, self.number)

    @property
    def live(self) -> list[Membership]:
        """The memberships of versions that were not deleted."""
        return [each for each in self.memberships if each.artifact.state != DELETED]

    def find(self, alias: str) -> Membership | None:
        """Return the membership that has an alias, or the version ``v3``, or None."""
        for each in self.live:
            if alias in each.aliases or alias == f"v{each.version_index}":
                return each
        return None


@dataclass(slots=True, eq=False)
class Membership:
    """A version's place in a collection."""

    number: int
    collection: Collection
    artifact: Artifact
    version_index: int
    created_at: datetime
    aliases: list[str] = field(default_factory=list)

    @property
    def storage_id(self) -> str:
        """The opaque id."""
        return encode_id("ArtifactCollectionMembership", self.number)


@dataclass(slots=True, eq=False)
class Artifact:
    """One version; its place in its sequence is its first membership."""

    typename: ClassVar = "Artifact"
    number: int
    sequence: Collection
    entries: dict[str, Entry]
    created_at: datetime
    updated_at: datetime
    created_by: Run | User | None = None
    description: str | None = None
    metadata: str | None = "{}"
    """JSON text."""
    tags: list[str] = field(default_factory=list)
    ttl_seconds: int = INHERITS_TTL
    state: str = COMMITTED
    history_step: int | None = None
    memberships: list[Membership] = field(default_factory=list)
    used_by: list[Run] = field(default_factory=list)
    _digest: str | None = None

    @property
    def storage_id(self) -> str:
        """The opaque id, the same in all collections."""
        return encode_id("Artifact", self.number)

    @property
    def size(self) -> int:
        """Bytes of all entries."""
        return sum(entry.size for entry in self.entries.values())

    @property
    def digest(self) -> str:
        """MD5 of paths and digests, in the order of the paths."""
        if self._digest is None:
            found = md5(b"wandb-artifact-manifest-v1\n", usedforsecurity=False)
            for path in sorted(self.entries):
                found.update(f"{path}:{self.entries[path].digest}\n".encode())
            self._digest = found.hexdigest()
        return self._digest

    @property
    def manifest(self) -> bytes:
        """The manifest as W&B's client writes it, JSON."""
        contents = {}
        for path, entry in self.entries.items():
            contents[path] = {
                "digest": entry.digest,
                **(
                    {"ref": entry.ref}
                    if entry.ref
                    else {"size": entry.size, "birthArtifactID": self.storage_id}
                ),
            }
        return json.dumps(
            {
                "version": 1,
                "storagePolicy": "wandb-storage-policy-v1",
                "storagePolicyConfig": {"storageLayout": "V2"},
                "contents": contents,
            }
        ).encode()

    def membership_in(self, collection: Collection | str | None) -> Membership | None:
        """Return its place in a collection; None stands for its own sequence."""
        for each in self.memberships:
            wanted = self.sequence if collection is None else collection
            if wanted in (each.collection, each.collection.name):
                return each
        return None


def as_entries(files: Mapping[str, Content | str]) -> dict[str, Entry]:
    """Return entries by path; text that holds ``://`` is a reference."""
    return {
        path: Entry(path, ref=content)
        if isinstance(content, str) and "://" in content
        else Entry(path, content.encode() if isinstance(content, str) else content)
        for path, content in files.items()
    }
