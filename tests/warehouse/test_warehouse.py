from __future__ import annotations

import json
import math
import subprocess
import sys
import venv
from contextlib import closing
from dataclasses import replace
from datetime import datetime
from itertools import pairwise
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wandb_mirror.errors import BadRow, DiskFull
from wandb_mirror.history.columns import ExportedFiles, StepsPage, no_steps
from wandb_mirror.history.lines import parse_steps
from wandb_mirror.kinds import PROJECT, RUN
from wandb_mirror.kinds.pages import HistoryCursor
from wandb_mirror.query.published import Published
from wandb_mirror.settings import HistorySettings, RunsSettings, Settings, WarehouseSettings
from wandb_mirror.store.store import Store
from wandb_mirror.warehouse import engine, incoming
from wandb_mirror.warehouse.engine import quote
from wandb_mirror.warehouse.places import Census, Place, give_places
from wandb_mirror.warehouse.take import marked
from wandb_mirror.warehouse.warehouse import Warehouse

NOW = datetime(2026, 1, 2, 3, 4, 5)  # noqa: DTZ001


def row(kind, **values):
    """Return a row with what is given, and nothing else."""
    return {field.column: None for field in kind.fields} | values


class Place2:
    """A store and a warehouse in a folder, opened and closed at will."""

    def __init__(self, folder: Path, chosen: Settings | None = None) -> None:
        self.folder = folder
        self.settings = chosen or Settings()
        self.published = folder / "wandb.duckdb"
        folder.mkdir(exist_ok=True)
        self.save(PROJECT, [row(PROJECT, project_id="P", entity="team", project="vision")])

    def store(self):
        return Store.open(self.folder / "store.sqlite")

    def save(self, kind, rows):
        with self.store() as store:
            store.save_rows(kind, rows, now=NOW, is_whole=True)

    def runs(self, *run_ids, **values):
        self.save(RUN, [row(RUN, project_id="P", run_id=each, **values) for each in run_ids])

    def open(self, store):
        return Warehouse.open(
            self.folder / "warehouse.duckdb",
            settings=self.settings,
            published=self.published,
            url="https://wandb.ai",
            pair_id=store.pair_id,
            store_seq=store.load_changed_seq(),
        )

    def publish(self, *pages):
        with self.store() as store, self.open(store) as warehouse:
            warehouse.take(store)
            for page in pages:
                warehouse.save_steps([page])
            warehouse.settle()
            return warehouse.publish()

    def ask(self, sql):
        with Published.open(self.published) as published:
            return published.rows(sql)


@pytest.fixture
def place(tmp_path):
    return Place2(tmp_path / "mirror")


def lines(rows):
    return [
        json.dumps({"_step": step, "_timestamp": 1.7e9 + step, "_runtime": float(step), **values})
        for step, values in rows
    ]


def content(rows):
    return parse_steps("r", lines(rows))


def whole(run_id, rows, *, status="complete"):
    last = max((step for step, _ in rows), default=-1)
    cursor = HistoryCursor(last + 1, len(rows), status, status == "complete")
    return StepsPage("P", run_id, 0, None, content(rows), cursor)


VALUES = [
    ("1.5", 1.5, None, None),
    ("3", 3.0, None, None),
    ("NaN", math.nan, None, None),
    ('"NaN"', math.nan, None, None),
    ("-Infinity", -math.inf, None, None),
    ('"Infinity"', math.inf, None, None),
    ("1e400", math.inf, None, None),
    ("9007199254740993", 9007199254740992.0, "9007199254740993", "9007199254740993"),
    ("9007199254740994", 9007199254740994.0, None, None),
    ("18446744073709551616", 2.0**64, None, None),
    ("18446744073709551617", 2.0**64, "18446744073709551617", "18446744073709551617"),
    ("true", None, "true", "true"),
    ('"true"', None, '"true"', "true"),
    ("null", None, "null", None),
    ('""', None, '""', ""),
    ("[1,2]", None, "[1,2]", "[1,2]"),
    ("{}", None, "{}", "{}"),
    ('{"_type":"image"}', None, '{"_type":"image"}', '{"_type":"image"}'),
]


