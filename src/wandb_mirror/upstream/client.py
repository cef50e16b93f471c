"""Talk to upstream: the only place that opens a connection.

The key goes to the API's own host alone: requests that would be redirected are refused.
"""

from __future__ import annotations

import random
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from wandb_mirror.errors import (
    BadSettings,
    Interrupted,
    Retry,
    Throttled,
    Unreachable,
    UpstreamBroken,
)
from wandb_mirror.settings import UpstreamSettings
from wandb_mirror.upstream.authority import Authority
from wandb_mirror.upstream.backoff import judge_wait
from wandb_mirror.upstream.pace import Pace, Usage
from wandb_mirror.upstream.replies import judge_status, read_data

MEGABYTE = 1_000_000


class Client:
    """Sends GraphQL documents; every method may be called from several threads at once."""

    def __init__(
        self,
        base_url: str,
        authority: Authority,
        settings: UpstreamSettings,
        *,
        stop: threading.Event | None = None,
        transport: httpx.BaseTransport | None = None,
        clock: Callable[[], float] = time.monotonic,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.base_url = base_url
        self.host = urlsplit(base_url).netloc
        self._authority = authority
        self._settings = settings
        self._stop = stop or threading.Event()
        self._jitter = jitter
        self._pace = Pace(settings.max_requests, clock)
        self._http = httpx.Client(
            timeout=settings.timeout_seconds,
            limits=httpx.Limits(
                max_connections=settings.workers, max_keepalive_connections=settings.workers
            ),
            headers={"User-Agent": f"wandb-mirror/{version('wandb-mirror')}"},
            verify=_trust(settings.ca_file),
            transport=transport,
        )

    def close(self) -> None:
        """Close all connections."""
        self._http.close()

    @property
    def usage(self) -> Usage:
        """What was used of upstream so far."""
        return self._pace.usage

    def execute(self, document: str, variables: Mapping[str, Any]) -> dict[str, Any]:
        """Send a document and return the ``data`` of the reply, after as many tries as it takes.

        Raises ``Unauthorized``, ``Refused``, ``MissingFields``, ``BudgetSpent``, ``Interrupted``,
        and after the last try ``Throttled``, ``Unreachable`` or ``UpstreamBroken``.
        """
        tries = 0
        while True:
            tries += 1
            self._sleep(self._pace.seconds_to_wait())
            self._pace.begin_request(is_retry=tries > 1)
            try:
                return self._send(document, variables)
            except Retry as error:
                wait = judge_wait(
                    tries, error, max_retries=self._settings.max_retries, jitter=self._jitter()
                )
                if wait is None:
                    raise
                if isinstance(error, Throttled):
                    self._pace.pause(wait)
                else:
                    self._sleep(wait)

    def _sleep(self, seconds: float) -> None:
        """Wait, unless somebody asks to stop."""
        if seconds > 0 and self._stop.wait(seconds):
            raise Interrupted("stopped as asked; the next sync goes on from here")

    def _send(self, document: str, variables: Mapping[str, Any]) -> dict[str, Any]:
        """Send once; errors of the connection become ours here and nowhere else."""
        payload = {"query": document, "variables": dict(variables)}
        try:
            with self._http.stream(
                "POST",
                f"{self.base_url}/graphql",
                json=payload,
                headers=self._authority.headers(self._http),
            ) as response:
                self._pace.heed(response.headers)
                body = self._read(response)
                if response.status_code == httpx.codes.TOO_MANY_REQUESTS:
                    self._pace.count_throttled()
                judge_status(response.status_code, response.headers, self.host, body)
        except httpx.TimeoutException as error:
            seconds = self._settings.timeout_seconds
            is_slow = isinstance(error, httpx.ReadTimeout)
            raise UpstreamBroken(
                f"{self.host} did not answer within {seconds:g} s", is_too_large=is_slow
            ) from error
        except httpx.UnsupportedProtocol as error:
            raise BadSettings(f"{self.base_url} is not a server's address") from error
        except httpx.DecodingError as error:
            raise UpstreamBroken(f"{self.host} sent a reply that cannot be unpacked") from error
        except httpx.RemoteProtocolError as error:
            raise UpstreamBroken(f"{self.host} broke off in the middle of a reply") from error
        except httpx.HTTPError as error:
            raise Unreachable(f"{self.host} cannot be reached: {_why(error)}") from error
        return read_data(body, self.host)

    def _read(self, response: httpx.Response) -> bytes:
        """Return the body, but not one larger than the settings allow."""
        limit = self._settings.max_reply_mb * MEGABYTE
        parts: list[bytes] = []
        size = 0
        try:
            for part in response.iter_bytes():
                parts.append(part)
                size += len(part)
                if size > limit:
                    raise UpstreamBroken(
                        f"{self.host} sent more than {self._settings.max_reply_mb} MB in one reply",
                        is_too_large=True,
                    )
        finally:
            self._pace.count_bytes(response.num_bytes_downloaded)
        return b"".join(parts)


def _trust(ca_file: str) -> ssl.SSLContext | bool:
    """Return what certificates are checked against; httpx itself heeds ``SSL_CERT_FILE``."""
    if not ca_file:
        return True
    try:
        return ssl.create_default_context(cafile=str(Path(ca_file).expanduser()))
    except (OSError, ssl.SSLError) as error:
        raise BadSettings(f"upstream.ca_file: {ca_file} holds no certificate authority") from error


def _why(error: httpx.HTTPError) -> str:
    """Return what is wrong with a connection, without the request's headers."""
    return str(error) or type(error).__name__
