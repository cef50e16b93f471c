"""Runs with thousands of metrics or hundreds of thousands of steps cost what is read of them."""

from __future__ import annotations

import json
import tracemalloc

import pytest

from wandb_mirror.sandbox import generate_world

WINDOW = """query W($run: String!, $min: Int64, $max: Int64, $samples: Int) {
  project(entityName: "demo-team", name: "mnist-baselines") { run(name: $run) {
    historyLineCount history(minStep: $min, maxStep: $max, samples: $samples) } } }"""
SAMPLED = """query S($run: String!, $specs: [JSONString!]!) {
  project(entityName: "demo-team", name: "mnist-baselines") { run(name: $run) {
    sampledHistory(specs: $specs) } } }"""


@pytest.fixture(scope="module")
def world():
    return generate_world(projects=2, runs=3, steps=1000, wide_runs=1, long_runs=1)


def find(world):
    """Return the wide run and the long one."""
    return world.projects[0].live_runs[-2:]


def test_they_stand_beside_ordinary_runs(world):
    assert [len(project.live_runs) for project in world.projects] == [5, 3]
    wide, long = find(world)
    assert len(wide.history.keys()) == 3003
    assert (wide.history.line_count, long.history.line_count) == (1000, 200_000)
    assert len(wide.summary_values) == 3004


def test_other_runs_are_the_same_without_them(world):
    plain = generate_world(projects=2, runs=3, steps=1000)
    assert [run.history.lines() for run in plain.projects[0].live_runs] == [
        run.history.lines() for run in world.projects[0].live_runs[:3]
    ]
    assert [run.run_id for run in plain.projects[0].live_runs] == [
        run.run_id for run in world.projects[0].live_runs[:3]
    ]


def test_they_cost_nothing_until_they_are_read():
    tracemalloc.start()
    try:
        generate_world(projects=1, runs=1, wide_runs=2, long_runs=20, long_steps=1_000_000)
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()


def test_a_window_costs_a_window():
    world = generate_world(
        projects=1, runs=0, steps=1000, wide_runs=1, long_runs=1, long_steps=10**6
    )
    wide, long = find(world)
    assert [json.loads(line)["_step"] for line in long.history.lines(700_000, 700_003)] == [
        700_000,
        700_001,
        700_002,
    ]
    assert len(wide.history.lines(990)) == 10
    assert wide.history.cache._bytes < 20_000_000


@pytest.mark.parametrize(("start", "stop"), [(0, 5), (28_560, 28_590), (199_990, 200_010)])
def test_a_window_across_blocks_is_that_of_its_rows(world, start, stop):
    long = find(world)[1]
    rows = [json.loads(line) for line in long.history.lines(start, stop)]
    assert rows == [long.history.row(step) for step in range(start, min(stop, 200_000))]


def test_windows_that_are_too_large_are_refused(sandbox, ask, world):
    box = sandbox(world, max_window_bytes=4_000_000)
    wide = find(world)[0]
    reply = ask(box, WINDOW, run=wide.run_id, min=0, max=500, samples=500)
    assert reply.status_code == 502
    reply = ask(box, WINDOW, run=wide.run_id, min=0, max=20, samples=500)
    assert len(reply.json()["data"]["project"]["run"]["history"]) == 20
    spec = {"keys": [f"layer_{n:03d}/norm" for n in range(2000)], "samples": 500, "maxStep": 59}
    assert ask(box, SAMPLED, run=wide.run_id, specs=[json.dumps(spec)]).status_code == 502


def test_what_is_no_history_is_never_too_large(sandbox, ask, world):
    box = sandbox(world, max_window_bytes=10)
    reply = ask(
        box,
        '{ project(entityName: "demo-team", name: "mnist-baselines") { runs { edges { node { summaryMetrics } } } } }',
    )
    assert reply.status_code == 200
    assert len(reply.content) > 50_000