@pytest.mark.parametrize(
    ("wire", "value", "lossless", "text"), VALUES, ids=[each[0] for each in VALUES]
)
def test_a_value_is_a_number_or_lossless_json(place, wire, value, lossless, text):
    place.runs("r")
    page = StepsPage(
        "P", "r", 0, None, parse_steps("r", [f'{{"_step": 0, "m": {wire}}}']),
        HistoryCursor(1, 1, "complete", True),
    )  # fmt: skip
    place.publish(page)
    [(found, json_text, shown)] = place.ask("SELECT value, json, text FROM metrics")
    assert repr(found) == repr(value)
    assert (json_text, shown) == (lossless, text)


ROWS = st.dictionaries(
    st.integers(0, 40),
    st.dictionaries(
        st.sampled_from(["a", "b", "c.d"]),
        st.sampled_from([1, 2.5, "x", None, True, {"e": 1}]),
        max_size=3,
    ),
    max_size=25,
)


def table(place):
    values = place.ask("SELECT step, key, value, json FROM metrics ORDER BY ALL")
    wide = place.ask('SELECT * EXCLUDE (run_no) FROM "team/vision".history ORDER BY _step')
    stats = place.ask("SELECT * EXCLUDE (run_no) FROM metric_stats ORDER BY key")
    return (
        values,
        wide,
        stats,
        place.ask("SELECT history_rows, last_step, history_status FROM runs"),
    )


@given(data=st.data())
@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_split_into_pages_and_readings_gives_the_same_tables(tmp_path_factory, data):
    rows = data.draw(ROWS)
    once, split = (Place2(tmp_path_factory.mktemp("law") / name) for name in ("once", "split"))
    for each in (once, split):
        each.runs("r")
    once.publish(whole("r", sorted(rows.items())))
    ends = sorted({0, *data.draw(st.lists(st.integers(1, 40), max_size=4)), 41})
    pages = []
    for low, high in pairwise(ends):
        begin = data.draw(st.integers(max(0, low - 5), low))  # a window may be read again
        inside = sorted((step, values) for step, values in rows.items() if begin <= step < high)
        is_last = high == 41
        cursor = HistoryCursor(high, len(rows), "complete" if is_last else "partial", True)
        pages.append(StepsPage("P", "r", begin, None if is_last else high, content(inside), cursor))
    for page in pages:
        split.publish(page)
    assert table(split) == table(once)


DENSE = {
    "same": [(step, {"a": step, "b": step / 3}) for step in range(9)],
    "other order": [(step, {"b": 1e9 * step, "a": -step}) for step in range(1, 12, 2)],
    "another metric": [(step, {"a": 1, "z": 2.5}) for step in range(8)],
    "a hole": [(step, {"a": 1} if step == 3 else {"a": 2, "b": 3}) for step in range(9)],
    "a text": [(step, {"a": "x" if step == 3 else 4, "b": 5}) for step in range(9)],
    "not finite": [(step, {"a": math.nan, "b": -math.inf}) for step in range(9)],
    "nothing": [],
}


def test_whole_histories_of_plain_numbers_are_kept_as_all_others_are(tmp_path, monkeypatch):
    found = []
    for fewest in (1, 10**9):
        monkeypatch.setattr(incoming, "FEWEST_ROWS", fewest)
        place = Place2(tmp_path / f"{fewest}")
        place.runs(*DENSE)
        for changed in ({}, {"same": DENSE["a text"], "a text": DENSE["same"]}):
            with place.store() as store, place.open(store) as warehouse:
                warehouse.take(store)
                told = changed or DENSE
                warehouse.save_steps([whole(run_id, rows) for run_id, rows in told.items()])
                is_early = "history_1" in {
                    name
                    for (name,) in warehouse.database.rows("SELECT table_name FROM duckdb_tables()")
                }
                assert is_early == (fewest == 1 or bool(changed))
                warehouse.publish()
            found.append(place.ask("SELECT * FROM metrics ORDER BY ALL"))
            found.append(place.ask('SELECT * FROM "team/vision".history ORDER BY ALL'))
            found.append(place.ask("SELECT * FROM metric_stats ORDER BY ALL"))
            found.append(place.ask("SELECT run_id, history_rows, last_step FROM runs ORDER BY ALL"))
    assert list(map(repr, found[:8])) == list(map(repr, found[8:]))


