"""Bytes behind signed URLs: whole, the rest of a file, or a part of one.

A connection that breaks is taken up where it broke. Each function raises what ``Client.download``
does, and ``Refused`` for more bytes than there should be.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
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
    client.attempt(url, lambda: _fetch(client, url, file, "", 0, most=None))


def download_rest(client: Client, url: str, file: Sink, *, most: int | None) -> None:
    """Write what lies behind a URL to a file, from where its content ends."""

    def fetch_on() -> None:
        there = file.seek(0, os.SEEK_END)
        _fetch(client, url, file, f"bytes={there}-" if there else "", there, most=most)

    client.attempt(url, fetch_on)


def download_while(
    client: Client, url: str, file: Sink, *, most: int, goes_on: Callable[[int], bool]
) -> bool:
    """Do what ``download_rest`` does, as long as ``goes_on`` says so of the bytes that came.

    Tells whether all is there. A server that hands out whole files alone is never left half-way.
    """

    def fetch_on() -> bool:
        there = file.seek(0, os.SEEK_END)
        return _fetch(client, url, file, f"bytes={there}-", there, most=most, goes_on=goes_on)

    return client.attempt(url, fetch_on)


def download_part(client: Client, url: str, start: int, part: memoryview) -> None:
    """Fill a part with the bytes of a file from ``start`` on."""
    came = 0

    def fetch_on() -> None:
        nonlocal came
        span = f"bytes={start + came}-{start + len(part) - 1}"
        with _opened(client, url, span, start + came) as response:
            if response.status_code != httpx.codes.PARTIAL_CONTENT:
                raise UpstreamBroken(f"{client.host} sends no part of a file, as it did before")
            for piece in response.iter_bytes():
                _check_size(client, came + len(piece), len(part))
                part[came : came + len(piece)] = piece
                came += len(piece)
        if came < len(part):
            raise UpstreamBroken(f"{client.host} sends less of a file than it was asked for")

    client.attempt(url, fetch_on)


def _fetch(
    client: Client,
    url: str,
    file: Sink,
    span: str,
    there: int,
    *,
    most: int | None,
    goes_on: Callable[[int], bool] | None = None,
) -> bool:
    """Fetch once; nothing but the file grows with what comes. Tells whether it came to its end."""
    try:
        with _opened(client, url, span, there) as response:
            is_whole = response.status_code == httpx.codes.OK
            at = 0 if is_whole else there
            if file.seek(0, os.SEEK_END) > at:  # ext4 flushes what was ever cut down to nothing
                file.seek(at)
                file.truncate()
            for piece in response.iter_bytes() if response.status_code != NOTHING_LEFT else ():
                file.write(piece)
                at += len(piece)
                _check_size(client, at, most)
                if not (is_whole or goes_on is None or goes_on(len(piece)) or at == most):
                    return False
    finally:
        file.flush()
    return True


@contextmanager
def _opened(client: Client, url: str, span: str, start: int) -> Iterator[httpx.Response]:
    """Ask for bytes, from ``start`` where a span is named, and judge what comes."""
    headers = PLAIN | ({"Range": span} if span else {})
    with client.opened(url, headers) as response:
        judge_part(url, response.status_code, response.headers, start)
        yield response


def _check_size(client: Client, at: int, most: int | None) -> None:
    """Refuse more than there should be; stop where somebody asks for it."""
    if most is not None and at > most:
        raise Refused(f"{client.host} sends more than the {most} bytes it said")
    client.heed_stop()
