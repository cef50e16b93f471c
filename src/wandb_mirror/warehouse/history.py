"""History in: pages of steps become rows, and each run's cursor moves with them.

Rows, cursor, status and counts of a run are one transaction of one database: whatever is shown of
a run's history is what its row says.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from wandb_mirror.history.columns import Column, StepColumns, StepsPage
from wandb_mirror.kinds.pages import HistoryCursor, HistoryStatus
from wandb_mirror.settings import Settings
from wandb_mirror.warehouse.engine import Database
from wandb_mirror.warehouse.incoming import (
    Arrived,
    joined,
    joined_json,
    repeated,
    rows_table,
    steps_table,
    whole_rows,
)
from wandb_mirror.warehouse.numbers import Numbers
from wandb_mirror.warehouse.rows import Rows, append
from wandb_mirror.warehouse.staging import Staging
from wandb_mirror.warehouse.tables import VALUES
from wandb_mirror.warehouse.wide import Wide

METRIC = "metric"


class History:
    """The history tables of a warehouse."""

    def __init__(self, database: Database, numbers: Numbers, settings: Settings) -> None:
        self._database = database
        self._numbers = numbers
        self._settings = settings
        self.staging = Staging(database)

    def load_cursors(self, project_id: str, run_ids: Sequence[str]) -> dict[str, HistoryCursor]:
        """Return how far the histories of some runs have been read."""
        rows = self._database.rows(
            "SELECT n.run_id, c.next_step, c.line_count, c.status, c.has_ended "
            "FROM _data.project_numbers p JOIN _data.run_numbers n USING (project_no) "
            "JOIN (SELECT unnest($1::VARCHAR[]) AS run_id) i ON i.run_id = n.run_id "
            "JOIN _data.cursors c ON c.run_no = n.run_no WHERE p.project_id = $2",
            [list(run_ids), project_id],
        )
        return {run_id: HistoryCursor(*cursor) for run_id, *cursor in rows}

    def load_marks(
        self, project_id: str, run_ids: Sequence[str]
    ) -> dict[str, tuple[int, float | None]]:
        """Return of runs the last stored step but one, and when it was logged."""
        if not run_ids:
            return {}
        project_no = self._numbers.project(project_id)
        names = {number: own for own, number in self._numbers.runs(project_no, run_ids).items()}
        rows = self._database.rows(
            "SELECT run_no, step, timestamp FROM _data.steps "
            f"WHERE run_no IN ({', '.join(map(str, names))}) "
            "QUALIFY row_number() OVER (PARTITION BY run_no ORDER BY step DESC) = 2"
        )
        return {names[run_no]: (step, timestamp) for run_no, step, timestamp in rows}

    def doubt(self, project_id: str, run_ids: Sequence[str]) -> None:
        """Call histories partial that count as read: they are looked at again."""
        self._database.run(
            "UPDATE _data.cursors SET status = 'partial' WHERE status <> 'none' AND run_no IN ("
            "SELECT n.run_no FROM _data.project_numbers p JOIN _data.run_numbers n "
            "USING (project_no) WHERE p.project_id = ? AND list_contains(?, n.run_id))",
            [project_id, list(run_ids)],
        )

    def doubt_selected(self) -> None:
        """Have histories of which only some metrics were wanted read from the start."""
        self._database.run(
            "UPDATE _data.cursors SET status = 'partial', next_step = 0 WHERE status = 'selected'"
        )

    def save(self, pages: Sequence[StepsPage]) -> int:
        """Save pages, in their order; return how many values came."""
        if not pages:
            return 0  # DuckDB before 2.0 takes no empty list
        numbers = self._numbers.runs_of((page.project_id, page.run_id) for page in pages)
        run_nos = [numbers[(page.project_id, page.run_id)] for page in pages]
        stored = self._clear_ranges(pages, run_nos)
        arrived = list(zip(pages, run_nos, strict=True))
        filled: set[int] = set()
        values = self._insert_rows(arrived, filled)
        self._move_cursors(pages, run_nos, stored)
        self._mark_stale(set(run_nos), filled)
        return values

    def _insert_rows(self, arrived: Sequence[Arrived], filled: set[int]) -> int:
        """Append all pages; return how many values there were.

        ``filled``: gets the runs that came whole and have their rows of the wide table with it.
        """
        values = 0
        if staged := [each for each in arrived if each[0].staged]:
            project_no = self._numbers.project(staged[0][0].project_id)
            whole = {run_no for page, run_no in staged if page.max_step is None}
            for rows in self.staging.rows([run_no for _, run_no in staged]):
                values += self._append(project_no, rows, filled, whole=whole)
        others = [each for each in arrived if not each[0].staged]
        taken: set[int] = set()
        for together in whole_rows(arrived):
            table, columns = rows_table(together)
            whole = {run_no for _, run_no in together}
            with self._database.given(table, "arrived") as source:
                values_here = table.num_rows * len(columns)
                rows = Rows(source, columns, frozenset(whole), values_here, is_full=True)
                project_no = self._numbers.project(together[0][0].project_id)
                values += self._append(project_no, rows, filled, whole=whole)
            taken |= whole
        return values + self._insert([each for each in others if each[1] not in taken])

    def _append(self, project_no: int, rows: Rows, filled: set[int], *, whole: set[int]) -> int:
        keys = self._numbers.keys(project_no, METRIC, rows.columns)
        append(self._database, rows, keys)
        self._database.trim()
        columns = {keys[path]: own for path, own in rows.columns.items()}
        wide = Wide(self._database, self._settings, project_no, ())
        if rows.run_nos <= whole and wide.fill_early(rows.source, columns, rows.run_nos):
            filled.update(rows.run_nos)
        return rows.values

    def _mark_stale(self, run_nos: set[int], filled: set[int]) -> None:
        """Note what is to be made anew of runs: all, or all but rows that were filled in early."""
        listed = ", ".join(map(str, run_nos))
        self._database.run(
            f"DELETE FROM _data.stale WHERE part IN ('history', 'filled') AND run_no IN ({listed})"
        )
        for part, numbers in (("history", run_nos - filled), ("filled", filled)):
            if numbers:
                self._database.run(
                    f"INSERT INTO _data.stale SELECT unnest(?), '{part}'", [sorted(numbers)]
                )

    def _clear_ranges(self, pages: Sequence[StepsPage], run_nos: Sequence[int]) -> set[int]:
        """Delete what is stored in the pages' ranges; return the runs of which anything was."""
        listed = ", ".join(map(str, dict.fromkeys(run_nos)))
        last = dict(
            self._database.rows(
                f"SELECT run_no, max(step) FROM _data.steps WHERE run_no IN ({listed}) "
                "GROUP BY run_no"
            )
        )
        for page, run_no in zip(pages, run_nos, strict=True):
            if last.get(run_no) is None or last[run_no] < page.min_step:
                continue
            condition = f"run_no = {run_no} AND step >= {page.min_step}"
            if page.max_step is not None:
                condition += f" AND step < {page.max_step}"
            for table in (*VALUES, "steps"):
                self._database.run(f"DELETE FROM _data.{table} WHERE {condition}")
        return set(last)

    def _insert(self, arrived: Sequence[Arrived]) -> int:
        """Append pages as Arrow tables; return how many values there were."""
        pages, run_nos = [page for page, _ in arrived], [run_no for _, run_no in arrived]
        contents = [page.content for page in pages]
        self._database.insert("_data.steps", steps_table(run_nos, contents))
        values = self._values_table(run_nos, [page.project_id for page in pages], contents)
        is_plain = values["json"].is_null()
        plain = values if values["json"].null_count == len(values) else values.filter(is_plain)
        self._database.insert("_data.plain_values", plain.drop_columns("json"))
        if len(plain) < len(values):
            self._database.insert("_data.other_values", values.filter(pc.invert(is_plain)))
        return int(values.num_rows)

    def compare(self, page: StepsPage) -> str:
        """Return what differs between a page and what is stored in its range; nothing if equal.

        Nulls that were logged do not count: a history that came from files has none.
        """
        content = page.content
        project_no = self._numbers.project(page.project_id)
        run_no = self._numbers.runs(project_no, [page.run_id])[page.run_id]
        values = self._values_table([run_no], [page.project_id], [content])
        condition = f"run_no = {run_no} AND step >= {page.min_step}"
        if page.max_step is not None:
            condition += f" AND step < {page.max_step}"
        for what, table, incoming, kept in (
            ("steps", "_data.steps", steps_table([run_no], [content]), "true"),
            ("values", "_data.history", values, "json IS DISTINCT FROM 'null'"),
        ):
            stored = f"SELECT * FROM {table} WHERE {condition} AND {kept}"
            with self._database.given(incoming) as view:
                shown = f"SELECT * FROM {view} WHERE {kept}"
                wrong = self._database.value(
                    f"SELECT count(*) FROM (({stored} EXCEPT ALL {shown}) "
                    f"UNION ALL ({shown} EXCEPT ALL {stored}))"
                )
            if wrong:
                end = page.max_step or "the end"
                return f"{wrong} {what} differ in steps {page.min_step} to {end}"
        return ""

    def _values_table(
        self, run_nos: Sequence[int], project_ids: Sequence[str], contents: Sequence[StepColumns]
    ) -> pa.Table:
        """Return the values of pages as rows of ``history``."""
        columns: list[Column] = []
        counted_runs: list[tuple[int, int]] = []
        counted_keys: list[tuple[int, int]] = []
        for run_no, project_id, content in zip(run_nos, project_ids, contents, strict=True):
            project_no = self._numbers.project(project_id)
            keys = self._numbers.keys(
                project_no, METRIC, [column.path for column in content.columns]
            )
            columns += content.columns
            counts = [len(column.steps) for column in content.columns]
            counted_runs.append((run_no, sum(counts)))
            counted_keys += zip(
                [keys[column.path] for column in content.columns], counts, strict=True
            )
        return pa.table(
            {
                "run_no": repeated(counted_runs),
                "key_no": repeated(counted_keys),
                "step": joined([column.steps for column in columns], pa.int64()),
                "value": joined([column.values for column in columns], pa.float64()),
                "json": joined_json(columns),
            }
        )

    def _move_cursors(
        self, pages: Sequence[StepsPage], run_nos: Sequence[int], stored: set[int]
    ) -> None:
        """Write the cursors that go with the last page of each run.

        A run that came whole in one page lies in the order in which readers ask, metric by metric.
        """
        pages_of = Counter(run_nos)
        latest = {run_no: page.cursor for page, run_no in zip(pages, run_nos, strict=True)}
        listed = ", ".join(map(str, latest))
        self._database.run(f"DELETE FROM _data.cursors WHERE run_no IN ({listed})")
        rows = {
            "run_no": pa.array(list(latest), pa.int32()),
            "next_step": pa.array([each.next_step for each in latest.values()], pa.int64()),
            "line_count": pa.array([each.line_count for each in latest.values()], pa.int64()),
            "status": pa.array([each.status for each in latest.values()], pa.string()),
            "has_ended": pa.array([each.has_ended for each in latest.values()], pa.bool_()),
            "is_settled": pa.array(
                [run_no not in stored and pages_of[run_no] == 1 for run_no in latest], pa.bool_()
            ),
        }
        with self._database.given(pa.table(rows)) as incoming:
            self._database.run(
                "INSERT INTO _data.cursors SELECT i.run_no, i.next_step, i.line_count, i.status, "
                "i.has_ended, coalesce(s.history_rows, 0), s.last_step, i.is_settled "
                f"FROM {incoming} i LEFT JOIN (SELECT run_no, count(*) AS history_rows, "
                f"max(step) AS last_step FROM _data.steps WHERE run_no IN ({listed}) "
                "GROUP BY run_no) s USING (run_no)"
            )

    def set_status(self, project_id: str, run_ids: Sequence[str], status: HistoryStatus) -> None:
        """Say of runs how much of their history is here; their rows stay."""
        project_no = self._numbers.project(project_id)
        run_nos = list(self._numbers.runs(project_no, run_ids).values())
        listed = ", ".join(map(str, run_nos))
        self._database.run(
            "INSERT INTO _data.cursors SELECT unnest(?), 0, NULL, 'none', false, 0, NULL, true "
            "EXCEPT SELECT run_no, 0, NULL, 'none', false, 0, NULL, true FROM _data.cursors",
            [run_nos],
        )
        self._database.run(
            f"UPDATE _data.cursors SET status = ? WHERE run_no IN ({listed})", [status]
        )