def test_rows_from_files_and_the_pages_behind_them_may_be_saved_together(place, tmp_path):
    place.runs("r")
    path = str(tmp_path / "r.parquet")
    pq.write_table(pa.table({"_step": [0.0, 1.0], "a": [5.0, 6.0]}), path)
    with place.store() as store, place.open(store) as warehouse:
        warehouse.take(store)
        [staged] = warehouse.stage_steps("P", [ExportedFiles("r", [path], None)])
        partial = HistoryCursor(2, 3, "partial", has_ended=True)
        files = StepsPage("P", "r", 0, 2, no_steps(), partial, staged)
        behind = replace(whole("r", [(2, {"a": 7})]), min_step=2)
        warehouse.save_steps([files, behind])
        warehouse.publish()
    assert place.ask("SELECT step, value FROM metrics") == [(0, 5.0), (1, 6.0), (2, 7.0)]
    assert place.ask("SELECT history_rows FROM runs") == [(3,)]


def test_memory_that_cannot_be_let_go_ends_no_transaction(place, monkeypatch):
    place.runs("r")
    monkeypatch.setattr(engine, "TRIMMED", "1KB")  # less than anything takes
    place.publish(whole("r", [(step, {"a": step}) for step in range(9)]))
    assert place.ask("SELECT count(*) FROM metrics") == [(9,)]


def test_what_ended_a_transaction_is_told_also_where_nothing_is_left_to_roll_back(tmp_path):
    database = engine.Database(tmp_path / "w.duckdb", WarehouseSettings())

    def fail():
        with database.transaction():
            database.run("COMMIT")  # as a commit that fails leaves it: no transaction is active
            raise DiskFull("the reason")

    with closing(database), pytest.raises(DiskFull, match="the reason"):
        fail()


def test_a_shorter_history_leaves_nothing_of_the_longer_one(place):
    place.runs("r")
    place.publish(whole("r", [(step, {"m": step}) for step in range(50)]))
    place.publish(whole("r", [(step, {"m": step}) for step in range(10)]))
    assert place.ask("SELECT count(*), max(step) FROM metrics") == [(10, 9)]
    assert place.ask("SELECT history_rows, last_step FROM runs") == [(10, 9)]


@pytest.mark.parametrize(
    "line",
    ["{", "[]", '{"m": 1}', '{"_step": 1.5}', '{"_step": "1"}', '{"_step": 1}, {"_step": 2}'],
)
def test_a_line_that_is_no_row_is_refused(line):
    with pytest.raises(BadRow, match="r:"):
        parse_steps("r", [line])


def test_rows_of_one_step_are_merged_and_the_later_value_wins():
    page = parse_steps("r", ['{"_step":1,"a":1}', '{"_step":1.0,"b":2,"a":3}', '{"_step":0,"a":0}'])
    assert page.steps.to_pylist() == [0, 1]
    found = {
        (column.path, step): value
        for column in page.columns
        for step, value in zip(column.steps.to_pylist(), column.values.to_pylist(), strict=True)
    }
    assert found == {('["a"]', 0): 0.0, ('["a"]', 1): 3.0, ('["b"]', 1): 2.0}


def test_rows_outside_the_window_are_left_out():
    page = parse_steps("r", [f'{{"_step":{step}}}' for step in range(10)], min_step=3, max_step=6)
    assert page.steps.to_pylist() == [3, 4, 5]


def test_nothing_changed_publishes_nothing_and_writes_nothing(place):
    place.runs("r", config='{"lr":{"value":0.1}}')
    place.publish(whole("r", [(0, {"m": 1})]))
    before = (place.folder / "warehouse.duckdb").read_bytes()
    assert place.publish() is None
    assert (place.folder / "warehouse.duckdb").read_bytes() == before


def test_a_lost_warehouse_is_rebuilt_from_the_published_file(place):
    place.runs("r")
    place.publish(whole("r", [(0, {"m": 1})]))
    (place.folder / "warehouse.duckdb").unlink()
    place.runs("r", "s")
    place.publish()
    assert place.ask("SELECT run_id, history_rows FROM runs ORDER BY run_id") == [
        ("r", 1),
        ("s", 0),
    ]


