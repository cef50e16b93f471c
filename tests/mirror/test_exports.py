"""Histories that come from files are those that come from pages."""

from __future__ import annotations

import tempfile
from collections import Counter
from itertools import product
from pathlib import Path

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from mirror.making import TEAM, first_runs, make_world, open_mirror, quoted, rows
from wandb_mirror.errors import BudgetSpent
from wandb_mirror.history.exports import ExportedSteps
from wandb_mirror.sandbox import ExportShape, Sandbox, faults
from wandb_mirror.sandbox.engine import Engine
from wandb_mirror.sandbox.exports import plan_parts
from wandb_mirror.upstream.client import Client
from wandb_mirror.warehouse.wide import Wide

# a null that was logged is not told from a missing value in a file
VALUES = (
    "SELECT run_id, step, timestamp, runtime, key, value::VARCHAR, text, json FROM metrics "
    "WHERE json IS DISTINCT FROM 'null' ORDER BY ALL"
)
CLAIMED = "SELECT run_id, history_rows, last_step, history_status FROM runs ORDER BY ALL"
LEFT_BEHIND = f"export-{'0' * 16}-{'0' * 32}-{'0' * 8}.parquet"
"""A file of another project, from a sync that was killed."""
SHAPES = {
    "as W&B writes them": ExportShape(),
    "exact": ExportShape(step="bigint", integers="exact"),
    "of several types": ExportShape(rows_per_file=3, alternates=True, mixed="json"),
    "overlapping": ExportShape(rows_per_file=2, overlap=1, strings="dictionary"),
}


def pull(folder, box, **overrides):
    mirror = open_mirror(folder, box, overrides={"history.exports_from": 1, **overrides})
    report = mirror.sync([TEAM], only=["projects", "runs", "history"])
    assert report.problems == 0
    return mirror


@pytest.fixture(scope="module")
def odd():
    """Return a world with every oddity, and what pages alone bring of it."""
    return make_world(projects=1, has_oddities=True)


@pytest.fixture(scope="module")
def by_pages(odd, tmp_path_factory):
    with Sandbox(odd) as box:
        mirror = pull(tmp_path_factory.mktemp("pages") / "m", box, **{"history.exports": False})
        return rows(mirror, VALUES), rows(mirror, CLAIMED)


@pytest.mark.parametrize(
    ("shape", "exports"),
    [
        *product(SHAPES, ["ready", "lagging"]),
        ("as W&B writes them", "off"),
        ("as W&B writes them", "null"),
    ],
)
def test_files_hold_what_pages_hold(odd, by_pages, tmp_path, shape, exports):
    with Sandbox(odd, exports=exports, export_shape=SHAPES[shape], export_order="shuffled") as box:
        mirror = pull(tmp_path / "m", box)
        values, claimed = rows(mirror, VALUES), rows(mirror, CLAIMED)
        assert sorted(set(values) ^ set(by_pages[0]), key=repr) == []
        assert len(values) == len(by_pages[0])
        assert claimed == by_pages[1]


def wide_rows(mirror):
    """Return what the wide table holds by run, step and metric, and what it should hold."""
    [schema] = rows(mirror, "SELECT DISTINCT schema_name FROM columns")[0]
    wide = f"{quoted(schema)}.history"
    found, wanted = [], []
    for column, key in rows(
        mirror,
        "SELECT w.column_name, m.column_name FROM columns w JOIN columns m USING (schema_name, key) "
        "WHERE w.table_name = 'history' AND m.table_name = 'metrics' AND w.type = 'DOUBLE'",
    ):
        name = quoted(column)
        found += rows(
            mirror, f"SELECT run_id, _step, ?, {name} FROM {wide} WHERE {name} IS NOT NULL", key
        )
        wanted += rows(
            mirror,
            "SELECT run_id, step, key, value FROM metrics WHERE value IS NOT NULL AND key = ?",
            key,
        )
    steps = rows(mirror, f"SELECT run_id, _step FROM {wide}")
    return sorted(map(repr, found)), sorted(map(repr, wanted)), len(steps) - len(set(steps))


def test_plain_files_are_never_read_value_by_value_nor_turned_round(tmp_path, monkeypatch):
    def refuse(*given):
        raise AssertionError(given)

    monkeypatch.setattr(ExportedSteps, "open", refuse)
    monkeypatch.setattr(Wide, "_fill_history", refuse)
    world = make_world(projects=1, runs=5)
    for run in world.projects[0].live_runs:
        world.finish(run)
    with Sandbox(world, exports="ready") as box:
        mirror = pull(tmp_path / "m", box)
        (tmp_path / "m" / LEFT_BEHIND).touch()
        mirror = pull(tmp_path / "m", box)
    found, wanted, twice = wide_rows(mirror)
    assert found == wanted != []
    assert twice == 0
    assert [path.name for path in tmp_path.glob("m/export-*")] == [LEFT_BEHIND]


