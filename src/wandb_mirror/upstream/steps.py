"""Steps in the best way that a server has: windows of all, metric by metric, or everything at once.

Only windows of all say every row as it was logged. Samples say every row too where there are no
more than were asked for, and so many are always asked for; what a server holds back even so shows
in its own counts, with which whoever reads has to compare.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from wandb_mirror.errors import NotOffered, Refused
from wandb_mirror.jsontext import dumps, loads
from wandb_mirror.kinds.pages import ScopeOf, StepsReply, StepsRequest
from wandb_mirror.kinds.spec import Kind
from wandb_mirror.upstream.documents import (
    ALL_SAMPLES,
    count_samples,
    index_document,
    metrics_document,
    samples_document,
)
from wandb_mirror.upstream.rows import read_extent, read_steps
from wandb_mirror.upstream.shapes import Upstream
from wandb_mirror.upstream.writer import Document, place_of

METRICS_A_REQUEST = 200
STEP = "_step"
ALWAYS = ("_timestamp", "_runtime")
"""What a row has beside its metrics, whether upstream's index lists it or not."""


def has_windows(upstream: Upstream, kind: Kind) -> bool:
    """Tell whether the server hands out windows of steps, as far as is known."""
    place = place_of(kind.path)
    return not upstream.capabilities.lacking([place, f"{place}(minStep)", f"{place}(maxStep)"])


def fetch_steps(
    upstream: Upstream, kind: Kind, scope: ScopeOf, requests: Sequence[StepsRequest]
) -> list[StepsReply]:
    """Return windows of several parents' steps, in the order asked for.

    A server without windows is asked for the metrics of its index one by one, one without that for
    everything: then a reply holds more than its window. Raises ``NotOffered``.
    """
    if has_windows(upstream, kind):
        try:
            return upstream.fetch_steps(kind, scope, requests)
        except NotOffered:
            if has_windows(upstream, kind):
                raise
    if _has_samples(upstream, kind):
        try:
            return _fetch_by_metric(upstream, kind, scope, requests)
        except NotOffered:
            if _has_samples(upstream, kind):
                raise
    return _fetch_whole(upstream, kind, scope, requests)


def _has_samples(upstream: Upstream, kind: Kind) -> bool:
    """Tell whether the server can be asked metric by metric, as far as is known."""
    if kind.sampled is None:
        return False
    place = f"{place_of(kind.path[:-1])}.{kind.sampled.field}"
    index = f"{kind.upstream_type}.{kind.field('keys').source}"
    return not upstream.capabilities.lacking([place, f"{place}(specs)", index])


def _fetch_whole(
    upstream: Upstream, kind: Kind, scope: ScopeOf, requests: Sequence[StepsRequest]
) -> list[StepsReply]:
    """Return all rows of several parents."""

    def make(some: Sequence[StepsRequest]) -> Document:
        run_ids = [each.run_id for each in some]
        return samples_document(kind, scope, upstream.capabilities, run_ids, samples=ALL_SAMPLES)

    found = upstream.ask_for_each(kind, scope, kind.path[:-1], requests, make)
    return [replace(read_steps(node, upstream.client.host), way="whole") for node, _ in found]


@dataclass(slots=True)
class _Window:
    """One request, and the rows that have come of it."""

    request: StepsRequest
    metrics: Mapping[str, int] | None
    line_count: int | None = None
    last_step: int | None = None
    exists: bool = True
    rows: dict[Any, dict[str, Any]] = field(default_factory=dict)
    values: int = 0

    def specs(self) -> Iterator[tuple[str, str]]:
        """Yield each metric with what is asked of it; first the steps alone, for rows without."""
        for metric in dict.fromkeys((STEP, *ALWAYS, *(self.metrics or ()))):
            spec = {
                "keys": list(dict.fromkeys((STEP, metric))),
                "minStep": self.request.min_step,
                "maxStep": self.request.max_step - 1,  # inclusive here, as nowhere else
                "samples": count_samples(self.request),
            }
            yield metric, dumps(spec)

    def take(self, metric: str, rows: Sequence[Any]) -> None:
        """Put the values of one metric into the rows that they belong to."""
        metrics = self.metrics or {}
        for row in rows:
            if self._is_said_below(metric, row.get(metric)):
                continue
            self.rows.setdefault(row.get(STEP), {}).update(row)
            self.values += metric in metrics and metric != STEP

    def _is_said_below(self, metric: str, value: Any) -> bool:
        """Tell whether a value is a dict whose parts are metrics of their own in the index."""
        if not isinstance(value, Mapping) or not value or "_type" in value:
            return False
        return any(name.startswith(f"{metric}.") for name in self.metrics or ())

    def reply(self) -> StepsReply:
        """Return what has come."""
        counted = {name: n for name, n in (self.metrics or {}).items() if name != STEP}
        return StepsReply(
            [dumps(row) for row in self.rows.values()],
            self.line_count,
            self.last_step,
            exists=self.exists,
            way="by metric",
            metrics=counted,
            values=self.values,
        )