def test_a_corrupt_warehouse_is_set_aside_and_rebuilt(place):
    place.runs("r")
    place.publish(whole("r", [(0, {"m": 1})]))
    (place.folder / "warehouse.duckdb").write_bytes(b"garbage" * 1000)
    place.runs("s")
    place.publish()
    assert place.ask("SELECT count(*), sum(history_rows) FROM runs") == [(2, 1)]
    assert len(list(place.folder.glob("warehouse.duckdb.corrupt-*"))) == 1


def test_a_lost_published_file_is_published_again(place):
    place.runs("r")
    place.publish()
    place.published.unlink()
    assert place.publish() == place.published


def test_another_store_takes_everything_anew_and_history_stays(place):
    place.runs("r", "gone")
    place.publish(whole("r", [(0, {"m": 1})]))
    for each in place.folder.glob("store.sqlite*"):
        each.unlink()
    place.save(PROJECT, [row(PROJECT, project_id="P", entity="team", project="vision")])
    place.runs("r", name="again")
    place.publish()
    assert place.ask("SELECT run_id, name, history_rows FROM runs") == [("r", "again", 1)]


def test_the_published_file_is_read_only_for_everybody(place):
    place.publish()
    assert place.published.stat().st_mode & 0o777 == 0o444


def test_a_log_that_a_killed_reader_left_is_not_replayed(place):
    place.runs("r")
    place.publish()
    left = place.published.with_name("wandb.duckdb.wal")
    left.write_bytes(b"left by a reader that was killed")
    place.runs("s")
    place.publish()
    assert not left.exists()
    assert place.ask("SELECT count(*) FROM runs") == [(2,)]


def test_no_other_process_can_write_the_warehouse_while_it_is_open(place):
    place.runs("r")
    code = "import duckdb, sys; duckdb.connect(sys.argv[1])"
    with place.store() as store, place.open(store) as warehouse:
        warehouse.take(store)
        warehouse.publish()
        command = [sys.executable, "-c", code, str(place.folder / "warehouse.duckdb")]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "lock" in done.stderr


HOSTILE = [
    'quote"inside',
    "semi;colon -- x",
    "emoji 🎉",
    "k" * 300,
    "with space",
    "step",
    "name",
    "run_id",
    "_step~2",
    "a.b",
    "Loss",
    "loss",
    "LOSS",
    "",
    "nul\0l",
    "'",
]


def test_hostile_keys_are_columns_and_data_and_never_sql(place):
    values = {key: number for number, key in enumerate(HOSTILE)} | {"a": {"b": 99}}
    place.runs(
        "r",
        config=json.dumps({key: {"value": value} for key, value in values.items()}),
        summary=json.dumps(values),
    )
    place.publish(whole("r", [(0, values)]))
    found = dict(place.ask("SELECT key, value FROM metrics"))
    assert {key: found[key] for key in HOSTILE if key != "a.b"} == {
        key: float(number) for number, key in enumerate(HOSTILE) if key != "a.b"
    }
    assert sorted(value for key, value in found.items() if key.startswith("a.b")) == [9.0, 99.0]
    [wide] = place.ask('SELECT * FROM "team/vision".history')
    assert {float(value) for value in wide if isinstance(value, float)} >= {
        float(number) for number in range(len(HOSTILE))
    }
    names = [
        name
        for (name,) in place.ask("SELECT column_name FROM columns WHERE table_name = 'history'")
    ]
    assert len({name.lower() for name in names}) == len(names)


def test_a_name_once_given_is_kept_when_twins_come(place):
    place.runs("r", "s")
    place.publish(whole("r", [(0, {"loss": 1.0})]))
    place.publish(whole("s", [(0, {"Loss": 2.0, "LOSS": 3.0})]))
    assert place.ask(
        'SELECT loss, "LOSS~2", "Loss~3" FROM "team/vision".history ORDER BY run_id'
    ) == [(1.0, None, None), (None, 3.0, 2.0)]


def test_types_move_up_and_never_flap(place):
    types = []
    for number, value in enumerate([True, "text", 3, 2.5, "text again", 7]):
        place.runs(f"r{number}", config=json.dumps({"k": {"value": value}}))
        place.publish()
        types.append(
            place.ask("SELECT type, misfits FROM columns WHERE column_name = 'config.k'")[0]
        )
    assert types == [
        ("BOOLEAN", 0),
        ("VARCHAR", 1),
        ("BIGINT", 2),
        ("DOUBLE", 2),
        ("DOUBLE", 3),
        ("DOUBLE", 3),
    ]
    assert place.ask('SELECT "config.k" FROM "team/vision".runs ORDER BY run_id') == [
        (None,),
        (None,),
        (3.0,),
        (2.5,),
        (None,),
        (7.0,),
    ]


