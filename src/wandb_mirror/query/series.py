"""The history of one run as rows: a dict a step, nested as it was logged.

Values are read by key, as they are stored, and turned round here: for a few thousand rows that is
quicker than a PIVOT, and a key that one step lacks is missing in that row, not null.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from wandb_mirror.jsontext import loads
from wandb_mirror.query.columns import (
    MISSING,
    Column,
    as_rows,
    complete_rows,
    end_of,
    fill_column,
    parse,
    put,
    put_nested,
)
from wandb_mirror.query.published import Published

OWN = ("_step", "_timestamp", "_runtime")


@dataclass(frozen=True, slots=True)
class Metric:
    """A key of a run's history."""

    key_no: int
    path: tuple[str, ...]
    name: str
    """As ``metrics`` shows it: parts joined by dots, with ``~2`` where another came first."""
    has_others: bool
    """Whether some of its values are no numbers, or none that a DOUBLE holds exactly."""


@dataclass(slots=True)
class Series:
    """The history of one run in one generation of the published file."""

    published: Published
    run_no: int
    _metrics: list[Metric] | None = field(default=None, init=False, repr=False)

    @property
    def metrics(self) -> list[Metric]:
        """The keys that the run logged, those that its project knew first come first."""
        if self._metrics is None:
            found = self.published.rows(
                "SELECT k.key_no, k.path, k.name, m.others + m.inexact > 0 "
                "FROM _data.metric_stats m "
                "JOIN _data.keys k ON k.key_no = m.key_no WHERE m.run_no = ? ORDER BY k.key_no",
                [self.run_no],
            )
            self._metrics = [
                Metric(number, tuple(loads(path)), name, bool(has_others))
                for number, path, name, has_others in found
            ]
        return self._metrics

    def load_steps(self, first: int = 0, stop: int | None = None) -> list[int]:
        """Return the steps from ``first`` on and before ``stop``, in order."""
        below = "" if stop is None else f" AND step < {int(stop)}"
        table = self.published.table(
            "SELECT step FROM _data.steps WHERE run_no = ? AND step >= ?"
            + below
            + " ORDER BY step",
            [self.run_no, first],
        )
        return _numbers(table.column(0), "q").tolist()

    def load_rows(self, keys: Sequence[str] | None, steps: Sequence[int]) -> list[dict[str, Any]]:
        """Return the rows at some steps, which are given in order.

        Without ``keys`` a row is as it was logged, nested. With them it has those alone, under the
        names given, and rows that lack one of them are left out, as W&B's client has it.
        """
        if not steps:
            return []
        if keys is None:
            return self._whole_rows(steps)
        return self._chosen_rows(list(dict.fromkeys(keys)), steps)

    def load_columns(self, steps: Sequence[int]) -> dict[str, Column]:
        """Return a column a metric at some steps, under its name; null where there is none."""
        if not steps:
            return {}
        loaded = self._load_columns(self.metrics, steps)
        columns = self._load_own(steps) | {each.name: loaded[each.key_no] for each in self.metrics}
        return {
            name: [None if value is MISSING else value for value in column]
            if MISSING in column
            else column
            for name, column in columns.items()
        }

    def _whole_rows(self, steps: Sequence[int]) -> list[dict[str, Any]]:
        columns = self._load_own(steps)
        loaded = self._load_columns(self.metrics, steps)
        flat = [each for each in self.metrics if len(each.path) == 1]
        for metric in flat:
            columns[metric.path[0]] = loaded[metric.key_no]
        nested = [each for each in self.metrics if len(each.path) > 1]
        return put_nested(as_rows(columns), [(each.path, loaded[each.key_no]) for each in nested])

    def _chosen_rows(self, keys: Sequence[str], steps: Sequence[int]) -> list[dict[str, Any]]:
        own = self._load_own(steps)
        wanted = {key: self.find(key) for key in keys if key not in own}
        if not all(wanted.values()):
            return []
        loaded = self._load_columns(list({m for found in wanted.values() for m in found}), steps)
        columns: dict[str, Column] = {"_step": list(steps)}
        for key in keys:
            columns[key] = own[key] if key in own else _merge(key, wanted[key], loaded)
        return complete_rows(columns)

    def find(self, key: str) -> list[Metric]:
        """Return the metrics that a key means, the first that a step has counts.

        That is a key of just this name, then one nested so, then what lies below the name.
        """
        parts = tuple(key.split("."))
        exact = [each for each in self.metrics if each.path == (key,)]
        exact += [
            each for each in self.metrics if len(each.path) > 1 and ".".join(each.path) == key
        ]
        below = [
            each
            for each in self.metrics
            if len(each.path) > 1
            and (
                each.path[:1] == (key,)
                or (len(each.path) > len(parts) and each.path[: len(parts)] == parts)
            )
        ]
        named = [each for each in self.metrics if each.name == key]
        return list(dict.fromkeys([*exact, *below])) or named

    def _load_own(self, steps: Sequence[int]) -> dict[str, Column]:
        """Return the columns that every history has."""
        table = self._read(
            f"SELECT step, timestamp, runtime FROM _data.steps {self._where(steps)} ORDER BY step",
            steps,
        )
        found = _numbers(table.column(0), "q").tolist()
        columns: dict[str, Column] = {"_step": list(steps)}
        for place, name in enumerate(OWN[1:], 1):
            column = table.column(place)
            if column.null_count:
                values = [MISSING if each is None else each for each in column.to_pylist()]
            else:
                values = _numbers(column, "d").tolist()
            by_step = values if found == columns["_step"] else dict(zip(found, values, strict=True))
            columns[name] = values if by_step is values else [by_step[step] for step in steps]
        return columns

    def _load_columns(self, metrics: Sequence[Metric], steps: Sequence[int]) -> dict[int, Column]:
        """Return the values of some keys at some steps, by the key's number."""
        empty = [MISSING] * len(steps)
        columns: dict[int, Column] = {metric.key_no: empty for metric in metrics}
        if not metrics:
            return columns
        listed = ", ".join(str(metric.key_no) for metric in metrics)
        where = f"{self._where(steps)} AND key_no IN ({listed})"
        table = self._read(
            "SELECT key_no, step, coalesce(value, 'nan'::DOUBLE) AS value "
            f"FROM _data.history {where} ORDER BY key_no, step",
            steps,
        )
        has_others = any(metric.has_others for metric in metrics)
        others = self._load_others(where, steps) if has_others else {}
        key_nos = _numbers(table.column(0), "i")
        at = _numbers(table.column(1), "q")
        values = _numbers(table.column(2), "d").tolist()
        all_steps = array("q", steps)
        start = 0
        while start < len(key_nos):
            end = end_of(key_nos, start)
            key_no = key_nos[start]
            columns[key_no] = fill_column(
                all_steps, at[start:end], values[start:end], others.get(key_no, {})
            )
            start = end
        return columns

    def _load_others(self, where: str, steps: Sequence[int]) -> dict[int, dict[int, Any]]:
        """Return the values that are no plain numbers, by key and step."""
        sql = f"SELECT key_no, step, json FROM _data.history {where} AND json IS NOT NULL"
        others: dict[int, dict[int, Any]] = {}
        for row in self._read(sql, steps).to_pylist():
            others.setdefault(row["key_no"], {})[row["step"]] = parse(row["json"])
        return others

    def _where(self, steps: Sequence[int]) -> str:
        """Return the condition on the run and on steps; few of many are handed to ``_read``."""
        where = f"WHERE run_no = {self.run_no} AND step BETWEEN {steps[0]} AND {steps[-1]}"
        return f"{where} AND step IN (SELECT number FROM chosen)" if _is_sparse(steps) else where

    def _read(self, sql: str, steps: Sequence[int]) -> pa.Table:
        if _is_sparse(steps):
            return self.published.join(sql, steps)
        return self.published.table(sql)


