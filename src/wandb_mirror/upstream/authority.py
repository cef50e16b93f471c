"""The headers that let us in: Basic for a key, Bearer for an exchanged identity token.

They are made anew for each request to the API's own host and are never part of the connection, so
nothing that is fetched from another host carries them.
"""

from __future__ import annotations

import base64
import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from wandb_mirror.errors import BadSettings, Unauthorized, UpstreamBroken
from wandb_mirror.jsontext import loads
from wandb_mirror.upstream.credentials import Credentials

RENEWED_BEFORE_SECONDS = 300.0
"""W&B's client renews an access token five minutes before it ends."""
USUAL_LIFETIME_SECONDS = 3600.0
GRANT_TYPE = "urn:ietf:params:oauth:grant-type:jwt-bearer"
TOKEN_SHAPE = re.compile(r"[\x21-\x7e]+")

PostForm = Callable[[str, Mapping[str, str]], tuple[int, bytes]]
"""Posts a form to an address and returns status and body; raises ``Retry`` where that may pass."""


@dataclass(slots=True)
class Authority:
    """Gives each request its headers of trust; never shows them otherwise."""

    base_url: str
    credentials: Credentials
    clock: Callable[[], float] = time.monotonic
    _token: str = field(default="", repr=False)
    _renew_at: float | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def headers(self, post_form: PostForm) -> dict[str, str]:
        """Return the headers for one request to the API's host."""
        return {**self.credentials.extra_headers, "Authorization": self._authorization(post_form)}

    def _authorization(self, post_form: PostForm) -> str:
        if self.credentials.api_key is not None:
            pair = base64.b64encode(f"api:{self.credentials.api_key}".encode()).decode()
            return f"Basic {pair}"
        with self._lock:
            if self._renew_at is None or self.clock() >= self._renew_at:
                self._renew(post_form)
            return f"Bearer {self._token}"

    def _renew(self, post_form: PostForm) -> None:
        """Exchange the identity token for an access token."""
        path = self.credentials.token_file
        try:
            assertion = path.read_text(encoding="utf-8").strip() if path else ""
        except (OSError, UnicodeDecodeError):
            raise BadSettings(f"identity token file {path} cannot be read") from None
        began = self.clock()
        status, body = post_form(
            f"{self.base_url}/oidc/token", {"grant_type": GRANT_TYPE, "assertion": assertion}
        )
        if status != 200:  # noqa: PLR2004
            raise Unauthorized(
                f"{self.base_url} does not accept the identity token in {path} (HTTP {status}); "
                "have a new one written there"
            )
        self._token, lifetime = _read_grant(body, self.base_url)
        self._renew_at = began + lifetime - min(RENEWED_BEFORE_SECONDS, lifetime / 2)


def _read_grant(body: bytes, base_url: str) -> tuple[str, float]:
    """Return an access token and for how many seconds it holds; nothing of it gets into errors."""
    try:
        granted = loads(body)
        token, lifetime = granted["access_token"], granted.get("expires_in")
        lifetime = USUAL_LIFETIME_SECONDS if lifetime is None else float(lifetime)
    except (ValueError, TypeError, KeyError, AttributeError):
        token, lifetime = None, 0.0
    if not isinstance(token, str) or not TOKEN_SHAPE.fullmatch(token) or not lifetime > 0:
        raise UpstreamBroken(f"{base_url} answers an identity token with no access token")
    return token, lifetime
