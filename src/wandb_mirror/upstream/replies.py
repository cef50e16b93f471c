"""Sort what the server answered: data, or an error by what to do next.

GraphQL answers errors with HTTP 200 as well as with 400; both are read the same way. What says
that the server lacks a field or an argument is told apart: the query can be asked without it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any

from wandb_mirror.errors import (
    MirrorError,
    Refused,
    Throttled,
    Unauthorized,
    UpstreamBroken,
)
from wandb_mirror.jsontext import loads

NEVER_RETRIED = frozenset({400, 404, 409, 410, 413, 422, 501})
"""W&B's own client retries every other 4xx and 5xx (core/internal/clients/retry_policy.go)."""
TOO_LARGE = frozenset({413, 502, 504})
_QUOTED = r"[\"'`]([^\"'`]+)[\"'`]"
_NO_FIELD = re.compile(rf"Cannot query field {_QUOTED} on type {_QUOTED}")
_NO_ARGUMENT = re.compile(rf"Unknown argument {_QUOTED} on field {_QUOTED}")
_NO_TYPE = re.compile(rf"Unknown type {_QUOTED}")
_PASSING = re.compile(r"timeout|timed out|deadline|temporar|unavailable|try again|internal", re.IGNORECASE)
_FORBIDDEN = re.compile(
    r"permission|forbidden|unauthori[sz]ed|not authori[sz]ed|access denied", re.IGNORECASE
)
LONGEST_QUOTE = 300


@dataclass(frozen=True, slots=True)
class Missing:
    """Something a query named that the server does not have."""

    name: str
    """The field, the argument or the type."""
    line: int | None
    """The line of our document that the server pointed at."""


class MissingFields(MirrorError):
    """The server does not have everything that the query named; ask again without it."""

    def __init__(self, missing: Sequence[Missing], message: str) -> None:
        super().__init__(message)
        self.missing = tuple(missing)


def judge_status(status: int, headers: Mapping[str, str], host: str, body: bytes) -> None:
    """Raise what an HTTP status means; return where the body is to be read."""
    if status in (401, 403):
        raise Unauthorized(
            f"{host} does not accept the API key (HTTP {status}); "
            "check whose key is in use with 'wandb-mirror doctor'"
        )
    if status == 429:  # noqa: PLR2004
        raise Throttled(f"{host} asks to go slower (HTTP 429)", after_seconds=_wait_of(headers))
    if 300 <= status < 400:  # noqa: PLR2004
        raise Refused(f"{host} redirects to another place (HTTP {status}); is the address right?")
    if status >= 500 and status != 501:  # noqa: PLR2004
        raise UpstreamBroken(f"{host} answers HTTP {status}", is_too_large=status in TOO_LARGE)
    if status in NEVER_RETRIED and not _is_json(body):
        if status == 413:  # noqa: PLR2004
            raise UpstreamBroken(f"{host} answers HTTP 413", is_too_large=True)
        raise Refused(f"{host} answers HTTP {status}; is it a W&B server?")
    if status >= 400 and status not in NEVER_RETRIED:  # noqa: PLR2004
        raise UpstreamBroken(f"{host} answers HTTP {status}")


def _is_json(body: bytes) -> bool:
    return body.lstrip()[:1] == b"{"


def _wait_of(headers: Mapping[str, str]) -> float | None:
    """Return how long a 429 asks to wait, in seconds."""
    text = headers.get("retry-after") or headers.get("ratelimit-reset")
    if text is None:
        return None
    try:
        return max(0.0, float(text))
    except ValueError:
        pass
    try:
        due = parsedate_to_datetime(text)
        now = parsedate_to_datetime(headers["date"])
        return max(0.0, (due - now).total_seconds())
    except (ValueError, KeyError, TypeError):
        return None


def read_data(body: bytes, host: str) -> dict[str, Any]:
    """Return the ``data`` of a GraphQL reply.

    Raises ``MissingFields``, ``Unauthorized``, ``Refused`` or ``UpstreamBroken``. Data that came
    together with errors is not used: no one can tell what it lacks.
    """
    try:
        reply = loads(body)
    except ValueError as error:
        raise UpstreamBroken(
            f"{host} answers something that is not JSON: {_quote(body)}"
        ) from error
    if not isinstance(reply, dict):
        raise UpstreamBroken(f"{host} answers JSON that is no GraphQL reply: {_quote(body)}")
    if errors := reply.get("errors"):
        raise judge_errors(errors if isinstance(errors, list) else [errors], host)
    data = reply.get("data")
    if not isinstance(data, dict):
        raise UpstreamBroken(f"{host} answers without data: {_quote(body)}")
    return data


def judge_errors(errors: Sequence[Any], host: str) -> MirrorError:
    """Return what a list of GraphQL errors means."""
    messages = [_message_of(error) for error in errors]
    missing = [found for error in errors if (found := _missing_of(error))]
    text = f"{host} answers an error: {'; '.join(messages[:3])}"[: LONGEST_QUOTE * 2]
    if missing:
        return MissingFields(missing, text)
    if any(_PASSING.search(message) for message in messages):
        return UpstreamBroken(text, is_too_large="time" in text)
    if any(_FORBIDDEN.search(message) for message in messages):
        return Refused(f"{text}; the key may not read this")
    return Refused(text)


def _message_of(error: Any) -> str:
    message = error.get("message") if isinstance(error, dict) else error
    return str(message)[:LONGEST_QUOTE]


def _missing_of(error: Any) -> Missing | None:
    """Return what one error says is missing, if it says that."""
    message = _message_of(error)
    for pattern in (_NO_FIELD, _NO_ARGUMENT, _NO_TYPE):
        if found := pattern.search(message):
            return Missing(found[1], _line_of(error))
    return None


def _line_of(error: Any) -> int | None:
    """Return the line that an error points at."""
    try:
        line = error["locations"][0]["line"]
    except (KeyError, IndexError, TypeError):
        return None
    return line if isinstance(line, int) else None


def _quote(body: bytes) -> str:
    """Return the beginning of a body for a message, on one line."""
    return " ".join(body[:120].decode("utf-8", "replace").split())
