"""Fetch one large file by one stream, or where that is slow by parts, several at a time.

One stream costs the least; a far server gives more to several. Bytes are written in order: what is
written is at any moment the beginning of the file, so that a download that was killed goes on where
it ends, and a checksum can follow.
"""

from __future__ import annotations

import os
import threading
import time
from functools import partial

from wandb_mirror.errors import MirrorError
from wandb_mirror.pull.pool import Pool
from wandb_mirror.sink import Sink
from wandb_mirror.upstream.client import Client
from wandb_mirror.upstream.transfers import download_part, download_rest, download_while

LARGE = 64 << 20
"""Files from so many bytes on may be fetched by parts."""
PART_BYTES, MOST_PARTS = 2 << 20, 6
"""So many parts are under way or wait for those before them: they are held in memory."""
SLOW, SECONDS = 100 << 20, 1.0
"""A stream is slow that brings fewer bytes a second, over so many seconds. A checksum is computed
of five times as many."""

Part = tuple[int, memoryview, MirrorError | None]
"""Where a part begins, its bytes, and why they did not come, if they did not."""


class Watch:
    """Tells whether a stream is fast."""

    def __init__(self) -> None:
        self._since = time.monotonic()
        self._came = 0

    def is_fast(self, count: int) -> bool:
        """Tell whether it was, up to so many more bytes; a stream that has just begun is."""
        self._came += count
        seconds = time.monotonic() - self._since
        if seconds < SECONDS:
            return True
        came, self._came = self._came, 0
        self._since += seconds
        return came >= SLOW * seconds


def download_large(
    client: Client, url: str, sink: Sink, *, size: int, workers: int, stop: threading.Event
) -> None:
    """Write what lies behind a signed URL to a file, from where its content ends.

    Raises what ``download_rest`` does, after writing what came before the part that is missing.
    """
    if workers == 1:
        download_rest(client, url, sink, most=size)
    elif not download_while(client, url, sink, most=size, goes_on=Watch().is_fast):
        _download_parts(client, url, sink, size=size, workers=workers, stop=stop)


def _download_parts(
    client: Client, url: str, sink: Sink, *, size: int, workers: int, stop: threading.Event
) -> None:
    written = asked = sink.seek(0, os.SEEK_END)
    free = [memoryview(bytearray(PART_BYTES)) for _ in range(MOST_PARTS)]
    early: dict[int, memoryview] = {}
    problem: MirrorError | None = None
    with Pool[Part](min(workers, MOST_PARTS), stop) as pool:
        while written < size and (problem is None or pool.under_way):
            while problem is None and asked < size and free:
                part = free.pop()[: size - asked]
                pool.submit(partial(_fetch_part, client, url, asked, part))
                asked += len(part)
            for start, part, trouble in pool.drain(down_to=pool.under_way - 1):
                problem = problem or trouble
                if trouble is None:
                    early[start] = part
                while (ready := early.pop(written, None)) is not None:
                    written += sink.write(ready)
                    free.append(ready)
    if problem is not None:
        raise problem


def _fetch_part(client: Client, url: str, start: int, part: memoryview) -> Part:
    try:
        download_part(client, url, start, part)
    except MirrorError as error:
        return start, part, error
    return start, part, None
