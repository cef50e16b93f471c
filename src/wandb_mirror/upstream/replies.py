"""Sort what the server answered: data, or an error by what to do next.

GraphQL answers errors with HTTP 200 as well as with 400; both are read the same way. What says
that the server lacks a field or an argument is told apart: the query can be asked without it.
Data that comes together with errors is not used: no one can tell what it lacks.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Literal

from wandb_mirror.errors import (
    BadSettings,
    MirrorError,
    Refused,
    Throttled,
    Unauthorized,
    Unexplained,
    UpstreamBroken,
)
from wandb_mirror.jsontext import loads

NEVER_RETRIED = frozenset({400, 404, 409, 410, 413, 422, 501})
"""Besides 401 and 403; W&B's own client retries every other 4xx and 5xx
(core/internal/clients/retry_policy.go)."""
NOBODY_THERE = frozenset({404, 410})
TOO_LARGE = frozenset({502, 504})
"""A proxy gave up on the server: a smaller page may be in time."""

Sort = Literal["field", "argument", "type"]
_Q = r"[\\\"'`]*([\w.]+)[!\\\"'`]*"
_FINDINGS: tuple[tuple[Sort, str], ...] = (
    ("type", rf"unknown type {_Q}"),
    ("type", rf"variable \S+ of type {_Q} used in position expecting type"),
    ("argument", rf"unknown (?:field )?argument:? {_Q}"),
    ("argument", rf"doesn't accept argument {_Q}"),
    ("argument", rf"the argument {_Q} does not exist"),
    ("field", rf"(?:cannot query|unknown) field:? {_Q}"),
    ("field", rf"field {_Q} (?:in type|doesn't exist on type|does not exist on)"),
    ("field", rf"field {_Q}(?: of type \S+)? must (?:not )?have a selection"),
    ("field", rf"field {_Q} (?:is )?not found in type"),
)
"""How GraphQL servers say that they do not have something, in the words of the usual libraries."""
_PASSING = re.compile(
    r"time(?:d|-)? ?out|deadline|temporar|unavailable|try again|internal (?:server |system )?error"
    r"|too many requests|rate limit|connection (?:reset|refused)|overloaded",
    re.IGNORECASE,
)
_TOO_SLOW = re.compile(r"time(?:d|-)? ?out|deadline|too large|too complex", re.IGNORECASE)
_INTERNAL = re.compile(r"internal (?:server |system )?error", re.IGNORECASE)
"""An error inside the server, behind HTTP 200: one object of those asked for may be the reason, so
smaller questions are asked."""
_FORBIDDEN = re.compile(
    r"permission|forbidden|unauthori[sz]ed|not authori[sz]ed|access denied", re.IGNORECASE
)
_FINAL = re.compile(
    r"invalid|malformed|syntax|pars(?:e|ing)|not (?:found|allowed|supported|accept)|unsupported"
    r"|unknown|must |required|expect|exceed|too many|at most|no such|does not|doesn't|cannot|can't",
    re.IGNORECASE,
)
"""Words of an answer to the question: asking the same again brings the same."""
_HIDDEN = (
    (re.compile(r"(https?://[^\s?\"'<>]*)\?[^\s\"'<>]*"), r"\1?[hidden]"),
    (re.compile(r"\b(basic|bearer)\s+[\w.~+/=:-]+", re.IGNORECASE), r"\1 [hidden]"),
    (re.compile(r"[\w-]{36,}(?:\.[\w-]+)*"), "[hidden]"),
)
"""Signed addresses, headers and keys that a server or a proxy may repeat in what it says."""
LONGEST_QUOTE = 300


@dataclass(frozen=True, slots=True)
class Missing:
    """Something a query named that the server does not have."""

    sort: Sort
    name: str
    lines: tuple[int, ...] = ()
    """The lines of our document that the server pointed at."""


class MissingFields(MirrorError):
    """The server does not have everything that the query named; ask again without it."""

    def __init__(self, missing: Sequence[Missing], message: str) -> None:
        super().__init__(message)
        self.missing = tuple(missing)


class TooLarge(UpstreamBroken):
    """The question (HTTP 413) or its answer is too large: only a smaller question can pass."""

    def __init__(self, message: str) -> None:
        super().__init__(message, is_too_large=True)


def judge_status(status: int, headers: Mapping[str, str], host: str, body: bytes) -> None:
    """Raise what an HTTP status means; return where the body is to be read."""
    if status < 300:  # noqa: PLR2004
        return
    if status in (401, 403):
        raise Unauthorized(
            f"{host} does not accept the API key (HTTP {status}). Give a valid one in "
            "WANDB_API_KEY or with 'wandb login'; 'wandb-mirror doctor' says which is in use"
        )
    if status < 400:  # noqa: PLR2004
        named = (headers.get("location") or "").split("/")[2:3]
        target = "".join(named).rpartition("@")[2] or "another place"
        raise BadSettings(
            f"{host} redirects to {target} (HTTP {status}), where the key is not sent; "
            "set upstream.base_url to the server itself"
        )
    if status == 413:  # noqa: PLR2004
        raise TooLarge(f"{host} does not take a question of this size (HTTP 413)")
    if status in NEVER_RETRIED:
        if body.lstrip()[:1] == b"{":
            return
        if status in NOBODY_THERE:
            raise BadSettings(
                f"there is no W&B server at {host} (HTTP {status}); check upstream.base_url"
            )
        raise Refused(f"{host} answers HTTP {status}{_quote(body)}")
    after_seconds = read_wait(headers)
    if status == 429 or (status == 503 and after_seconds is not None):  # noqa: PLR2004
        wish = "" if after_seconds is None else f", for {after_seconds:.0f} s"
        raise Throttled(
            f"{host} asks to go slower (HTTP {status}{wish})", after_seconds=after_seconds
        )
    raise UpstreamBroken(
        f"{host} answers HTTP {status}{_quote(body)}", is_too_large=status in TOO_LARGE
    )


def read_wait(headers: Mapping[str, str]) -> float | None:
    """Return how long a reply asks to wait, in seconds, where it says so sensibly."""
    for name in ("retry-after", "ratelimit-reset"):
        text = headers.get(name, "")
        try:
            seconds = float(text)
        except ValueError:
            seconds = _seconds_until(text, headers.get("date"))
        if math.isfinite(seconds):
            return max(0.0, seconds)
    return None


def read_date(headers: Mapping[str, str]) -> datetime | None:
    """Return the server's own time as a reply dates itself, naive UTC; None where it does not."""
    try:
        return parsedate_to_datetime(headers["date"]).astimezone(UTC).replace(tzinfo=None)
    except (KeyError, ValueError, TypeError):
        return None


