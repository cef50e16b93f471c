"""Histories of one run, of several, or of a project's runs that pass a filter, as one table."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from wandb_mirror.errors import BadFilter
from wandb_mirror.mirror.paths import parse_project, parse_run
from wandb_mirror.query.history import Wanted, find_incomplete, find_run, load_histories
from wandb_mirror.query.published import Published
from wandb_mirror.query.runs import ask_runs

if TYPE_CHECKING:
    import pyarrow as pa

PARTS_OF_PROJECT = 2


@dataclass(frozen=True, slots=True)
class Histories:
    """A question for histories: nothing is read before a table is asked for.

    A row a step, a column a metric: DOUBLE for a metric that is a number somewhere, with NULL where
    it is not, else text. ``metrics`` in SQL and ``Api`` have each value as it was logged.
    """

    read: Callable[[], Published]
    runs: str | Sequence[str]
    wanted: Wanted
    filters: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be meant, before anything is opened."""
        if self.wanted.needs not in {"any", "all"}:
            raise BadFilter(f"needs is 'any' or 'all', not {self.wanted.needs!r}")
        if isinstance(self.wanted.keys, str):
            raise BadFilter(f"keys are a list of names: [{self.wanted.keys!r}]")
        if self.wanted.samples is not None and self.wanted.samples < 1:
            raise BadFilter(f"samples is 1 or more, not {self.wanted.samples}; None is every row")
        if self.filters is not None and not self._is_project:
            raise BadFilter("filters choose among the runs of a project: name that, not runs")

    @property
    def _is_project(self) -> bool:
        """Whether a project is named, and not runs."""
        return isinstance(self.runs, str) and len(self.runs.split("/")) == PARTS_OF_PROJECT

    def load(self) -> tuple[pa.Table, int]:
        """Return the table, and of how many runs rows are missing which upstream has.

        Raises ``NotMirrored``, ``BadPath``, ``BadFilter``.
        """
        with self.read() as published:
            paths, run_nos = self._find(published)
            table = load_histories(published, run_nos, self.wanted)
            return _named(table, paths), find_incomplete(published, run_nos)

    def to_arrow(self) -> pa.Table:
        """Return the table; warns with ``IncompleteHistory`` where rows are missing."""
        table, incomplete = self.load()
        if incomplete:
            from wandb_mirror.api.history import IncompleteHistory  # noqa: PLC0415  (rarely)

            warnings.warn(say_incomplete(incomplete), IncompleteHistory, stacklevel=2)
        return table

    def to_pandas(self) -> Any:
        """Return the table as a pandas DataFrame."""
        from wandb_mirror.api.frames import need  # noqa: PLC0415  (imports Arrow)

        need("pandas")
        return self.to_arrow().to_pandas()

    def to_polars(self) -> Any:
        """Return the table as a polars DataFrame."""
        from wandb_mirror.api.frames import polars_from  # noqa: PLC0415  (imports Arrow)

        return polars_from(self.to_arrow())

    def to_dicts(self) -> list[dict[str, Any]]:
        """Return the table as a dict a row; None stands for what a row lacks."""
        return list(self)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Yield a dict a row."""
        for batch in self.to_arrow().to_batches(max_chunksize=10_000):
            yield from batch.to_pylist()

    def _find(self, published: Published) -> tuple[list[tuple[str, str, str]] | None, list[int]]:
        """Return the paths of the runs and their numbers; no paths where one run is named."""
        if self._is_project:
            entity, project = parse_project(str(self.runs))
            numbers = ask_runs(published, entity, project, filters=self.filters).numbers()
            named = dict(
                published.rows(
                    "SELECT run_no, run_id FROM main.runs WHERE entity = ? AND project = ?",
                    [entity, project],
                )
            )
            return [(entity, project, named[number]) for number in numbers], numbers
        if isinstance(self.runs, str):
            return None, [find_run(published, parse_run(self.runs))]
        paths = [parse_run(run) for run in dict.fromkeys(self.runs)]
        return paths, [find_run(published, path) for path in paths]


def say_incomplete(count: int) -> str:
    """Return a sentence about histories that are not all here."""
    whose = "one run" if count == 1 else f"{count} runs"
    return f"the history of {whose} is not all here; 'wandb-mirror sync' fetches it"


def _named(table: pa.Table, paths: Sequence[tuple[str, str, str]] | None) -> pa.Table:
    """Return a table that names its runs, as far as there may be several."""
    import pyarrow as pa  # noqa: PLC0415  (slow to import, and most readers need none)

    places, table = table.column(0), table.remove_column(0)
    if paths is None:
        return table
    is_one_project = len({path[:2] for path in paths}) <= 1
    shown = ("run_id",) if is_one_project else ("entity", "project", "run_id")
    table = table.rename_columns([f"{e}~2" if e in shown else e for e in table.column_names])
    for at, name in enumerate(shown):
        part = ("entity", "project", "run_id").index(name)
        names = pa.array([path[part] for path in paths], pa.string())
        table = table.add_column(at, name, names.take(places.combine_chunks()))
    return table
