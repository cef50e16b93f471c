"""The ``Authorization`` header: Basic for a key, Bearer for an exchanged identity token."""

from __future__ import annotations

import base64
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx

from wandb_mirror.errors import BadSettings, Unauthorized, Unreachable
from wandb_mirror.upstream.credentials import Credentials

RENEWED_BEFORE_SECONDS = 300.0
"""W&B's client renews an access token five minutes before it ends."""
GRANT_TYPE = "urn:ietf:params:oauth:grant-type:jwt-bearer"


@dataclass(slots=True)
class Authority:
    """Gives each request its ``Authorization`` header; never shows it otherwise."""

    base_url: str
    credentials: Credentials
    clock: Callable[[], float] = time.monotonic
    _token: str = field(default="", repr=False)
    _ends_at: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def headers(self, http: httpx.Client) -> dict[str, str]:
        """Return the header for one request to the API's host."""
        if self.credentials.api_key is not None:
            pair = base64.b64encode(f"api:{self.credentials.api_key}".encode()).decode()
            return {"Authorization": f"Basic {pair}"}
        with self._lock:
            if self.clock() > self._ends_at - RENEWED_BEFORE_SECONDS:
                self._renew(http)
            return {"Authorization": f"Bearer {self._token}"}

    def _renew(self, http: httpx.Client) -> None:
        """Exchange the identity token for an access token."""
        path = self.credentials.token_file
        try:
            assertion = path.read_text(encoding="utf-8").strip() if path else ""
        except OSError as error:
            raise BadSettings(f"identity token file {path} cannot be read") from error
        try:
            reply = http.post(
                f"{self.base_url}/oidc/token",
                data={"grant_type": GRANT_TYPE, "assertion": assertion},
            )
        except httpx.HTTPError as error:
            raise Unreachable(f"{self.base_url} cannot be reached to exchange the token") from error
        if reply.status_code != httpx.codes.OK:
            raise Unauthorized(
                f"the server does not accept the identity token in {path} "
                f"(HTTP {reply.status_code})"
            )
        granted: dict[str, Any] = reply.json()
        self._token = str(granted["access_token"])
        self._ends_at = self.clock() + float(granted.get("expires_in", 3600))
