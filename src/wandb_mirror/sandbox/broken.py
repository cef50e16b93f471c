"""Replies that go wrong on the way."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from wandb_mirror.sandbox.engine import Reply
from wandb_mirror.sandbox.faults import Fault

ABORT = "sandbox.abort"
"""Where the protocol leaves, in a request's scope, how to reset its connection."""


class ResetReply(Response):
    """No reply: the connection is reset."""

    def __init__(self, abort: Callable[[], None] | None) -> None:
        super().__init__()
        self._abort = abort

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        """Answer nothing."""
        if self._abort is not None:
            self._abort()
        await asyncio.sleep(0)  # lets the protocol learn that its connection is gone


class TruncatedReply(Response):
    """A reply that breaks off: the length it announces never comes."""

    def __init__(self, body: bytes, share: float) -> None:
        super().__init__(body, media_type="application/json")
        self._end = min(len(body) - 1, int(len(body) * share))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        """Send the beginning, then close."""
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        part = bytes(self.body)[: self._end]
        await send({"type": "http.response.body", "body": part, "more_body": True})
        abort = scope.get(ABORT)
        if abort is not None:
            await asyncio.sleep(0.01)  # lets the part leave before the connection goes
            abort()
            await asyncio.sleep(0)


def spoil(reply: Reply, fault: Fault) -> Reply:
    """Return the reply with an error, and null where the error is about."""
    document = json.loads(reply.body)
    document.setdefault("errors", []).append(
        {"message": fault.error, "path": list(fault.null_path or ())}
    )
    inner = document["data"]
    if fault.null_path is not None and inner is not None:
        for key in fault.null_path[:-1]:
            inner = inner[key]
        inner[fault.null_path[-1]] = None
    return Reply(reply.status, json.dumps(document).encode())