def test_at_most_so_many_keys_get_a_column_and_pins_come_first(tmp_path):
    chosen = Settings(
        history=HistorySettings(max_columns=2, pins=("z*",)), runs=RunsSettings(max_columns=1)
    )
    place = Place2(tmp_path / "mirror", chosen)
    place.runs("r", "s", config='{"x":{"value":1},"y":{"value":2}}')
    place.publish(whole("r", [(0, {"a": 1, "b": 2, "zed": 3})]), whole("s", [(0, {"b": 4})]))
    columns = [
        name
        for (name,) in place.ask(
            "SELECT column_name FROM columns WHERE table_name = 'history' AND key IS NOT NULL"
        )
    ]
    assert columns == ["b", "zed"]
    assert place.ask(
        "SELECT count(*) FROM columns WHERE table_name = 'runs' AND key IS NOT NULL"
    ) == [(1,)]


@given(
    known=st.lists(
        st.tuples(st.integers(1, 9), st.sampled_from(["BOOLEAN", "VARCHAR", "BIGINT", "DOUBLE"])),
        max_size=5,
        unique_by=lambda each: each[0],
    ),
    census=st.lists(
        st.tuples(st.integers(1, 9), st.lists(st.integers(0, 3), min_size=7, max_size=7)),
        max_size=9,
        unique_by=lambda each: each[0],
    ),
    limit=st.integers(0, 8),
)
def test_places_are_kept_types_move_up_and_names_never_collide(known, census, limit):
    before = [Place(key, f"K{key}", kind, 0, has_json=False) for key, kind in known]
    found = give_places(
        [Census(key, f"k{key % 3}", *counts) for key, counts in census],
        before,
        limit=limit,
        pins=(),
        own_columns=("step",),
    )
    order = ["BOOLEAN", "VARCHAR", "BIGINT", "DOUBLE"]
    for old, new in zip(before, found, strict=False):
        assert (old.key_no, old.column_name) == (new.key_no, new.column_name)
        assert order.index(new.type) >= order.index(old.type)
    assert len(found) <= max(limit, len(before))
    assert len({each.column_name.lower() for each in found}) == len(found)


def test_a_renamed_project_is_a_renamed_schema(place):
    place.runs("r")
    place.publish()
    place.save(PROJECT, [row(PROJECT, project_id="P", entity="team", project="sight")])
    place.publish()
    assert place.ask('SELECT run_id FROM "team/sight".runs') == [("r",)]
    with pytest.raises(duckdb.CatalogException):
        place.ask('FROM "team/vision".runs')


def test_statistics_leave_out_what_is_not_finite(place):
    place.runs("r")
    rows = [
        (0, {"m": 2.0}),
        (1, {"m": float("nan")}),
        (2, {"m": -1.0}),
        (3, {"m": float("inf")}),
        (4, {"m": "x"}),
        (5, {"m": 5.0}),
    ]
    place.publish(whole("r", rows))
    found = place.ask(
        "SELECT count, nan_count, first, last, min, min_step, max, max_step, mean FROM metric_stats"
    )
    assert found == [(5, 2, 2.0, 5.0, -1.0, 2, 5.0, 5, 2.0)]


def test_what_is_deleted_stays_in_runs_and_leaves_metrics(place):
    place.runs("r", "s")
    place.publish(whole("r", [(0, {"m": 1})]), whole("s", [(0, {"m": 2})]))
    with place.store() as store:
        store.mark_missing(
            RUN,
            __import__("wandb_mirror.kinds.pages", fromlist=["x"]).ScopeOf("team", "vision", "P"),
            seen=["s"],
            now=NOW,
        )
    place.publish()
    assert place.ask("SELECT run_id, deleted_at IS NULL FROM runs ORDER BY 1") == [
        ("r", False),
        ("s", True),
    ]
    assert place.ask("SELECT run_id FROM metrics UNION ALL SELECT run_id FROM metric_stats") == [
        ("s",),
        ("s",),
    ]


