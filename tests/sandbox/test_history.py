"""What runs logged, and how windows, samples and keys of it are answered."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wandb_mirror.sandbox import generate_world, warm_up
from wandb_mirror.sandbox.history import LoggedHistory, index_keys, sample
from wandb_mirror.sandbox.oddities import add_far_steps

HISTORY = """query H($p: String!, $run: String!, $min: Int64, $max: Int64, $samples: Int,
    $specs: [JSONString!]!) {
  project(entityName: "demo-team", name: $p) { run(name: $run) {
    historyLineCount historyKeys history(minStep: $min, maxStep: $max, samples: $samples)
    sampledHistory(specs: $specs) } } }"""


def steps(lines):
    return [json.loads(line)["_step"] for line in lines]


@pytest.fixture
def history(sandbox, ask):
    box = sandbox(generate_world(projects=1, runs=2, steps=1500, metrics=3, has_oddities=True))
    add_far_steps(box.world, box.world.project("demo-team", "oddities"))

    def fetch(run, project="oddities", specs=(), **variables):
        specs = [json.dumps(spec) for spec in specs]
        reply = ask(box, HISTORY, p=project, run=run, specs=specs, **variables).json()
        return reply["data"]["project"]["run"]

    fetch.first_run = box.world.projects[0].live_runs[0]
    return fetch


def test_a_window_begins_with_its_first_and_ends_before_its_last_step(history):
    assert steps(history("late", min=5002, max=5005, samples=3)["history"]) == [5002, 5003, 5004]
    assert steps(history("sparse", min=0, max=100_000, samples=100_000)["history"]) == [0]
    assert steps(history("far-away", min=2**40, max=2**40 + 1, samples=1)["history"]) == [2**40]


def test_fewer_samples_than_rows_are_spread_over_the_window(history):
    run = history.first_run
    found = steps(history(run.run_id, "mnist-baselines", samples=4)["history"])
    assert found == [0, 499, 999, 1499]
    assert len(history(run.run_id, "mnist-baselines")["history"]) == 500


def test_sampled_history_has_rows_with_all_keys_alone(history):
    specs = [{"keys": ["_step", "a", "b"], "samples": 9}, {"keys": ["a"]}]
    assert history("columns-differ", specs=specs)["sampledHistory"] == [
        [{"_step": 2, "a": 3, "b": 4}],
        [{"a": 1}, {"a": 3}],
    ]


def test_sampled_history_includes_its_last_step(history):
    spec = {"keys": ["_step"], "minStep": 5003, "maxStep": 5005, "samples": 9}
    rows = history("late", specs=[spec])["sampledHistory"][0]
    assert [row["_step"] for row in rows] == [5003, 5004, 5005]


def test_sampled_history_spells_what_json_lacks(history):
    spec = {"keys": ["nan", "infinity", "overflow", "eval.loss"], "samples": 1}
    assert history("odd-values", specs=[spec])["sampledHistory"][0] == [
        {"nan": "NaN", "infinity": "Infinity", "overflow": "Infinity", "eval.loss": 0.25}
    ]


def test_the_index_of_metrics_counts_types(history):
    keys = history("type-changes")["historyKeys"]
    assert keys["lastStep"] == 5
    assert keys["keys"]["m"]["typeCounts"] == [
        {"type": name, "count": 1} for name in ("bool", "list", "nil", "number", "string")
    ]
    assert keys["keys"]["m.x"]["typeCounts"] == [{"type": "number", "count": 1}]
    assert history("no-history")["historyKeys"] is None


@pytest.mark.parametrize("is_sparse", [False, True])
def test_a_curve_says_of_itself_what_its_lines_say(is_sparse):
    world = generate_world(
        projects=1, runs=1, steps=101, metrics=8, has_sparse_metrics=is_sparse, seed=3
    )
    run = world.projects[0].live_runs[0]
    lines = run.history.lines()
    assert len(lines) == run.history.line_count == len(set(steps(lines)))
    assert [json.loads(line) for line in lines] == [
        run.history.row(step) for step in range(len(lines))
    ]
    counted = index_keys(lines)
    for key, entry in run.history.keys().items():
        assert entry["typeCounts"] == counted[key]["typeCounts"]
        assert entry["previousValue"] == counted[key]["previousValue"]
    wanted = {key: entry["previousValue"] for key, entry in counted.items()}
    assert {key: run.summary_values[key] for key in wanted} == wanted


@given(
    logged=st.sets(st.integers(0, 60), max_size=20).map(sorted),
    low=st.none() | st.integers(0, 70),
    high=st.none() | st.integers(0, 70),
)
def test_windows_are_those_of_a_list(logged, low, high):
    history = LoggedHistory((step, json.dumps({"_step": step})) for step in logged)
    wanted = [
        step for step in logged if (low is None or step >= low) and (high is None or step < high)
    ]
    assert steps(history.lines(low, high)) == wanted


@given(rows=st.integers(0, 50), samples=st.integers(0, 60))
def test_samples_are_rows_in_order(rows, samples):
    lines = [str(row) for row in range(rows)]
    chosen = sample(lines, samples)
    assert len(chosen) == min(rows, samples)
    assert list(chosen) == sorted(set(chosen), key=int)


def test_rendered_curves_are_forgotten_when_they_are_too_many():
    world = generate_world(projects=1, runs=5, steps=50, cache_bytes=10_000)
    runs = world.projects[0].live_runs
    first = list(runs[0].history.lines())
    assert warm_up(world) == sum(len(line) for run in runs for line in run.history.lines())
    cache = runs[0].history.cache
    assert [cache.get((run.history.number, 0)) is not None for run in runs] == [False] * 4 + [True]
    assert runs[0].history.lines() == first


def test_rows_with_nan_may_be_dropped_while_they_are_counted(sandbox, ask):
    box = sandbox(generate_world(projects=0, has_oddities=True), drops_nan_rows=True)
    reply = ask(box, HISTORY, p="oddities", run="all-nan", specs=[]).json()
    assert reply["data"]["project"]["run"]["historyLineCount"] == 3
    assert len(reply["data"]["project"]["run"]["history"]) == 1