@pytest.mark.parametrize("most", [1, 2, 200])
def test_a_wide_table_that_was_filled_early_holds_what_its_places_say(tmp_path, most):
    world = make_world(projects=1, runs=0)
    with Sandbox(world) as box:
        for number, names in enumerate(["a", "ab", "bc", "cd", "d"]):
            run = world.create_run(world.projects[0], f"run{number}", state="running")
            for step in range(3):
                world.log(
                    run,
                    dict.fromkeys(names, step + 0.5) | ({"e": "x"} if number == 4 and step else {}),
                )
            world.finish(run)
            behave(box, exports="ready" if number % 2 else "off")
            mirror = pull(tmp_path / "m", box, **{"history.max_columns": most})
            found, wanted, twice = wide_rows(mirror)
            assert found == wanted != []
            assert twice == 0


def behave(box, **options):
    """Have a server that is running behave otherwise: the mirror knows it by its address."""
    for name, value in options.items():
        object.__setattr__(box.behaviour, name, value)


def is_export(seen):
    return seen.operation == "export"


def test_an_address_that_is_expired_is_asked_for_again(odd, by_pages, tmp_path):
    with Sandbox(odd, exports="ready") as box:
        box.faults.add(faults.status(403), times=3, when=is_export)
        mirror = pull(tmp_path / "m", box)
        assert rows(mirror, VALUES) == by_pages[0]


@pytest.mark.parametrize("fault", [faults.corrupt(), faults.status(404)], ids=["corrupt", "gone"])
def test_a_history_whose_files_are_useless_is_read_by_pages(odd, by_pages, tmp_path, fault):
    with Sandbox(odd, exports="ready") as box:
        box.faults.add(fault, times=None, when=is_export)
        mirror = pull(tmp_path / "m", box, **{"upstream.workers": 1})
        assert rows(mirror, VALUES) == by_pages[0]
        assert rows(mirror, CLAIMED) == by_pages[1]