def test_every_view_and_column_is_described(place):
    place.publish()
    assert (
        place.ask(
            "SELECT view_name FROM duckdb_views() WHERE schema_name = 'main' AND NOT internal AND comment IS NULL"
        )
        == []
    )
    assert (
        place.ask(
            "SELECT column_name FROM duckdb_columns() c JOIN duckdb_views() v ON v.view_name = c.table_name AND v.schema_name = c.schema_name WHERE c.schema_name = 'main' AND NOT v.internal AND c.comment IS NULL"
        )
        == []
    )


@given(name=st.text(max_size=30))
def test_a_quoted_identifier_is_one_identifier(name):
    connection = duckdb.connect()
    if name:
        connection.execute(f"CREATE TABLE t ({quote(name)} INTEGER)")
        assert connection.execute(
            "SELECT column_name FROM duckdb_columns() WHERE table_name = 't'"
        ).fetchall() == [(name.replace("\0", "\u2400"),)]


@pytest.fixture(scope="session")
def old_duckdb(tmp_path_factory):
    """Return a Python that has DuckDB 1.2.2."""
    folder = tmp_path_factory.mktemp("old")
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    command = [
        python,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "duckdb==1.2.2",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    if done.returncode:
        pytest.skip("DuckDB 1.2.2 cannot be installed here")
    return python


def test_duckdb_1_2_reads_every_view(place, old_duckdb):
    place.runs(
        "r",
        config='{"lr":{"value":0.1},"o":{"value":{"n":"x"}}}',
        summary='{"a":1}',
        tags='["t"]',
        created_at=NOW,
    )
    logged = {"_timestamp": 5.0, "_runtime": 1.5, "m": 1, "t": "text", "s": "\ud800"}
    place.publish(whole("r", [(0, logged)]))
    code = """
import duckdb, sys
connection = duckdb.connect(sys.argv[1], read_only=True)
views = connection.execute("SELECT schema_name, view_name FROM duckdb_views() WHERE NOT internal").fetchall()
assert len(views) > 10, views
for schema, view in views:
    connection.execute(f'SELECT * FROM "{schema}"."{view}"').fetchall()
print(len(views), duckdb.__version__)
times = "SELECT DISTINCT epoch(timestamp), runtime FROM metrics"
print(*connection.execute(times).fetchall())
"""
    done = subprocess.run(
        [old_duckdb, "-c", code, str(place.published)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[1] == "1.2.2"
    assert done.stdout.splitlines()[1] == "(5.0, 1.5)"


@pytest.mark.skipif(duckdb.__version__ < "2", reason="older ones leave no such join out")
def test_a_question_that_asks_for_no_time_reads_no_steps(place):
    place.runs("r", "s")
    logged = [(step, {"_timestamp": 5.0, "_runtime": 1.5 + step, "m": 1}) for step in range(9)]
    place.publish(whole("r", logged), whole("s", logged))
    with duckdb.connect(str(place.published), read_only=True) as connection:
        for asked, reads_steps in (("min(value)", False), ("min(runtime)", True)):
            sql = f"SELECT run_id, {asked} FROM metrics WHERE key = 'm' GROUP BY ALL ORDER BY ALL"
            [(_, plan)] = connection.execute(f"EXPLAIN {sql}").fetchall()
            assert ("_data.steps" in plan) is reads_steps
            assert connection.execute(sql).fetchall() == [
                (run_id, 1.5 if reads_steps else 1.0) for run_id in ("r", "s")
            ]


def test_an_integer_that_no_double_holds_counts_as_inexact_however_near_it_is(place):
    place.runs("r")
    place.publish(whole("r", [(0, {"near": 2**53 + 1, "far": 2**60 + 1, "plain": 3})]))
    found = place.ask(
        "SELECT k.name, m.inexact, m.count FROM _data.metric_stats m "
        "JOIN _data.keys k USING (key_no) ORDER BY ALL"
    )
    assert found == [("far", 1, 1), ("near", 1, 1), ("plain", 0, 1)]


def test_a_batch_is_taken_up_to_the_change_before_its_last_as_long_as_another_follows():
    batches = [[{"changed_seq": 3}, {"changed_seq": 7}], [{"changed_seq": 7}], [{"changed_seq": 9}]]
    assert [mark for _, mark in marked(iter(batches))] == ["6", "6", "9"]
    assert not list(marked(iter([])))
