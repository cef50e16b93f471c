"""What all doors beside GraphQL have in common: faults, latency and the books."""

from __future__ import annotations

import asyncio
import time
from base64 import b64decode
from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import Response

from wandb_mirror.sandbox.behaviour import Behaviour
from wandb_mirror.sandbox.books import Books, Served
from wandb_mirror.sandbox.broken import ABORT, ResetReply
from wandb_mirror.sandbox.faults import Fault, Faults, Seen
from wandb_mirror.sandbox.world import World

Answer = Callable[[Request, bytes, Fault], Response]
"""From a request, its body and what goes wrong to the response."""


class Door:
    """A way in; the subclasses say what is behind."""

    def __init__(self, world: World, behaviour: Behaviour, faults: Faults, books: Books) -> None:
        self.world = world
        self.behaviour = behaviour
        self._faults = faults
        self._books = books

    async def serve(self, request: Request, operation: str, answer: Answer) -> Response:
        """Answer a request, and write it down as ``operation``."""
        at, started = time.time(), time.perf_counter()
        self._books.requests += 1
        body = await request.body()
        seen = Seen(self._books.requests, operation, target_of(request), {})
        fault = self._faults.choose(seen) or Fault()
        milliseconds = self.behaviour.latency_ms + fault.delay_ms
        if milliseconds:
            await asyncio.sleep(milliseconds / 1000)
        response = self._break(request, fault) or answer(request, body, fault)
        self._books.enter(
            Served(
                seen.number,
                operation,
                seen.document,
                {},
                dict(request.headers),
                0 if isinstance(response, ResetReply) else response.status_code,
                len(body),
                0 if request.method == "HEAD" else int(response.headers["content-length"]),
                at,
                time.perf_counter() - started,
            )
        )
        return response

    def _break(self, request: Request, fault: Fault) -> Response | None:
        """Return what a fault answers without a look at what was asked."""
        if fault.is_reset:
            return ResetReply(request.scope.get(ABORT))
        if fault.status is None:
            return None
        return Response(
            fault.body, fault.status, headers=fault.headers, media_type=fault.content_type
        )


def target_of(request: Request) -> str:
    """Return the path and the query of a request, quoted as they came."""
    path: bytes = request.scope["raw_path"]
    query: bytes = request.scope["query_string"]
    return f"{path.decode('ascii')}?{query.decode('ascii')}"


def knows(request: Request, api_key: str) -> bool:
    """Tell whether a request carries the key."""
    scheme, _, rest = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return False
    try:
        user, _, key = b64decode(rest, validate=True).decode().partition(":")
    except ValueError:
        return False
    return user == "api" and key == api_key
