"""Talk to upstream: the only place that opens a connection.

The key goes to the API's own host alone: requests that would be redirected are refused.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime, timedelta
from typing import Any, TypeVar
from urllib.parse import urlsplit

import httpx

from wandb_mirror.errors import (
    Interrupted,
    Refused,
    Retry,
    Throttled,
    Unexplained,
    Unreachable,
    UpstreamBroken,
)
from wandb_mirror.jsontext import dumps
from wandb_mirror.progress import Progress, Silence
from wandb_mirror.settings import UpstreamSettings
from wandb_mirror.upstream.authority import Authority
from wandb_mirror.upstream.backoff import judge_wait
from wandb_mirror.upstream.connections import in_our_words, open_connections
from wandb_mirror.upstream.pace import Pace, Usage
from wandb_mirror.upstream.parts import check_address, judge_file
from wandb_mirror.upstream.replies import (
    NEVER_RETRIED,
    TooLarge,
    judge_status,
    read_data,
    read_date,
)

MEGABYTE = 1_000_000
Sent = TypeVar("Sent")
TRIES_OF_STRANGERS = 2
LONGEST_REPLY = 10
"""A reply that trickles in is given up after so many times ``timeout_seconds``."""


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
        progress: Progress | None = None,
    ) -> None:
        self.base_url = base_url
        self.host = urlsplit(base_url).netloc
        self._authority = authority
        self._settings = settings
        self._stop = stop or threading.Event()
        self._clock = clock
        self._jitter = jitter
        self._progress = progress or Silence()
        self._pace = Pace(settings.max_requests, clock)
        self._http = open_connections(settings, transport)
        self._server_time: tuple[datetime, float] | None = None
        self._answered: set[str] = set()
        """Hosts that did, whatever it was."""
        self._out_of_reach: dict[str, str] = {}
        """Hosts of files that never did, and why."""
        self._said = "", 0.0
        """What was said last of a problem, and until when it need not be said again."""

    def close(self) -> None:
        """Close all connections."""
        self._http.close()

    @property
    def usage(self) -> Usage:
        """What was used of upstream so far."""
        return self._pace.usage

    def server_time(self) -> datetime | None:
        """Return the time by the server's own clock, naive UTC; None where it never said."""
        if self._server_time is None:
            return None
        date, at = self._server_time
        return date + timedelta(seconds=self._clock() - at)

    def execute(self, document: str, variables: Mapping[str, Any]) -> dict[str, Any]:
        """Send a document and return the ``data`` of the reply, after as many tries as it takes.

        An error that the server does not explain may pass, so it is asked once more; what a
        mutation is answered is an answer. Raises ``Unauthorized``, ``Refused``, ``MissingFields``,
        ``BudgetSpent``, ``Interrupted``, and after the last try ``Throttled``, ``Unreachable``,
        ``UpstreamBroken`` or ``Unexplained``.
        """
        return self._try(lambda: self._send(document, variables))

    def download(self, url: str) -> bytes:
        """Return what lies behind a signed URL, which is told to nobody and gets no key.

        Raises what ``execute`` raises; ``Refused`` for an address that is none.
        """
        check_address(url, self.host)
        return self._try(lambda: self._get(url), file_host=_host_of(url))

    def attempt(self, url: str, send: Callable[[], Sent]) -> Sent:
        """Call what ``opens`` a signed URL, as many times as it takes.

        Raises what ``download`` raises.
        """
        check_address(url, self.host)
        return self._try(send, file_host=_host_of(url))

    @contextmanager
    def opened(self, url: str, headers: Mapping[str, str]) -> Iterator[httpx.Response]:
        """Ask once for what lies behind a signed URL; the body is still to be read."""
        began = self._clock()
        received = 0
        try:
            with (
                self._in_our_words(url),
                self._http.stream("GET", url, headers=headers) as response,
            ):
                self._answered.add(_host_of(url))
                try:
                    yield response
                finally:
                    received = response.num_bytes_downloaded
        finally:
            self._pace.count_reply(bytes_received=received, seconds=self._clock() - began)

    def heed_stop(self) -> None:
        """Raise ``Interrupted`` where somebody asked to stop."""
        if self._stop.is_set():
            self._sleep(0)

    def _try(self, send: Callable[[], Sent], *, file_host: str = "") -> Sent:
        """Send as many times as it takes.

        A host of files that never answered is tried in earnest once: it may be closed off, and what
        needs no file goes on.
        """
        if problem := self._out_of_reach.get(file_host):
            raise UpstreamBroken(problem)
        is_file, has_answered = bool(file_host), (file_host or self.host) in self._answered
        tries = 0
        waited = 0.0
        while True:
            tries += 1
            while (pause := self._pace.begin_request(is_retry=tries > 1, is_file=is_file)) > 0:
                self._sleep(pause)
            try:
                return self._send_once(send, is_file=is_file)
            except (Retry, Unexplained) as error:
                is_strange = is_file and not has_answered and isinstance(error, Unreachable)
                most = self._settings.max_retries
                wait = judge_wait(
                    tries,
                    error,
                    max_retries=min(most, TRIES_OF_STRANGERS) if is_strange else most,
                    jitter=self._jitter(),
                    waited_seconds=waited,
                    has_answered=has_answered,
                )
                if wait is None and is_strange:
                    self._out_of_reach[file_host] = str(error)
                    raise UpstreamBroken(str(error)) from error
                if wait is None:
                    raise
                waited += wait
                self._say(str(error), wait)
                if isinstance(error, Unreachable) and not is_file:
                    self._pace.note_unreachable()
                if isinstance(error, Throttled):
                    self._pace.pause(wait)
                else:
                    self._sleep(wait)

    def _send_once(self, send: Callable[[], Sent], *, is_file: bool) -> Sent:
        try:
            return send()
        finally:
            if not is_file:
                self._pace.end_request()

    def _say(self, problem: str, wait: float) -> None:
        """Tell what is waited for, once for all workers that meet the same."""
        now = self._clock()
        before, until = self._said
        if problem != before or now >= until:
            self._said = problem, now + wait / 2
            self._progress.say(f"{problem}; trying again in {wait:.0f} s")

    def _sleep(self, seconds: float) -> None:
        """Wait, unless somebody asks to stop."""
        if self._stop.wait(seconds):
            raise Interrupted("stopped as asked; the next sync goes on from here")

    def _send(self, document: str, variables: Mapping[str, Any]) -> dict[str, Any]:
        """Send once and sort what comes back."""
        headers = self._authority.headers(self._post_form)
        content = dumps({"query": document, "variables": dict(variables)}).encode()
        with self._in_our_words(self.base_url):
            request = self._http.build_request(
                "POST",
                f"{self.base_url}/graphql",
                content=content,
                headers={**headers, "Content-Type": "application/json"},
            )
            status, reply_headers, body = self._exchange(request)
        self._answered.add(self.host)
        self._pace.heed(reply_headers)
        self._note_time(read_date(reply_headers))
        if status == httpx.codes.TOO_MANY_REQUESTS:
            self._pace.count_throttled()
        judge_status(status, reply_headers, self.host, body)
        try:
            return read_data(body, self.host)
        except Unexplained as error:
            if status in NEVER_RETRIED or document.startswith("mutation"):
                raise Refused(str(error)) from error
            raise

    def _note_time(self, date: datetime | None) -> None:
        if date is not None:
            self._server_time = (date, self._clock())

    def _get(self, url: str) -> bytes:
        with self._in_our_words(url):
            status, headers, body = self._exchange(self._http.build_request("GET", url))
        self._answered.add(_host_of(url))
        judge_file(url, status, headers)
        return body

    def _post_form(self, url: str, form: Mapping[str, str]) -> tuple[int, bytes]:
        """Post a form and return status and body; raises ``Retry`` where that may pass."""
        with self._in_our_words(self.base_url):
            status, headers, body = self._exchange(
                self._http.build_request("POST", url, data=dict(form))
            )
        if status == httpx.codes.TOO_MANY_REQUESTS or status >= httpx.codes.INTERNAL_SERVER_ERROR:
            judge_status(status, headers, self.host, body)
        return status, body

    def _exchange(self, request: httpx.Request) -> tuple[int, httpx.Headers, bytes]:
        """Send a request and read the reply, but not one larger than the settings allow."""
        limit = self._settings.max_reply_mb * MEGABYTE
        began = self._clock()
        latest = began + LONGEST_REPLY * self._settings.timeout_seconds
        response: httpx.Response | None = None
        parts: list[bytes] = []
        size = 0
        try:
            response = self._http.send(request, stream=True)
            for part in response.iter_bytes():
                parts.append(part)
                size += len(part)
                if size > limit:
                    raise TooLarge(
                        f"{self.host} sent more than {self._settings.max_reply_mb} MB in one reply"
                    )
                if self._clock() > latest:
                    raise UpstreamBroken(
                        f"{self.host} had not ended a reply after {latest - began:g} s",
                        is_too_large=True,
                    )
        finally:
            received = 0
            if response is not None:
                response.close()
                received = response.num_bytes_downloaded
            self._pace.count_reply(bytes_received=received, seconds=self._clock() - began)
        return response.status_code, response.headers, b"".join(parts)

    def _in_our_words(self, url: str) -> AbstractContextManager[None]:
        return in_our_words(_host_of(url), self._settings.timeout_seconds)


def _host_of(url: str) -> str:
    """Return the host of an address, and its port."""
    return urlsplit(url).netloc.rpartition("@")[2]
