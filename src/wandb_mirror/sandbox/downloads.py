"""Files behind signed URLs: no key, and no GraphQL.

As the stores behind real signed URLs do, it answers whole files and ranges of them, and refuses a
request that brings an ``Authorization`` header beside the signature.
"""

from __future__ import annotations

import asyncio
import os
import re
import time

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from wandb_mirror.sandbox.behaviour import Behaviour
from wandb_mirror.sandbox.books import Books, Served
from wandb_mirror.sandbox.broken import ABORT, ResetReply, TruncatedReply
from wandb_mirror.sandbox.exports import ExportFile
from wandb_mirror.sandbox.faults import Fault, Faults, Seen
from wandb_mirror.sandbox.world import World

OPERATION = "export"
"""What the books call a request for a file."""
CHUNK_BYTES = 1 << 20
MEDIA_TYPE = "application/vnd.apache.parquet"
TWO_KEYS = (
    "<Error><Code>InvalidArgument</Code><Message>Only one auth mechanism allowed</Message></Error>"
)
EXPIRED = "<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>"


class FilePart(Response):
    """Some bytes of a file, read as they are sent."""

    def __init__(
        self, file: ExportFile, start: int, stop: int, *, is_corrupt: bool = False
    ) -> None:
        is_whole = (start, stop) == (0, file.size)
        super().__init__(status_code=200 if is_whole else 206, media_type=MEDIA_TYPE)
        self.headers["Content-Length"] = str(stop - start)
        self.headers["Accept-Ranges"] = "bytes"
        self.headers["ETag"] = file.etag
        if not is_whole:
            self.headers["Content-Range"] = f"bytes {start}-{stop - 1}/{file.size}"
        self.sent_bytes = stop - start
        self._file, self._start, self._stop = file, start, stop
        self._is_corrupt = is_corrupt

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        """Send the bytes, or the headers alone."""
        await send(
            {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
        )
        with self._file.path.open("rb") as opened:
            place = self._stop if scope["method"] == "HEAD" else self._start
            while place < self._stop:
                chunk = os.pread(opened.fileno(), min(CHUNK_BYTES, self._stop - place), place)
                place += len(chunk)
                if self._is_corrupt:
                    chunk = chunk.translate(MIRRORED)
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


MIRRORED = bytes(reversed(range(256)))
"""Every byte turned over: what a file holds that went bad."""


class Downloads:
    """The files of a world over HTTP."""

    def __init__(self, world: World, behaviour: Behaviour, faults: Faults, books: Books) -> None:
        self._world = world
        self._behaviour = behaviour
        self._faults = faults
        self._books = books

    async def get(self, request: Request) -> Response:
        """Answer a request for a file, and write it down."""
        at, started = time.time(), time.perf_counter()
        self._books.requests += 1
        target = f"{request.url.path}?{request.url.query}"
        seen = Seen(self._books.requests, OPERATION, target, {})
        response = await self._answer(request, target, self._faults.choose(seen) or Fault())
        sent = response.sent_bytes if isinstance(response, FilePart) else len(response.body)
        self._books.enter(
            Served(
                seen.number,
                OPERATION,
                target,
                {},
                dict(request.headers),
                0 if isinstance(response, ResetReply) else response.status_code,
                0,
                sent,
                at,
                time.perf_counter() - started,
            )
        )
        return response

    async def _answer(self, request: Request, target: str, fault: Fault) -> Response:
        milliseconds = self._behaviour.latency_ms + fault.delay_ms
        if milliseconds:
            await asyncio.sleep(milliseconds / 1000)
        if fault.is_reset:
            return ResetReply(request.scope.get(ABORT))
        if fault.status is not None:
            return Response(
                fault.body, fault.status, headers=fault.headers, media_type=fault.content_type
            )
        return self._open(request, target, fault)

    def _open(self, request: Request, target: str, fault: Fault) -> Response:
        """Return what a signed URL opens."""
        if "authorization" in request.headers:
            return Response(TWO_KEYS, 400, media_type="application/xml")
        with self._world.lock:
            name = self._world.exports.admit(target, self._behaviour)
            if name is None:
                status = self._behaviour.url_expired_status
                return Response(EXPIRED, status, media_type="application/xml")
            file = self._world.exports.load(name)
        if fault.truncate_at is not None:
            return TruncatedReply(file.path.read_bytes(), fault.truncate_at)
        span = read_range(request.headers.get("range"), file.size)
        if span is None:
            headers = {"Content-Range": f"bytes */{file.size}"}
            return Response(status_code=416, headers=headers)
        return FilePart(file, *span, is_corrupt=fault.is_corrupt)


def read_range(header: str | None, size: int) -> tuple[int, int] | None:
    """Return the first byte and the one after the last; None where there are no such bytes.

    A header that is not a single range is ignored, as HTTP allows.
    """
    found = re.fullmatch(r"bytes=(\d*)-(\d*)", (header or "").strip())
    if found is None or found.groups() == ("", ""):
        return 0, size
    first, last = found.groups()
    if not first:
        first, last = str(max(0, size - int(last))), ""
    start, stop = int(first), min(size, int(last) + 1 if last else size)
    return (start, stop) if start < stop else None