def _seconds_until(text: str, server_now: str | None) -> float:
    """Return the seconds to an HTTP date by the server's own clock; NaN where it says none."""
    try:
        due, now = parsedate_to_datetime(text), parsedate_to_datetime(server_now or "")
        return (due - now).total_seconds()
    except (ValueError, TypeError):
        return math.nan


def read_data(body: bytes, host: str) -> dict[str, Any]:
    """Return the ``data`` of a GraphQL reply.

    Raises ``MissingFields``, ``Refused`` or ``UpstreamBroken``.
    """
    try:
        reply = loads(body)
    except (ValueError, RecursionError):
        raise UpstreamBroken(f"{host} answers something that is not JSON{_quote(body)}") from None
    if not isinstance(reply, dict):
        raise UpstreamBroken(f"{host} answers JSON that is no GraphQL reply{_quote(body)}")
    if errors := reply.get("errors"):
        raise judge_errors(errors if isinstance(errors, list) else [errors], host)
    data = reply.get("data")
    if not isinstance(data, dict):
        raise UpstreamBroken(f"{host} answers without data{_quote(body)}")
    return data


def judge_errors(errors: Sequence[Any], host: str) -> MirrorError:
    """Return what a list of GraphQL errors means."""
    messages = [_message_of(error) for error in errors]
    missing = [found for error in errors if (found := _missing_of(error))]
    text = f"{host} answers an error: {'; '.join(map(_scrub, messages[:3]))}"
    codes = [code for error in errors if (code := _code_of(error))]
    messages += codes
    if missing:
        return MissingFields(missing, text)
    if any(map(_FORBIDDEN.search, messages)):
        return Refused(f"{text}; the key has no right to this")
    if any(map(_TOO_SLOW.search, messages)) or any(map(_INTERNAL.search, messages)):
        return UpstreamBroken(text, is_too_large=True)
    if any(map(_PASSING.search, messages)):
        return UpstreamBroken(text)
    if codes or any(map(_FINAL.search, messages)):
        return Refused(text)
    return Unexplained(text)


def _code_of(error: Any) -> str:
    """Return the code by which a server says what sort of error it is; empty where it does not."""
    extensions = error.get("extensions") if isinstance(error, dict) else None
    code = extensions.get("code") if isinstance(extensions, dict) else None
    return code.replace("_", " ") if isinstance(code, str) else ""


def _message_of(error: Any) -> str:
    message = error.get("message") if isinstance(error, dict) else error
    return _cut(str(message), 4 * LONGEST_QUOTE)


def _missing_of(error: Any) -> Missing | None:
    """Return what one error says is missing, if it says that."""
    message = _message_of(error)
    for sort, pattern in _FINDINGS:
        if found := re.search(pattern, message, re.IGNORECASE):
            return Missing(sort, found[1], _lines_of(error))
    return None


def _lines_of(error: Any) -> tuple[int, ...]:
    """Return the lines that an error points at."""
    locations = error.get("locations") if isinstance(error, dict) else None
    if not isinstance(locations, list):
        return ()
    lines = [each.get("line") for each in locations if isinstance(each, dict)]
    return tuple(line for line in lines if isinstance(line, int))


def _quote(body: bytes) -> str:
    """Return the beginning of a body as the rest of a message, on one line."""
    text = _cut(body[: 8 * LONGEST_QUOTE].decode("utf-8", "replace"), 4 * LONGEST_QUOTE)
    return f": {_scrub(text)}" if text else ""


def _scrub(text: str) -> str:
    """Return the beginning of what a server said, on one line, without what may be secret."""
    for pattern, instead in _HIDDEN:
        text = pattern.sub(instead, text)
    return _cut(" ".join(text.split()), LONGEST_QUOTE)


def _cut(text: str, length: int) -> str:
    """Return the beginning of a text, never a part of a word: half a key is a secret too."""
    if len(text) <= length:
        return text
    words = re.match(r"(.*)\s", text[: length + 1], re.DOTALL)
    return f"{words[1]} …" if words else "…"
