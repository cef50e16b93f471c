"""What a store says when it is asked for a file, or for the rest of one."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

import httpx

from wandb_mirror.errors import Refused, UpstreamBroken
from wandb_mirror.upstream.replies import judge_status

NOTHING_LEFT = httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE
_PART = re.compile(r"bytes (\d+)-")


def check_address(url: str, host: str) -> None:
    """Refuse what is no address of the web."""
    try:
        is_web = urlsplit(url).scheme in ("http", "https") and httpx.URL(url).host != ""
    except (ValueError, httpx.InvalidURL):
        is_web = False
    if not is_web:
        raise Refused(f"{host} names a file by something that is no address")


def judge_file(url: str, status: int, headers: httpx.Headers) -> None:
    """Raise what a status means where a file was asked for."""
    host = urlsplit(url).netloc.rpartition("@")[2]
    if status == httpx.codes.TOO_MANY_REQUESTS or status >= httpx.codes.INTERNAL_SERVER_ERROR:
        judge_status(status, headers, host, b"")
    if status != httpx.codes.OK:
        raise Refused(f"{host} does not hand out a file (HTTP {status})")


def judge_part(url: str, status: int, headers: httpx.Headers, start: int) -> None:
    """Raise what an answer means where a file from ``start`` on was asked for, or a part of it.

    A server may send the whole file for any range. One that has nothing after ``start`` says so
    (RFC 9110, 14.2 and 15.5.17), and then the file was complete. Raises what ``judge_file`` raises,
    ``UpstreamBroken`` for another part.
    """
    host = urlsplit(url).netloc.rpartition("@")[2]
    if status == httpx.codes.PARTIAL_CONTENT:
        found = _PART.match(headers.get("content-range", ""))
        if found is None or int(found[1]) != start:
            raise UpstreamBroken(f"{host} sends another part of a file than it was asked for")
    elif status != NOTHING_LEFT or not start:
        judge_file(url, status, headers)
