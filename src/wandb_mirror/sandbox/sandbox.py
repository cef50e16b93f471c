"""A running sandbox: in a thread for tests, or in a process of its own."""

from __future__ import annotations

import asyncio
import itertools
import signal
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from types import TracebackType
from typing import Any, Self, cast

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from wandb_mirror.sandbox.behaviour import Behaviour
from wandb_mirror.sandbox.books import Served, Stats
from wandb_mirror.sandbox.broken import ABORT
from wandb_mirror.sandbox.faults import Faults
from wandb_mirror.sandbox.generate import generate_world
from wandb_mirror.sandbox.server import Server
from wandb_mirror.sandbox.world import World

START_SECONDS = 10.0
TICK_SECONDS = 0.1
"""What uvicorn counts in."""


class Sandbox:
    """A W&B-compatible server on a free port of the loopback interface.

    ``with Sandbox(world, latency_ms=20) as box:`` serves until the block ends; options are the
    fields of ``Behaviour``.
    """

    def __init__(
        self, world: World | None = None, behaviour: Behaviour | None = None, **options: Any
    ) -> None:
        self.world = generate_world() if world is None else world
        self._socket, self._store = bind("127.0.0.1", 0), bind("127.0.0.1", 0)
        chosen = replace(behaviour or Behaviour(), **options)
        self._server = Server(self.world, chosen, url_of(self._store))
        self._uvicorn = _make_uvicorn(self._server)
        self._thread = threading.Thread(
            target=self._uvicorn.run,
            args=([self._socket, self._store],),
            name="sandbox",
            daemon=True,
        )

    def __enter__(self) -> Self:
        """Start; returns when requests are served."""
        self._thread.start()
        if not self._uvicorn.is_ready.wait(START_SECONDS):
            raise TimeoutError("the sandbox did not start")
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop."""
        self._uvicorn.stop_soon()
        self._thread.join(START_SECONDS)
        self._socket.close()
        self._store.close()

    @property
    def base_url(self) -> str:
        """Where it listens."""
        return url_of(self._socket)

    @property
    def api_key(self) -> str:
        """The key that opens it."""
        return self.world.api_key

    @property
    def faults(self) -> Faults:
        """What goes wrong, and when."""
        return self._server.faults

    @property
    def behaviour(self) -> Behaviour:
        """How it differs from a complete and friendly server."""
        return self._server.behaviour

    @property
    def requests(self) -> list[Served]:
        """What was asked and answered so far, the oldest first."""
        return list(self._server.books.served.copy())

    def stats(self) -> Stats:
        """Return the totals so far."""
        return self._server.books.stats()


def run_server(
    world: World,
    behaviour: Behaviour | None = None,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    on_ready: Callable[[str], None] = lambda _base_url: None,
) -> None:
    """Serve until SIGTERM or SIGINT; ``on_ready`` is told the address. For the main thread."""
    with bind(host, port) as listener, bind(host, 0) as store:
        server = _make_uvicorn(Server(world, behaviour or Behaviour(), url_of(store)))
        server.on_ready = lambda: on_ready(url_of(listener))
        with _no_signals():
            server.run([listener, store])


@contextmanager
def _no_signals() -> Iterator[None]:
    """Let signals do nothing: uvicorn stops at one, and then raises it again."""
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, lambda *_: None) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


def bind(host: str, port: int) -> socket.socket:
    """Return a socket that is bound, so that its port is known before the server starts."""
    # Said in full: asyncio sends small replies at once (TCP_NODELAY) only where it sees "TCP".
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError:
        listener.close()
        raise
    return listener


def url_of(listener: socket.socket) -> str:
    """Return where a bound socket is found."""
    address, port = listener.getsockname()[:2]
    return f"http://{address}:{port}"


class _Uvicorn(uvicorn.Server):
    """Tells when it is ready, and stops at once when another thread says so."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.is_ready = threading.Event()
        self.on_ready: Callable[[], None] = lambda: None
        self._wake = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start listening."""
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets)
        self.is_ready.set()
        self.on_ready()

    async def main_loop(self) -> None:
        """Wait for the end, and keep the clock of the ``Date`` header going."""
        ticks = itertools.count()
        while not await self.on_tick(next(ticks)):
            with suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), TICK_SECONDS)

    def stop_soon(self) -> None:
        """Stop without waiting for open connections."""
        self.should_exit = self.force_exit = True
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._wake.set)


class _Protocol(H11Protocol):
    """Leaves a way to reset the connection in each request's scope."""

    def handle_events(self) -> None:
        """Read what came in."""
        super().handle_events()
        if self.scope is not None:
            cast("dict[str, Any]", self.scope)[ABORT] = self._abort

    def _abort(self) -> None:
        """Close the connection with a reset, throwing away what was not sent."""
        transport: asyncio.Transport = self.transport
        linger = struct.pack("ii", 1, 0)
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        transport.abort()


def _make_uvicorn(server: Server) -> _Uvicorn:
    return _Uvicorn(
        uvicorn.Config(
            server.app,
            http=_Protocol,
            ws="none",
            loop="asyncio",
            lifespan="off",
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=1,
        )
    )
