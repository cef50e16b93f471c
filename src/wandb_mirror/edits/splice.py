"""Change members of a JSON object in its text; every byte of the others stays as it is.

What upstream holds beside an edited key (telemetry, other people's keys, numbers that Python would
write otherwise) must go back exactly as it came.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from wandb_mirror.edits.values import ABSENT
from wandb_mirror.jsontext import dumps

_SPACE = re.compile(r"[ \t\r\n]*")
_DECODER = json.JSONDecoder(strict=False)


@dataclass(frozen=True, slots=True)
class _Member:
    """Where a member of an object stands in the text."""

    start: int
    value: int
    end: int


def set_members(text: str, changes: Mapping[str, Any]) -> str:
    """Return the text of an object with members set, or taken out where they are ``ABSENT``.

    Raises ``ValueError`` where the text is no JSON object.
    """
    raw = {key: None if value is ABSENT else dumps(value) for key, value in changes.items()}
    return _set_raw(text, raw)


def set_wrapped(text: str, changes: Mapping[str, Any]) -> str:
    """Return the text of a config as W&B wraps it, with values set and descriptions kept."""
    members = _find(text)
    raw: dict[str, str | None] = {}
    for key, value in changes.items():
        if value is ABSENT:
            raw[key] = None
            continue
        place = members.get(key)
        old = "" if place is None else text[place.value : place.end]
        is_wrapped = old.startswith("{") and "value" in _find(old)
        raw[key] = (
            _set_raw(old, {"value": dumps(value)})
            if is_wrapped
            else f'{{"value":{dumps(value)},"desc":null}}'
        )
    return _set_raw(text, raw)


def _set_raw(text: str, changes: Mapping[str, str | None]) -> str:
    """Put raw JSON in the place of members' values; None takes a member out."""
    members = _find(text)
    known = list(members)
    for key in reversed(known):
        if key not in changes:
            continue
        place, raw = members[key], changes[key]
        if raw is not None:
            text = text[: place.value] + raw + text[place.end :]
        else:
            text = _take_out(text, place)
    added = [f"{dumps(key)}:{raw}" for key, raw in changes.items() if key not in members and raw]
    if not added:
        return text
    close = text.rindex("}")
    is_empty = not _find(text)
    return text[:close] + ("" if is_empty else ",") + ",".join(added) + text[close:]


def _take_out(text: str, place: _Member) -> str:
    """Take a member out, with the comma after it or, where it is the last, before it."""
    after = _skip(text, place.end)
    if text[after] == ",":
        return text[: place.start] + text[_skip(text, after + 1) :]
    before = text[: place.start].rstrip(" \t\r\n")
    return before.removesuffix(",") + text[place.end :]


def _find(text: str) -> dict[str, _Member]:
    """Return where the members of an object stand; of twins the last, as JSON parsers take it."""
    at = _skip(text, 0)
    if text[at : at + 1] != "{":
        raise ValueError("this is no JSON object")
    members: dict[str, _Member] = {}
    at = _skip(text, at + 1)
    try:
        while text[at] != "}":
            start = at
            key, at = _DECODER.raw_decode(text, at)
            at = _skip(text, at)
            if not isinstance(key, str) or text[at] != ":":
                raise ValueError("this is no JSON object")
            value = _skip(text, at + 1)
            _, end = _DECODER.raw_decode(text, value)
            members[key] = _Member(start, value, end)
            at = _skip(text, end)
            if text[at] == ",":
                at = _skip(text, at + 1)
    except (IndexError, RecursionError) as error:
        raise ValueError("this is no JSON object") from error
    return members


def _skip(text: str, at: int) -> int:
    """Return where the next word begins."""
    found = _SPACE.match(text, at)
    return at if found is None else found.end()
