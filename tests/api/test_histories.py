"""Histories: rows as they were logged, rows that hold all keys, samples, many runs at once."""

from __future__ import annotations

import math
import sys

import pytest

from mirror.making import TEAM, make_world, open_mirror
from wandb_mirror import Api
from wandb_mirror.api.history import IncompleteHistory
from wandb_mirror.errors import BadFilter, NotMirrored, OnlyUpstream
from wandb_mirror.sandbox import Sandbox

USUAL = f"{TEAM}/mnist-baselines"
ODD = f"{TEAM}/oddities"


def test_a_row_has_what_was_logged_at_its_step_and_nothing_else(api):
    run = api.run(f"{ODD}/columns-differ")
    rows = [
        {"_step": 0, "_timestamp": 1706788800.5, "_runtime": 0.5, "a": 1},
        {"_step": 1, "b": 2},
        {"_step": 2, "a": 3, "b": 4},
        {"_step": 3, "_timestamp": 1706788804},
    ]
    assert list(run.scan_history()) == rows
    assert run.history(pandas=False) == rows
    assert list(run.scan_history(keys=["a", "b"])) == [rows[2]]
    assert run.history(keys=["a", "b"], pandas=False) == [rows[2]]
    assert list(run.scan_history(keys=["nope"])) == []


def test_nested_values_come_back_nested_and_can_be_named_by_their_dots(api):
    run = api.run(f"{ODD}/odd-values")
    row = next(run.scan_history())
    assert row["nested"] == {"a": {"b": {"c": 1}}, "list": [{"x": 1}], "empty": {}}
    assert (row["eval.loss"], row["eval"]) == (0.25, {"loss": 0.5})
    assert row["beyond_uint64"] == 2**64 + 1
    assert (row["nothing"], row["yes"], row["histogram"]["_type"]) == (None, True, "histogram")
    assert math.isnan(row["nan"])
    keys = ["nested.a.b.c", "eval.loss", "eval"]
    assert next(run.scan_history(keys=keys)) == {
        "_step": 0,
        "nested.a.b.c": 1,
        "eval.loss": 0.25,
        "eval": {"loss": 0.5},
    }


def test_values_of_one_key_keep_their_sorts(api):
    rows = api.run(f"{ODD}/type-changes").scan_history(keys=["m"])
    assert [row["m"] for row in rows] == [1, "one", True, [1], None, {"x": 1}]


def test_a_scan_takes_steps_from_one_and_before_another_and_can_start_over(api):
    scan = api.run(f"{ODD}/gap").scan_history(min_step=3, max_step=70_002, page_size=1)
    assert [row["_step"] for row in scan] == [3, 4, 70_000, 70_001]
    assert [row["_step"] for row in scan] == [3, 4, 70_000, 70_001]
    assert scan.max_step == 70_001
    assert api.run(f"{ODD}/gap").scan_history(max_step=10**9).max_step == 70_004
    assert list(api.run(f"{ODD}/no-history").scan_history()) == []


def test_a_sample_is_spread_evenly_and_has_both_ends(api):
    run = api.runs(USUAL)[0]
    sampled = run.history(samples=4, keys=["loss"], pandas=False)
    assert [row["_step"] for row in sampled] == [0, 19, 39, 59]
    assert len(run.history()) == 60
    assert list(run.history(samples=4, keys=["loss"], x_axis="accuracy", pandas=False)[0]) == [
        "accuracy",
        "loss",
    ]


@pytest.mark.parametrize("keys", ["loss", [1], ("loss",)])
def test_keys_that_are_no_list_of_strings_are_an_error(api, keys):
    run = api.runs(USUAL)[0]
    with pytest.raises(ValueError, match="list of strings"):
        run.scan_history(keys=keys)
    with pytest.raises(BadFilter, match="list of strings"):
        run.history(keys=keys)


def test_a_scan_is_a_frame_when_asked(api):
    run = api.runs(USUAL)[0]
    frame = run.scan_history().to_pandas()
    assert list(frame.columns) == list(run.scan_history().to_arrow().column_names)
    assert len(frame) == 60
    odd = api.run(f"{ODD}/odd-values").scan_history().to_arrow()
    assert odd["eval.loss"].to_pylist() == [0.25] * 3 or "eval.loss" in odd.column_names


def test_histories_of_many_runs_name_their_run(api):
    runs = api.runs(USUAL, {"state": "finished"})
    rows = runs.histories(samples=3, keys=["loss"])
    assert {row["run_id"] for row in rows} <= {run.id for run in runs}
    frame = runs.histories(samples=3, keys=["loss"], format="pandas")
    assert list(frame.columns) == ["_step", "loss", "run_id"]
    assert len(frame) == len(rows)
    with pytest.raises(ValueError, match="Invalid format"):
        runs.histories(format="excel")