def test_where_no_file_can_be_reached_histories_come_by_pages_and_manifests_are_set_aside(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(Client, "_sleep", lambda _self, _seconds: None)
    make = Engine.__init__
    monkeypatch.setattr(Engine, "__init__", lambda *given: make(*given[:-1], "http://127.0.0.1:9"))
    world = make_world(projects=1, runs=4, datasets=1)
    with Sandbox(world, exports="ready") as box:
        mirror = open_mirror(tmp_path / "m", box, overrides={"history.exports_from": 1})
        report = mirror.sync([TEAM])
    assert report.retries <= 12  # all workers may try at once
    assert rows(mirror, "SELECT DISTINCT kind FROM sync_errors") == [("artifact_files",)]
    lines = sum(run.history.line_count for run in world.projects[0].live_runs)
    assert rows(mirror, "SELECT sum(history_rows) FROM runs") == [(lines,)]


def test_files_that_lack_rows_are_not_believed(tmp_path, monkeypatch):
    world = make_world(projects=1, runs=2)
    run = world.run(first_runs(world)[0])
    real = plan_parts
    monkeypatch.setattr(
        "wandb_mirror.sandbox.exports.plan_parts", lambda run, behaviour: real(run, behaviour)[1:]
    )
    with Sandbox(world, exports="ready", export_shape=ExportShape(rows_per_file=10)) as box:
        mirror = pull(tmp_path / "m", box)
    found = rows(mirror, "SELECT history_rows FROM runs WHERE run_id = ?", run.run_id)
    assert found == [(30,)]


def test_a_long_history_of_an_ended_run_takes_no_page(tmp_path):
    world = make_world(projects=1, runs=6, steps=600)
    for run in world.projects[0].live_runs:
        world.finish(run)
    with Sandbox(world, exports="ready") as box:
        pull(tmp_path / "m", box, **{"history.exports_from": 500})
        sent = Counter(each.operation for each in box.requests)
        assert (sent["export"], sent["Exports"], sent["Steps"]) == (6, 1, 0)
        assert not any("authorization" in each.headers for each in box.requests if is_export(each))


@pytest.mark.parametrize("lacks", [frozenset(), frozenset({"Run.parquetHistory"})])
def test_runs_that_turn_out_to_be_in_no_file_share_requests_for_their_pages(tmp_path, lacks):
    world = make_world(projects=1, runs=8, steps=600)
    for run in world.projects[0].live_runs:
        world.finish(run)
    with Sandbox(world, exports="off", lacks=lacks) as box:
        pull(tmp_path / "m", box, **{"history.exports_from": 500})
        sent = Counter(each.operation for each in box.requests)
    assert (sent["Exports"], sent["Steps"]) == (1, 3)  # three runs have 1,800 of 2,000 lines


def test_a_server_without_exports_is_read_by_pages(odd, by_pages, tmp_path):
    with Sandbox(odd, lacks=frozenset({"Run.parquetHistory"})) as box:
        assert rows(pull(tmp_path / "m", box), VALUES) == by_pages[0]


LEAF = st.one_of(
    st.floats(allow_subnormal=False, width=32),
    st.integers(-(2**70), 2**70),
    st.booleans(),
    st.sampled_from(["", "a", "NaN", '"', "\u00e9"]),
    st.lists(st.integers(0, 3), max_size=2),
    st.builds(lambda bins: {"_type": "histogram", "bins": bins}, st.lists(st.integers(0, 3))),
)
LOGGED = st.dictionaries(st.sampled_from(["a", "b", "A", "x.y"]), LEAF, max_size=3) | st.builds(
    lambda value: {"c": {"d": value}}, LEAF
)
PHASE = st.tuples(
    st.lists(LOGGED, min_size=1, max_size=6),
    st.sampled_from(["ready", "lagging", "off", "null"]),
    st.sampled_from(list(SHAPES.values())),
    st.sampled_from([None, None, 0, 2]),
)


@settings(max_examples=10, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(phases=st.lists(PHASE, min_size=1, max_size=3), ends=st.booleans())
def test_any_split_of_rows_into_files_pages_and_growth_gives_the_same_table(phases, ends):
    world = make_world(projects=1, runs=0)
    run = world.create_run(world.projects[0], "grown", state="running")
    with tempfile.TemporaryDirectory() as place, Sandbox(world) as box:
        folder = Path(place)
        for number, (logged, exports, shape, rewound) in enumerate(phases):
            for row in logged:
                world.log(run, row)
            if rewound is not None and number:
                world.rewind(run, rewound)
                for row in logged:
                    world.log(run, row)
            if ends and number == len(phases) - 1:
                world.finish(run)
            behave(box, exports=exports, export_shape=shape)
            mirror = pull(folder / "m", box)
        fresh = pull(folder / "fresh", box, **{"history.exports": False})
        assert rows(mirror, VALUES) == rows(fresh, VALUES)
        assert rows(mirror, CLAIMED) == rows(fresh, CLAIMED)
        found, wanted, twice = wide_rows(mirror)
        assert found == wanted
        assert twice == 0


def test_a_long_history_that_was_cut_off_is_finished_from_its_files(tmp_path):
    world = make_world(projects=1, runs=1, steps=14_000, metrics=2)
    world.finish(first_runs(world)[0])
    with Sandbox(world) as box:
        mirror = open_mirror(tmp_path / "m", box, overrides={"upstream.max_requests": 8})
        with pytest.raises(BudgetSpent):
            mirror.sync([TEAM], only=["projects", "runs", "history"])
        behave(box, exports="ready")
        before = len(box.requests)
        mirror = pull(tmp_path / "m", box)
        sent = Counter(each.operation for each in box.requests[before:])
        assert (sent["export"], sent["Steps"]) == (1, 0)
        found = rows(mirror, "SELECT history_rows, history_status FROM runs")
        assert found == [(14_000, "complete")]


def test_a_long_history_that_was_cut_off_goes_on_by_pages_where_there_are_no_files(tmp_path):
    world = make_world(projects=1, runs=1, steps=14_000, metrics=2)
    world.finish(first_runs(world)[0])
    with Sandbox(world) as box:
        mirror = open_mirror(tmp_path / "m", box, overrides={"upstream.max_requests": 9})
        with pytest.raises(BudgetSpent):
            mirror.sync([TEAM], only=["projects", "runs", "history"])
        done = sum(each.operation == "Steps" for each in box.requests)
        assert done > 1
        mirror = pull(tmp_path / "m", box)
        assert sum(each.operation == "Steps" for each in box.requests) <= 15
        found = rows(mirror, "SELECT history_rows, history_status FROM runs")
        assert found == [(14_000, "complete")]
