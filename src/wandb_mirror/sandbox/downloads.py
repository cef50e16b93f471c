"""Files behind signed URLs: no key, and no GraphQL.

As the stores behind real signed URLs do, it answers whole files and ranges of them, and refuses a
request that brings an ``Authorization`` header beside the signature.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from wandb_mirror.sandbox.artifacts import Entry
from wandb_mirror.sandbox.broken import TruncatedReply
from wandb_mirror.sandbox.doors import Door, target_of
from wandb_mirror.sandbox.faults import Fault
from wandb_mirror.sandbox.stored_files import manifest_of

MEDIA_TYPE = "application/vnd.apache.parquet"
TWO_KEYS = (
    "<Error><Code>InvalidArgument</Code><Message>Only one auth mechanism allowed</Message></Error>"
)
EXPIRED = "<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>"


class Servable(Protocol):
    """Bytes that can be read from anywhere."""

    @property
    def size(self) -> int:
        """Bytes."""

    @property
    def etag(self) -> str:
        """Something that changes with the bytes, in quotes."""

    def read(self, start: int, stop: int) -> Iterator[bytes]:
        """Yield the bytes from ``start`` up to, not including, ``stop``."""


class FilePart(Response):
    """Some bytes of a file, read as they are sent."""

    def __init__(
        self,
        file: Servable,
        start: int,
        stop: int,
        *,
        is_part: bool,
        is_corrupt: bool = False,
        bytes_per_second: float | None = None,
    ) -> None:
        super().__init__(status_code=206 if is_part else 200, media_type=MEDIA_TYPE)
        self.headers["Content-Length"] = str(stop - start)
        self.headers["ETag"] = file.etag
        if is_part:
            self.headers["Content-Range"] = f"bytes {start}-{stop - 1}/{file.size}"
        self._file, self._start, self._stop = file, start, stop
        self._is_corrupt = is_corrupt
        self._pace = bytes_per_second

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        """Send the bytes, or the headers alone."""
        await send(
            {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
        )
        start = self._stop if scope["method"] == "HEAD" else self._start
        for chunk in self._file.read(start, self._stop):
            body = chunk.translate(MIRRORED) if self._is_corrupt else chunk
            if self._pace is not None:
                await asyncio.sleep(len(body) / self._pace)
            await send({"type": "http.response.body", "body": body, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


MIRRORED = bytes(reversed(range(256)))
"""Every byte turned over: what a file holds that went bad."""


class Downloads(Door):
    """The files of a world over HTTP."""

    async def export(self, request: Request) -> Response:
        """Answer a request for a file of an exported history."""
        return await self.serve(request, "export", self._open)

    async def artifact(self, request: Request) -> Response:
        """Answer a request for a file of a version, or for its manifest."""
        return await self.serve(request, "artifact file", self._open)

    async def run_file(self, request: Request) -> Response:
        """Answer a request for a file of a run."""
        return await self.serve(request, "run file", self._open)

    def _find(self, values: Mapping[str, Any]) -> Servable | None:
        """Return what a path names."""
        if "number" in values:
            artifact = self.world.shelf.artifacts[int(values["number"])]
            if "path" not in values:
                return manifest_of(artifact).entry
            return artifact.entries.get(values["path"])
        if "run_id" in values:
            run = self.world.run(f"{values['entity']}/{values['project']}/{values['run_id']}")
            name = values["path"]
            return Entry(name, run.uploads[name]) if name in run.uploads else None
        return self.world.exports.load(values["name"])

    def _open(self, request: Request, _body: bytes, fault: Fault) -> Response:
        """Return what a signed URL opens."""
        if "authorization" in request.headers:
            return Response(TWO_KEYS, 400, media_type="application/xml")
        with self.world.lock:
            if not self.world.tickets.admit(target_of(request), uses=self.behaviour.url_uses):
                status = self.behaviour.url_expired_status
                return Response(EXPIRED, status, media_type="application/xml")
            file = self._find(request.path_params)
        if file is None:
            return Response(status_code=404)
        if fault.truncate_at is not None:
            return TruncatedReply(b"".join(file.read(0, file.size)), fault.truncate_at)
        asked = request.headers.get("range") if self.behaviour.ranges else None
        span = read_range(asked, file.size)
        if span is None:
            headers = {"Content-Range": f"bytes */{file.size}"}
            return Response(status_code=416, headers=headers)
        pace = self.behaviour.file_bytes_per_second
        reply = FilePart(
            file,
            *span,
            is_part=is_range(asked),
            is_corrupt=fault.is_corrupt,
            bytes_per_second=pace,
        )
        if self.behaviour.ranges:
            reply.headers["Accept-Ranges"] = "bytes"
        return reply


RANGE = re.compile(r"bytes=(?!-$)(\d*)-(\d*)")


def is_range(header: str | None) -> bool:
    """Tell whether a header is a single range; any other is ignored, as HTTP allows."""
    return RANGE.fullmatch((header or "").strip()) is not None


def read_range(header: str | None, size: int) -> tuple[int, int] | None:
    """Return the first byte and the one after the last; None where there are no such bytes."""
    found = RANGE.fullmatch((header or "").strip())
    if found is None:
        return 0, size
    first, last = found.groups()
    if not first:
        first, last = str(max(0, size - int(last))), ""
    start, stop = int(first), min(size, int(last) + 1 if last else size)
    return (start, stop) if start < stop else None