def _fetch_by_metric(
    upstream: Upstream, kind: Kind, scope: ScopeOf, requests: Sequence[StepsRequest]
) -> list[StepsReply]:
    """Return windows that are put together from samples of each metric."""
    windows = [_Window(each, each.metrics) for each in requests]
    unknown = [each for each in windows if each.metrics is None]
    if unknown:
        _learn_metrics(upstream, kind, scope, unknown)
    wanted = [(each, spec) for each in windows if each.exists for spec in each.specs()]
    for start in range(0, len(wanted), METRICS_A_REQUEST):
        _fetch_samples(upstream, kind, scope, wanted[start : start + METRICS_A_REQUEST])
    return [each.reply() for each in windows]


def _learn_metrics(
    upstream: Upstream, kind: Kind, scope: ScopeOf, windows: Sequence[_Window]
) -> None:
    """Ask upstream's index which metrics there are, and how many values each has."""

    def make(some: Sequence[_Window]) -> Document:
        run_ids = [each.request.run_id for each in some]
        return index_document(kind, scope, upstream.capabilities, run_ids)

    found = upstream.ask_for_each(kind, scope, kind.path[:-1], windows, make)
    if not _has_samples(upstream, kind):
        raise NotOffered(f"{upstream.client.host} does not say which metrics there are")
    for window, (node, _) in zip(windows, found, strict=True):
        if node is None:
            window.exists = False
            continue
        window.line_count, window.last_step = read_extent(node)
        window.metrics = read_index(node.get("keys"))


def read_index(keys: Any) -> dict[str, int]:
    """Return how many values upstream's index counts of each metric."""
    index = loads(keys) if isinstance(keys, str) and keys.strip() else keys
    listed = index.get("keys") if isinstance(index, Mapping) else None
    if not isinstance(listed, Mapping):
        return {}
    return {name: _count(entry) for name, entry in listed.items()}


def _count(entry: Any) -> int:
    """Return how many values an entry of the index counts, of whatever type."""
    types = entry.get("typeCounts") if isinstance(entry, Mapping) else None
    counts = [each.get("count") for each in types or () if isinstance(each, Mapping)]
    return sum(count for count in counts if type(count) is int)


def _fetch_samples(
    upstream: Upstream,
    kind: Kind,
    scope: ScopeOf,
    wanted: Sequence[tuple[_Window, tuple[str, str]]],
) -> None:
    """Fetch some metrics of some windows, in one request."""
    windows = {id(window): window for window, _ in wanted}
    specs = {
        key: [spec for window, spec in wanted if window is each] for key, each in windows.items()
    }

    def make(some: Sequence[int]) -> Document:
        asked = [(windows[key].request.run_id, [text for _, text in specs[key]]) for key in some]
        return metrics_document(kind, scope, upstream.capabilities, asked)

    found = upstream.ask_for_each(kind, scope, kind.path[:-1], list(specs), make)
    for key, (node, _) in zip(specs, found, strict=True):
        if node is None:
            windows[key].exists = False
            continue
        replies = node.get("samples")
        if not isinstance(replies, list) or len(replies) != len(specs[key]):
            raise Refused(f"{upstream.client.host} answers without the samples it was asked for")
        for (metric, _), rows in zip(specs[key], replies, strict=True):
            windows[key].take(metric, [row for row in rows or () if isinstance(row, Mapping)])