@pytest.mark.parametrize("samples", [2, 3, 7, 59, 60, 500])
@pytest.mark.parametrize("keys", [["loss"], ["accuracy", "loss"], ["loss", "loss"]])
def test_samples_of_many_runs_in_one_query_are_those_of_each_run(api, samples, keys):
    runs = api.runs(USUAL, order="-created_at")
    alone = [
        {**row, "run_id": run.id}
        for run in runs
        for row in run.history(samples, keys, pandas=False)
    ]
    assert repr(runs.histories(samples, keys)) == repr(alone)


def test_metrics_of_several_sorts_are_sampled_run_by_run(api):
    runs = api.runs(ODD)
    rows = [
        row["m"]
        for row in runs.histories(samples=10, keys=["m"])
        if row["run_id"] == "type-changes"
    ]
    assert rows == [1, "one", True, [1], None, {"x": 1}]


def test_one_query_scans_the_histories_of_all_runs(api):
    runs = api.runs(USUAL)
    rows = list(runs.scan_histories(["loss", "accuracy"]))
    wanted = [
        {"run_id": run.id, **row}
        for run in runs
        for row in run.scan_history(keys=["loss", "accuracy"])
    ]
    assert [repr(row) for row in rows] == [repr(row) for row in wanted]
    assert len(runs.scan_histories(["loss"]).to_pandas()) >= len(rows)
    assert list(api.runs(USUAL, {"config.lr": -1}).scan_histories(["loss"])) == []
    with pytest.raises(NotMirrored, match="no run of this project has a metric"):
        list(runs.scan_histories(["nope"]))
    with pytest.raises(BadFilter):
        runs.scan_histories([])


def test_runs_are_a_table_with_config_and_summary_as_columns(api):
    runs = api.runs(USUAL, order="-created_at")
    table = runs.to_arrow()
    assert table["run_id"].to_pylist() == [run.id for run in runs]
    assert table["config.lr"].to_pylist() == [run.config.get("lr") for run in runs]
    frame = runs.to_pandas()
    assert [repr(value) for value in frame["summary.loss"]] == [
        repr(float(run.summary.get("loss", math.nan))) for run in runs
    ]


def test_the_table_of_runs_leaves_no_key_out(api):
    table = api.runs(ODD).to_arrow()  # forty places, and more keys than that
    wanted = set()
    for run in api.runs(ODD):
        wanted |= {
            f"config.{name}" for name, value in run.config.items() if not isinstance(value, dict)
        }
    names = {name.split("~")[0].lower() for name in table.column_names}
    assert {name for name in wanted if name.split("~")[0].lower() not in names} == set()
    values = dict(zip(table["run_id"].to_pylist(), table["config.m"].to_pylist(), strict=True))
    assert (
        dict(zip(table["run_id"].to_pylist(), table["summary.wide/7"].to_pylist(), strict=True))[
            "wide"
        ]
        == 7.0
    )
    assert (values["numbers-here"], values["text-here"], values["booleans-here"]) == (
        "1",
        "one",
        "true",
    )


def test_polars_gets_the_same_tables(api):
    pytest.importorskip("polars")
    runs = api.runs(USUAL)
    assert runs.to_polars().columns == runs.to_arrow().column_names
    assert runs.scan_histories(["loss"]).to_polars().height == len(
        list(runs.scan_histories(["loss"]))
    )
    assert runs[0].scan_history().to_polars().height == 60
    frame = runs.histories(samples=3, keys=["loss"], format="polars")
    assert frame.columns == ["_step", "loss", "run_id"]


def test_a_frame_without_its_library_says_what_to_install(api, monkeypatch):
    monkeypatch.setitem(sys.modules, "polars", None)
    with pytest.raises(OnlyUpstream, match="pip install polars"):
        api.runs(USUAL).to_polars()


def test_a_history_that_is_not_all_here_says_so(tmp_path):
    with Sandbox(make_world(projects=1)) as box:
        mirror = open_mirror(tmp_path / "mirror", box)
        mirror.sync([TEAM], skip=["history"])
        runs = Api(mirror=mirror.folder).runs(USUAL)
        assert runs[0].history_status == "none"
        with pytest.warns(IncompleteHistory, match="its history is none in this mirror"):
            assert list(runs[0].scan_history()) == []
        with pytest.warns(IncompleteHistory, match="history"):
            runs.histories(keys=["loss"])
