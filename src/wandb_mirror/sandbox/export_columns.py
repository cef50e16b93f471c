"""Logged values as columns of a Parquet file, as W&B's exports hold them.

Nobody publishes how W&B writes these files; what is known comes from the programs that read them:
``wandb/weave`` (``ops_domain/run_history``) and ``wandb-core`` (``internal/runhistoryreader``).

- Every number is a DOUBLE, ``_step`` too ("parquet stores step as a float, but we want it as an
  int"), with real NaN and infinities, which ``wandb-core`` spells out when it reads them.
- A dict is a struct, a list a list; a key without values has no column, and null is not told from
  absent.
- A column of several types is a struct with a field a type: ``_type_float64``, ``_type_utf8``,
  ``_type_bool``, ``_type_struct``, ``_type_list``; in older files it is BINARY that holds JSON.
- Files of one run may have different schemas.

What those programs leave open is decided here: an empty dict, a list of several types and a list
that is always empty are BINARY that holds JSON, with W&B's strings for non-finite numbers.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

import pyarrow as pa

from wandb_mirror.sandbox.behaviour import ExportShape
from wandb_mirror.sandbox.history import gather
from wandb_mirror.sandbox.projection import spell_inside

INT64 = range(-(2**63), 2**63)
_FIELDS = {
    int: "_type_float64",
    float: "_type_float64",
    str: "_type_utf8",
    bool: "_type_bool",
    dict: "_type_struct",
    list: "_type_list",
}
"""The field of a union that holds values of a type."""


def make_table(columns: Mapping[str, Sequence[Any]], shape: ExportShape) -> pa.Table:
    """Return a table of columns that are all equally long; those without values are left out."""
    arrays = {}
    for name, values in columns.items():
        whole = shape.step == "bigint" if name == "_step" else shape.integers == "exact"
        array = _make_array(values, shape, keeps_integers=whole)
        if array is not None:
            arrays[_clean(name)] = array
    return pa.table(arrays)


def _make_array(
    values: Sequence[Any], shape: ExportShape, *, keeps_integers: bool
) -> pa.Array | None:
    """Return a column, or None where there is nothing but None."""
    kinds = set(map(type, values)) - {type(None)}
    if not kinds:
        return None
    if kinds <= {int, float}:
        return _make_numbers(values, keeps_integers=keeps_integers and float not in kinds)
    if len({_FIELDS[kind] for kind in kinds}) > 1:
        return _make_mixed(values, shape, keeps_integers=keeps_integers)
    if kinds == {bool}:
        return pa.array(values, pa.bool_())
    if kinds == {str}:
        texts = pa.array([value and _clean(value) for value in values], pa.string())
        return texts.dictionary_encode() if shape.strings == "dictionary" else texts
    make = _make_struct if kinds == {dict} else _make_list
    array = make(values, shape, keeps_integers=keeps_integers)
    return _make_json(values) if array is None else array


def _make_numbers(values: Sequence[Any], *, keeps_integers: bool) -> pa.Array:
    if not keeps_integers:
        return pa.array([_to_double(value) for value in values], pa.float64())
    if all(value is None or value in INT64 for value in values):
        return pa.array(values, pa.int64())
    return _make_json(values)


def _to_double(value: float | None) -> float | None:
    """Return the nearest double; what is beyond all doubles is infinite."""
    if value is None:
        return None
    try:
        return float(value)
    except OverflowError:
        return float("inf") if value > 0 else float("-inf")


def _make_struct(
    values: Sequence[Any], shape: ExportShape, *, keeps_integers: bool
) -> pa.Array | None:
    """Return a struct; None where a dict is empty, which no struct can say."""
    if not all(value for value in values if value is not None):
        return None
    children = {}
    for name, inner in gather([value or {} for value in values]).items():
        child = _make_array(inner, shape, keeps_integers=keeps_integers)
        if child is not None:
            children[_clean(name)] = child
    if not children:
        return None
    is_null = pa.array([value is None for value in values])
    return pa.StructArray.from_arrays(list(children.values()), list(children), mask=is_null)


def _make_list(
    values: Sequence[Any], shape: ExportShape, *, keeps_integers: bool
) -> pa.Array | None:
    """Return a list of one type; None where there is no such type."""
    items = list(chain.from_iterable(value for value in values if value is not None))
    if len({_FIELDS[type(item)] for item in items if item is not None}) != 1:
        return None
    child = _make_array(items, shape, keeps_integers=keeps_integers)
    offsets: list[int | None] = []
    place = 0
    for value in values:
        offsets.append(None if value is None else place)
        place += len(value or ())
    return pa.ListArray.from_arrays(pa.array([*offsets, place], pa.int32()), child)


def _make_mixed(values: Sequence[Any], shape: ExportShape, *, keeps_integers: bool) -> pa.Array:
    """Return a column of several types."""
    if shape.mixed == "json":
        return _make_json(values)
    names = [None if value is None else _FIELDS[type(value)] for value in values]
    children = {}
    for name in dict.fromkeys(filter(None, names)):
        inner = [value if own == name else None for value, own in zip(values, names, strict=True)]
        children[name] = _make_array(inner, shape, keeps_integers=keeps_integers)
    is_null = pa.array([value is None for value in values])
    return pa.StructArray.from_arrays(list(children.values()), list(children), mask=is_null)


def _make_json(values: Sequence[Any]) -> pa.Array:
    texts = [
        None if value is None else json.dumps(spell_inside(value)).encode() for value in values
    ]
    return pa.array(texts, pa.binary())


def _clean(text: str) -> str:
    """Return text that UTF-8 can hold: a lone surrogate becomes U+FFFD, as in Go."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
