"""What a file's checksum says, and whether bytes keep to it.

Source: W&B's client (``wandb.sdk.lib.hashutil``, ``artifact_manifest_entry``, 0.31): the base64 of
the MD5 of the bytes; where an entry's ``extra.alg`` is ``XXH128``, of their XXH128.
"""

from __future__ import annotations

import hashlib
from base64 import b64decode
from binascii import Error
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wandb_mirror.errors import BadSettings

MD5, XXH128 = "md5", "xxh128"
ALGORITHMS = {"": MD5, "MD5": MD5, "XXH128": XXH128}
"""By W&B's name in a manifest; "" where it names none."""
LENGTH = 16
"""Bytes of either."""
BLOCK = 1 << 20
UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")


@dataclass(frozen=True, slots=True)
class Digest:
    """A checksum, by which content is named."""

    algorithm: str
    hex: str

    @classmethod
    def read(cls, text: str | None, algorithm: str | None = None) -> Digest | None:
        """Return the checksum that upstream wrote, None where it is none that we know."""
        known = ALGORITHMS.get((algorithm or "").upper())
        if not text or known is None:
            return None
        try:
            raw = bytes.fromhex(text) if len(text) == 2 * LENGTH else b64decode(text, validate=True)
        except (ValueError, Error):
            return None
        return cls(known, raw.hex()) if len(raw) == LENGTH else None

    def hasher(self) -> Any:
        """Return what computes such a checksum; raises ``BadSettings`` where nothing can."""
        return _hasher_of(self.algorithm)()

    def agrees(self, path: Path) -> bool:
        """Tell whether a file holds what this is the checksum of; raises ``OSError``."""
        hasher = self.hasher()
        with path.open("rb") as file:
            while block := file.read(BLOCK):
                hasher.update(block)
        return bool(hasher.hexdigest() == self.hex)


def _hasher_of(algorithm: str) -> Callable[[], Any]:
    if algorithm == MD5:
        return lambda: hashlib.md5(usedforsecurity=False)
    try:
        import xxhash  # noqa: PLC0415  (few artifacts need it)
    except ImportError:
        raise BadSettings(
            "this artifact's checksums are XXH128, which needs the package xxhash: "
            "pip install 'wandb-mirror[xxhash]'"
        ) from None
    return xxhash.xxh3_128  # type: ignore[no-any-return,unused-ignore]


def human_size(size: int) -> str:
    """Return a size as W&B's client writes it: ``1.5KiB``."""
    for place, unit in enumerate(UNITS):
        factor = round(size / 1024**place, 1)
        if factor < 1024 or unit == UNITS[-1]:  # noqa: PLR2004
            break
    return f"{factor}{unit}"
