"""Upstream's text on a terminal."""

from __future__ import annotations

CONTROL = {number: f"\\x{number:02x}" for number in (*range(32), *range(127, 160))}


def readable(text: str) -> str:
    """Return text without escape sequences: upstream's text must not steer a terminal."""
    return text.translate(CONTROL)
