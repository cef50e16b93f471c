"""What the bytes in a mirror take, whose they are, and which of them may go."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from wandb_mirror.blobs.blobs import ASIDE, PARTIAL, Blobs, Held
from wandb_mirror.blobs.digest import Digest
from wandb_mirror.query.published import Published

GIGABYTE = 1_000_000_000
LOOSE_DAYS = 7
"""What was half fetched or set aside goes after so many days, where nothing else is said."""
DIGESTS = """
SELECT DISTINCT f.digest, f.digest_algorithm FROM artifact_files f
JOIN artifact_aliases l USING (artifact_id) WHERE f.reference IS NULL
"""
COLLECTIONS = """
SELECT a.entity || '/' || a.project || '/' || a.collection, f.digest, f.digest_algorithm
FROM artifact_files f JOIN artifacts a USING (artifact_id)
WHERE f.reference IS NULL AND a.deleted_at IS NULL GROUP BY ALL ORDER BY ALL
"""
RUN_FILES = """
SELECT DISTINCT entity || '/' || project, md5, NULL FROM run_files
WHERE md5 IS NOT NULL ORDER BY ALL
"""


@dataclass(slots=True)
class Swept:
    """What a collection of garbage did, or would do."""

    removed: int = 0
    removed_bytes: int = 0
    kept: int = 0
    kept_bytes: int = 0
    is_over: bool = False
    """Whether what has to stay is more than was allowed."""

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return asdict(self)


def collect_garbage(
    blobs: Blobs,
    published: Published,
    *,
    now_seconds: float,
    older_than_days: int | None,
    most_gb: float | None,
    is_dry: bool,
) -> Swept:
    """Remove contents that were not used for long, and then the longest unused until they fit.

    ``now_seconds`` is the time in epoch seconds. What a version with an alias needs stays.
    What was half fetched or set aside goes too once it is as old, or ``LOOSE_DAYS``.
    """
    needed = {
        digest
        for text, algorithm in published.rows(DIGESTS)
        if (digest := Digest.read(text, algorithm)) is not None
    }
    held = sorted(blobs.held(), key=lambda each: each.used_at)
    swept = Swept(kept=len(held), kept_bytes=sum(each.size_bytes for each in held))
    limit = None if most_gb is None else most_gb * GIGABYTE
    for each in held:
        if each.digest in needed:
            continue
        if _is_old(each, now_seconds, older_than_days) or (
            limit is not None and swept.kept_bytes > limit
        ):
            swept.kept -= 1
            swept.kept_bytes -= each.size_bytes
            swept.removed += 1
            swept.removed_bytes += each.size_bytes
            if not is_dry:
                blobs.remove(each.digest)
    if not is_dry:
        days = LOOSE_DAYS if older_than_days is None else older_than_days
        blobs.clear_loose(now_seconds - timedelta(days=days).total_seconds())
    swept.is_over = limit is not None and swept.kept_bytes > limit
    return swept


def _is_old(held: Held, now_seconds: float, days: int | None) -> bool:
    if days is None:
        return False
    return now_seconds - held.used_at >= timedelta(days=days).total_seconds()


@dataclass(frozen=True, slots=True)
class Part:
    """Something that takes room."""

    name: str
    size_bytes: int
    files: int


@dataclass(slots=True)
class Usage:
    """What a mirror takes. Bytes that several have are counted with each, and once in all."""

    parts: list[Part] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return {"parts": [asdict(each) for each in self.parts]}


def measure_usage(folder: Path, blobs: Blobs, published: Published) -> Usage:
    """Return what the databases take, the bytes, and of these each collection and project's."""
    usage = Usage()
    for path in sorted(folder.glob("*.duckdb*")) + sorted(folder.glob("*.sqlite*")):
        usage.parts.append(Part(path.name, path.stat().st_size, 1))
    held = {each.digest: each.size_bytes for each in blobs.held()}
    usage.parts.append(Part(blobs.folder.name, sum(held.values()), len(held)))
    for name, words in ((PARTIAL, "stopped downloads"), (ASIDE, "damaged, set aside")):
        if size := blobs.loose_bytes(name):
            usage.parts.append(Part(f"{blobs.folder.name}/{name} ({words})", size, 1))
    usage.parts += _whose(published, COLLECTIONS, held)
    usage.parts += _whose(published, RUN_FILES, held, "files of runs of ")
    return usage


def _whose(
    published: Published, question: str, held: dict[Digest, int], prefix: str = ""
) -> Iterator[Part]:
    found: dict[str, set[Digest]] = {}
    for name, text, algorithm in published.rows(question):
        digest = Digest.read(text, algorithm)
        if digest is not None and digest in held:
            found.setdefault(name, set()).add(digest)
    for name, digests in found.items():
        yield Part(prefix + name, sum(held[each] for each in digests), len(digests))
