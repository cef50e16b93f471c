"""The sandbox over HTTP: ``POST /graphql``, and ``/sandbox/...`` for other processes."""

from __future__ import annotations

import asyncio
import gzip
import json
import time
from collections.abc import Mapping
from dataclasses import asdict
from itertools import pairwise
from typing import Any

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from wandb_mirror.sandbox.behaviour import Behaviour
from wandb_mirror.sandbox.books import Books, Served
from wandb_mirror.sandbox.broken import ABORT, ResetReply, TruncatedReply, spoil
from wandb_mirror.sandbox.doors import knows
from wandb_mirror.sandbox.downloads import Downloads
from wandb_mirror.sandbox.engine import Engine, Reply, read_payload
from wandb_mirror.sandbox.exports import FOLDER
from wandb_mirror.sandbox.faults import Fault, Faults, Seen
from wandb_mirror.sandbox.intake import STREAM, Intake
from wandb_mirror.sandbox.limiter import Limiter
from wandb_mirror.sandbox.run_files import UPLOADS
from wandb_mirror.sandbox.stored_files import ARTIFACT_FILES, MANIFESTS, RUN_FILES
from wandb_mirror.sandbox.world import World

LEAST_PACKED_BYTES = 1_000
CLIENT_GONE = 499
"""What servers write into their logs for a client that was killed while it asked."""


class Server:
    """The HTTP side of one world; ``app`` is an ASGI application, ``store_url`` where files are."""

    def __init__(self, world: World, behaviour: Behaviour, store_url: str = "") -> None:
        self.world = world
        self.behaviour = behaviour
        self.faults = Faults(world.seed)
        world.edits_move_updated_at = behaviour.updated_at == "moves"
        self._engine = Engine(world, behaviour, store_url)
        self.books = Books()
        self._limiter = Limiter(behaviour.rate_limit)
        downloads = Downloads(world, behaviour, self.faults, self.books)
        intake = Intake(world, behaviour, self.faults, self.books)
        self.app = Starlette(
            routes=[
                Route("/graphql", self._graphql, methods=["POST"]),
                Route(FOLDER + "{name}", downloads.export, methods=["GET"]),
                Route(MANIFESTS + "{number}/{name}", downloads.artifact, methods=["GET"]),
                Route(ARTIFACT_FILES + "{number}/{path:path}", downloads.artifact, methods=["GET"]),
                Route(
                    RUN_FILES + "{entity}/{project}/{run_id}/{path:path}",
                    downloads.run_file,
                    methods=["GET"],
                ),
                Route(STREAM, intake.stream, methods=["POST"]),
                Route(UPLOADS + "{path:path}", intake.upload, methods=["PUT"]),
                Route("/sandbox/stats", self._stats, methods=["GET"]),
                Route("/sandbox/change", self._change, methods=["POST"]),
            ],
            exception_handlers={ClientDisconnect: _answer_nobody},
        )

    async def _graphql(self, request: Request) -> Response:
        at, started = time.time(), time.perf_counter()
        body = await request.body()
        payload = read_payload(body)
        self.books.requests += 1
        seen = Seen(
            self.books.requests,
            _operation_of(payload),
            str(payload.get("query", "")),
            payload.get("variables") or {},
        )
        response = await self._answer(request, seen, body)
        self.books.enter(
            Served(
                seen.number,
                seen.operation,
                seen.document,
                seen.variables,
                dict(request.headers),
                0 if isinstance(response, ResetReply) else response.status_code,
                len(body),
                len(response.body),
                at,
                time.perf_counter() - started,
            )
        )
        return response

    async def _answer(self, request: Request, seen: Seen, body: bytes) -> Response:
        fault = self.faults.choose(seen) or self._limiter.admit() or Fault()
        milliseconds = self.behaviour.latency_ms + fault.delay_ms
        if milliseconds:
            await asyncio.sleep(milliseconds / 1000)
        if fault.is_reset:
            return ResetReply(request.scope.get(ABORT))
        if fault.status is not None:
            return Response(
                fault.body, fault.status, headers=fault.headers, media_type=fault.content_type
            )
        is_known = knows(request, self.world.api_key)
        if not is_known and self.behaviour.bad_key == "401":
            return JSONResponse({"error": "unauthorized"}, 401)
        reply = self._engine.answer(body, is_known=is_known, tricks=fault.tricks)
        if fault.error is not None:
            reply = spoil(reply, fault)
        limit = self.behaviour.max_reply_bytes
        if limit is not None and len(reply.body) > limit:
            return JSONResponse({"error": "upstream"}, self.behaviour.too_large_status)
        if fault.truncate_at is not None:
            return TruncatedReply(reply.body, fault.truncate_at)
        return self._pack(request, reply)

    def _pack(self, request: Request, reply: Reply) -> Response:
        """Return the response, packed where that was asked for."""
        body, headers = reply.body, self._limiter.headers()
        accepts = "gzip" in request.headers.get("accept-encoding", "")
        if self.behaviour.compresses and accepts and len(body) >= LEAST_PACKED_BYTES:
            body = gzip.compress(body, compresslevel=1, mtime=0)
            headers["Content-Encoding"] = "gzip"
        return Response(body, reply.status, headers=headers, media_type="application/json")

    async def _stats(self, _request: Request) -> Response:
        self.books.cpu_seconds = time.thread_time()
        return JSONResponse(asdict(self.books.stats()))

    async def _change(self, request: Request) -> Response:
        """Call a method of the world: ``{"call": "edit", "arguments": {"run": "e/p/r", ...}}``."""
        wanted = json.loads(await request.body())
        if wanted["call"] not in CHANGES:
            return JSONResponse({"error": f"no such change: {wanted['call']}"}, 400)
        arguments = dict(wanted.get("arguments") or {})
        if isinstance(arguments.get("project"), str):
            arguments["project"] = self.world.project(*arguments["project"].split("/", 1))
        getattr(self.world, wanted["call"])(**arguments)
        return JSONResponse({"version": self.world.version})


CHANGES = frozenset(
    {
        "create_project", "create_run", "log", "finish", "edit", "delete", "restore",
        "rename_project", "hide_project", "show_project", "move_run", "rewind", "crash",
    }
)  # fmt: skip
"""What another process may call."""


def _operation_of(payload: Mapping[str, Any]) -> str:
    """Return the name of the operation, as the request or its document says it."""
    name = payload.get("operationName")
    if name:
        return str(name)
    words = str(payload.get("query", "")).replace("(", " ").replace("{", " ").split()
    named = (word for before, word in pairwise(words) if before in ROOTS)
    return next(named, "")


ROOTS = ("query", "mutation")


def _answer_nobody(_request: Request, _error: Exception) -> Response:
    """End a request whose client is gone: that is the client's affair and no error here."""
    return Response(status_code=CLIENT_GONE)
