"""Numbers compared as Python compares them: an integer that no double holds equals no double.

DuckDB would round the integer first, and take 2^53 + 1 for 2^53.
"""

from __future__ import annotations

import math

EXACT = 2**53
"""Integers nearer to zero are doubles."""
LARGEST = 2**127
"""Integers from here on are compared as the nearest double."""
TOWARDS = {"=": None, ">": ">=", ">=": ">=", "<": "<=", "<=": "<="}
AWAY = {"=": None, ">": ">", ">=": ">", "<": "<", "<=": "<"}


def as_integer(number: float) -> int | float:
    """Return a number as an integer where it is whole, to be compared with integers exactly."""
    is_whole = math.isfinite(number) and number == int(number) and abs(number) < LARGEST
    return int(number) if is_whole else number


def is_past_exact(operand: object) -> bool:
    """Whether a column of doubles may hold a rounded integer that compares with it otherwise."""
    return isinstance(operand, (int, float)) and abs(operand) >= EXACT


def against_doubles(symbol: str, number: float) -> tuple[str | None, float]:
    """Return what doubles are to be compared with, and how; None where none of them passes."""
    near = float(number)
    if near == number:
        return symbol, near
    is_beyond = (near > number) == (symbol in (">", ">="))
    return (TOWARDS if is_beyond else AWAY)[symbol], near