def _is_sparse(steps: Sequence[int]) -> bool:
    """Tell whether more steps lie between the first and the last than are wanted."""
    return steps[-1] - steps[0] >= 2 * len(steps)


def _numbers(column: pa.ChunkedArray, code: str) -> array[Any]:
    """Return a column without nulls, straight from memory."""
    found: array[Any] = array(code)
    for chunk in column.chunks:
        start = chunk.offset * found.itemsize
        buffer = memoryview(chunk.buffers()[1]) if len(chunk) else b""
        found.frombytes(buffer[start : start + len(chunk) * found.itemsize])
    return found


def _merge(key: str, metrics: Sequence[Metric], loaded: dict[int, Column]) -> Column:
    """Return what a key means at each step: a value, or what lies below it, nested again."""
    if len(metrics) == 1 and not _rest_below(key, metrics[0]):
        return loaded[metrics[0].key_no]
    merged: Column = []
    for values in zip(*(loaded[metric.key_no] for metric in metrics), strict=True):
        found: Any = MISSING
        for metric, value in zip(metrics, values, strict=True):
            if value is MISSING:
                continue
            rest = _rest_below(key, metric)
            if not rest:
                found = value
                break
            if found is MISSING:
                found = {}
            put(found, rest, value)
        merged.append(found)
    return merged


def _rest_below(key: str, metric: Metric) -> tuple[str, ...]:
    """Return the part of a metric's path that lies below a key; empty where the key is all."""
    if metric.name == key or ".".join(metric.path) == key:
        return ()
    if metric.path[0] == key:
        return metric.path[1:]
    return metric.path[key.count(".") + 1 :]
