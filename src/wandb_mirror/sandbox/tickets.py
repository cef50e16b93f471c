"""Signed URLs: who has one needs no key, until it is worn out."""

from __future__ import annotations

import hmac
import time
from collections import Counter
from urllib.parse import parse_qs

DEFAULT_SECONDS = 86_400.0
"""How long a URL is good where nothing else is said."""


class Tickets:
    """Signs paths, and tells which URLs are good; held with the world's lock."""

    def __init__(self, seed: int) -> None:
        self._secret = f"tickets {seed}".encode()
        self._uses: Counter[str] = Counter()
        self.count = 0
        """How many were given out."""

    def sign(self, path: str, seconds: float | None = None) -> str:
        """Return a quoted path with a query that opens it; another one each time."""
        self.count += 1
        expires = time.time() + (DEFAULT_SECONDS if seconds is None else seconds)
        claim = f"{path}?ticket={self.count}&expires={expires:.3f}"
        return f"{claim}&signature={self._seal(claim)}"

    def _seal(self, claim: str) -> str:
        return hmac.new(self._secret, claim.encode(), "sha256").hexdigest()

    def admit(self, target: str, *, uses: int | None = None) -> bool:
        """Tell whether a path with its query is opened, once more than before."""
        claim, _, signature = target.rpartition("&signature=")
        if not hmac.compare_digest(signature.encode(), self._seal(claim).encode()):
            return False
        values = parse_qs(claim.partition("?")[2])
        ticket = values["ticket"][0]
        self._uses[ticket] += 1
        is_worn = uses is not None and self._uses[ticket] > uses
        return not is_worn and time.time() <= float(values["expires"][0])
