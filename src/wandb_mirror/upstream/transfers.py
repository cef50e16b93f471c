"""Bytes behind signed URLs: whole, the rest of a file, or a part of one.

A connection that breaks is taken up where it broke. Each function raises what ``Client.download``
does, and ``Refused`` for more bytes than there should be.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from wandb_mirror.errors import Refused, UpstreamBroken
from wandb_mirror.sink import Sink
from wandb_mirror.upstream.client import Client
from wandb_mirror.upstream.parts import NOTHING_LEFT, judge_part

PLAIN = {"Accept-Encoding": "identity"}
"""A range is of the bytes as they are kept."""


def download_into(client: Client, url: str, file: Sink) -> None:
    """Write what lies behind a URL to an empty file, however large it is."""
    client.attempt(url, lambda: _fetch(client, url, file, 0, most=None))


def download_rest(client: Client, url: str, file: Sink, *, most: int | None) -> None:
    """Write what lies behind a URL to a file, from where its content ends."""
    client.attempt(url, lambda: _fetch(client, url, file, file.seek(0, os.SEEK_END), most=most))


def download_part(client: Client, url: str, start: int, part: memoryview) -> None:
    """Fill a part with the bytes of a file from ``start`` on.

    Raises ``NotOffered`` where the server hands out whole files alone.
    """
    came = 0

    def fetch_on() -> None:
        nonlocal came
        span = f"bytes={start + came}-{start + len(part) - 1}"
        with _opened(client, url, span, start + came, must_be_part=True) as response:
            for piece in response.iter_bytes():
                _check_size(client, came + len(piece), len(part))
                part[came : came + len(piece)] = piece
                came += len(piece)
        if came < len(part):
            raise UpstreamBroken(f"{client.host} sends less of a file than it was asked for")

    client.attempt(url, fetch_on)


def _fetch(client: Client, url: str, file: Sink, there: int, *, most: int | None) -> None:
    """Fetch once; nothing but the file grows with what comes."""
    try:
        with _opened(client, url, f"bytes={there}-" if there else "", there) as response:
            is_whole = response.status_code == httpx.codes.OK
            at = file.seek(0 if is_whole else there)
            file.truncate()
            for piece in response.iter_bytes() if response.status_code != NOTHING_LEFT else ():
                file.write(piece)
                at += len(piece)
                _check_size(client, at, most)
    finally:
        file.flush()


@contextmanager
def _opened(
    client: Client, url: str, span: str, start: int, *, must_be_part: bool = False
) -> Iterator[httpx.Response]:
    """Ask for bytes, from ``start`` where a span is named, and judge what comes."""
    headers = PLAIN | ({"Range": span} if span else {})
    with client.opened(url, headers) as response:
        judge_part(url, response.status_code, response.headers, start, must_be_part=must_be_part)
        yield response


def _check_size(client: Client, at: int, most: int | None) -> None:
    """Refuse more than there should be; stop where somebody asks for it."""
    if most is not None and at > most:
        raise Refused(f"{client.host} sends more than the {most} bytes it said")
    client.heed_stop()
