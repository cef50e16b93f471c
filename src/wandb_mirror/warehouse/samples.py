"""Samples of machines in: a run's are replaced whole."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from wandb_mirror.history.samples import Samples
from wandb_mirror.warehouse.engine import Database
from wandb_mirror.warehouse.numbers import Numbers

SYSTEM = "system"


class SampleTables:
    """The tables of samples in a warehouse."""

    def __init__(self, database: Database, numbers: Numbers) -> None:
        self._database = database
        self._numbers = numbers

    def load_counts(self, project_id: str) -> dict[str, int]:
        """Return of each run of a project that was read how many samples upstream counted."""
        return dict(
            self._database.rows(
                "SELECT n.run_id, c.line_count FROM _data.project_numbers p "
                "JOIN _data.run_numbers n USING (project_no) "
                "JOIN _data.sample_counts c USING (run_no) WHERE p.project_id = ?",
                [project_id],
            )
        )

    def save(self, found: Sequence[Samples]) -> int:
        """Replace the samples of runs; return how many values came."""
        run_nos = self._numbers.runs_of((each.project_id, each.run_id) for each in found)
        tables = []
        counts: dict[int, int] = {}
        for each in found:
            project_no = self._numbers.project(each.project_id)
            run_no = run_nos[(each.project_id, each.run_id)]
            keys = self._numbers.keys(project_no, SYSTEM, each.paths)
            numbers = pa.array([keys[path] for path in each.paths], pa.int32())
            counts[run_no] = each.line_count
            tables.append(
                pa.table(
                    {
                        "run_no": pa.array([run_no] * each.table.num_rows, pa.int32()),
                        "key_no": pc.take(numbers, each.table.column("path")),
                        "timestamp": each.table.column("timestamp"),
                        "runtime": each.table.column("runtime"),
                        "value": each.table.column("value"),
                    }
                )
            )
        listed = ", ".join(map(str, counts))
        for name in ("samples", "sample_counts"):
            self._database.run(f"DELETE FROM _data.{name} WHERE run_no IN ({listed})")
        whole = pa.concat_tables(tables).combine_chunks()
        self._database.insert("_data.samples", whole)
        rows = {
            "run_no": pa.array(list(counts), pa.int32()),
            "line_count": pa.array(list(counts.values()), pa.int64()),
        }
        self._database.insert("_data.sample_counts", pa.table(rows))
        return int(whole.num_rows)

    def compare(self, samples: Samples) -> str:
        """Return what differs between a run's samples and those stored; nothing if equal."""
        kept = self._database.rows(
            "SELECT k.path, s.timestamp, s.runtime, s.value FROM _data.project_numbers p "
            "JOIN _data.run_numbers n USING (project_no) JOIN _data.samples s USING (run_no) "
            "JOIN _data.keys k USING (key_no) WHERE p.project_id = ? AND n.run_id = ?",
            [samples.project_id, samples.run_id],
        )
        columns = [column.to_pylist() for column in samples.table.columns]
        wanted = [(samples.paths[place], *rest) for place, *rest in zip(*columns, strict=True)]
        unlike = Counter(map(repr, wanted))
        unlike.subtract(map(repr, kept))
        wrong = sorted(value for value, count in unlike.items() if count)
        return f"{len(wrong)} samples not as upstream, like {wrong[0]}" if wrong else ""
