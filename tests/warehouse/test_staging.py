"""What DuckDB reads of files itself is plain; all else is left to who looks at every value."""

from __future__ import annotations

import math

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from wandb_mirror.history.columns import ExportedFiles, StagedSteps
from wandb_mirror.settings import WarehouseSettings
from wandb_mirror.warehouse.engine import Database
from wandb_mirror.warehouse.rows import WIDEST, append
from wandb_mirror.warehouse.staging import Staging
from wandb_mirror.warehouse.tables import create_tables

HALF = 2.0**-1


@pytest.fixture
def staging(tmp_path):
    database = Database(tmp_path / "w.duckdb", WarehouseSettings())
    create_tables(database)
    yield Staging(database)
    database.close()


def write(folder, run_no, *tables, stop=None):
    paths = []
    for number, table in enumerate(tables):
        paths.append(str(folder / f"{run_no}-{number}.parquet"))
        pq.write_table(pa.table(table), paths[-1])
    return ExportedFiles(f"run{run_no}", paths, stop)


def stored(staging, *run_nos):
    """Return the rows of history that are there once some staged runs were inserted."""
    numbers = {}
    values = 0
    for rows in staging.rows(run_nos):
        for path in rows.columns:
            numbers.setdefault(path, len(numbers))
        append(staging.database, rows, numbers)
        values += rows.values
    names = {number: path for path, number in numbers.items()}
    found = staging.database.rows(
        "SELECT run_no, key_no, step, value FROM _data.history WHERE json IS NULL ORDER BY ALL"
    )
    assert values == len(found)
    return {(run_no, names[key], step): value for run_no, key, step, value in found}


NOT_PLAIN = {
    "a fraction of a step": {"_step": [0.0, HALF], "a": [1.0, 2.0]},
    "no step": {"_step": [0.0, None], "a": [1.0, 2.0]},
    "a step that is no number": {"_step": [0.0, math.nan], "a": [1.0, 2.0]},
    "a step beyond 64 bits": {"_step": [0.0, 1e19], "a": [1.0, 2.0]},
    "a step twice": {"_step": [1.0, 1.0], "a": [1.0, 2.0]},
    "no column of steps": {"a": [1.0, 2.0]},
    "an integer that may have lost digits": {"_step": [0.0, 1.0], "a": [1.0, -(2.0**53)]},
    "an integer with more digits than a double": {"_step": [0, 1], "a": [1, 2**53 + 1]},
    "text": {"_step": [0.0, 1.0], "a": ["1", "2"]},
    "booleans": {"_step": [0.0, 1.0], "a": [True, False]},
    "a dict": {"_step": [0.0, 1.0], "a": [{"b": 1.0}, {"b": 2.0}]},
    "a list": {"_step": [0.0, 1.0], "a": [[1.0], [2.0]]},
    "times": {"_step": [0.0, 1.0], "a": pa.array([1, 2], pa.timestamp("us"))},
    "unsigned integers": {"_step": [0.0, 1.0], "a": pa.array([1, 2], pa.uint64())},
    "names that differ in case": {"_step": [0.0, 1.0], "a": [1.0, 2.0], "A": [3.0, 4.0]},
    "a name of DuckDB's own": {"_step": [0.0, 1.0], "File_Index": [1.0, 2.0]},
    "a name that is empty": {"_step": [0.0, 1.0], "": [1.0, 2.0]},
    "too many metrics": {"_step": [0.0], **{f"m{n}": [1.0] for n in range(WIDEST)}},
}


@pytest.mark.parametrize("odd", NOT_PLAIN.values(), ids=NOT_PLAIN)
def test_a_run_that_is_not_plain_is_left_and_those_beside_it_are_not(tmp_path, staging, odd):
    files = [
        write(tmp_path, 1, {"_step": [0.0, 1.0], "a": [1.0, math.nan]}),
        write(tmp_path, 2, odd),
        write(tmp_path, 3, {"_step": [5.0], "a": [-math.inf], "b/\"'": [0.25]}),
    ]
    assert staging.stage([1, 2, 3], files) == [StagedSteps(2, 1), None, StagedSteps(1, 5)]
    found = stored(staging, 1, 3)
    assert math.isnan(found.pop((1, '["a"]', 1)))
    assert found == {
        (1, '["a"]', 0): 1.0,
        (3, '["a"]', 5): -math.inf,
        (3, '["b/\\"\'"]', 5): 0.25,
    }


def test_a_run_without_its_twin_is_plain_beside_one_that_has_it(tmp_path, staging):
    files = [
        write(tmp_path, 1, {"_step": [0.0], "Loss": [1.0]}),
        write(tmp_path, 2, {"_step": [0.0], "loss": [2.0]}),
    ]
    assert staging.stage([1, 2], files) == [StagedSteps(1, 0)] * 2
    assert stored(staging, 1, 2) == {(1, '["Loss"]', 0): 1.0, (2, '["loss"]', 0): 2.0}


def test_files_of_one_run_may_come_in_any_order_with_other_columns_and_types(tmp_path, staging):
    late = {"_step": pa.array([3, 2]), "b": pa.array([30, 20]), "_timestamp": [3.5, 2.5]}
    early = {"_step": [0.0, 1.0], "a": pa.array([1.5, None], pa.float32())}
    files = [write(tmp_path, 7, late, early, stop=3)]
    assert staging.stage([7], files) == [StagedSteps(3, 2)]
    assert stored(staging, 7) == {(7, '["a"]', 0): 1.5, (7, '["b"]', 2): 20.0}
    steps = staging.database.rows("SELECT * FROM _data.steps ORDER BY step")
    assert steps == [(7, 0, None, None), (7, 1, None, None), (7, 2, 2.5, None)]


def test_a_file_that_cannot_be_read_leaves_all_to_be_looked_at_one_by_one(tmp_path, staging):
    files = [write(tmp_path, 1, {"_step": [0.0], "a": [1.0]})]
    (tmp_path / "2-0.parquet").write_bytes(b"PAR1 and nothing else PAR1")
    files.append(ExportedFiles("run2", [str(tmp_path / "2-0.parquet")], None))
    assert staging.stage([1, 2], files) == [None, None]


def test_metrics_may_be_called_like_the_columns_they_are_staged_in(tmp_path, staging):
    names = ["run_no", "stop", "step", "timestamp", "runtime", "c0", "c1", "filename", "rowid", "f"]
    table = {"_step": [0.0], **{name: [n + 0.5] for n, name in enumerate(names)}}
    files = [write(tmp_path, 4, table), write(tmp_path, 5, {"_step": [0.0], "a": [1.0]}, stop=9)]
    assert staging.stage([4, 5], files) == [StagedSteps(1, 0)] * 2
    wanted = {(4, f'["{name}"]', 0): n + 0.5 for n, name in enumerate(names)}
    assert stored(staging, 4, 5) == wanted | {(5, '["a"]', 0): 1.0}
    assert staging.database.rows("SELECT * FROM _data.steps WHERE run_no = 4") == [
        (4, 0, None, None)
    ]
