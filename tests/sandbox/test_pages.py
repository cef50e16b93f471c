"""Listings: pages, cursors, counts, and what can be wrong with them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wandb_mirror.sandbox import faults, generate_world
from wandb_mirror.sandbox.behaviour import Behaviour
from wandb_mirror.sandbox.connections import PageTricks, make_page
from wandb_mirror.sandbox.engine import Engine
from wandb_mirror.sandbox.orders import sort_runs

RUNS = """query Runs($first: Int, $after: String, $order: String, $filters: JSONString) {
  project(entityName: "demo-team", name: "mnist-baselines") {
    runCount(filters: $filters)
    runs(first: $first, after: $after, order: $order, filters: $filters) {
      edges { node { name } cursor } pageInfo { endCursor hasNextPage } totalCount
    }
  }
}"""


def page(reply):
    return reply.json()["data"]["project"]["runs"]


def names(reply):
    return [edge["node"]["name"] for edge in page(reply)["edges"] if edge["node"]]


def walk(send, first, **variables: Any):
    """Return the names of all pages, as a client that trusts the server reads them."""
    found, after = [], None
    while True:
        reply = send(first=first, after=after, **variables)
        found += names(reply)
        info = page(reply)["pageInfo"]
        if not info["hasNextPage"]:
            return found
        assert info["endCursor"] != after
        after = info["endCursor"]


@given(rows=st.integers(0, 40), first=st.integers(1, 15))
def test_pages_together_are_the_listing(rows, first):
    listing, found, after, has_next = list(range(rows)), [], None, True
    while has_next:
        part = make_page(listing, first=first, after=after, max_page=10, tricks=PageTricks())
        assert min(rows, 1) <= len(part.edges) <= min(first, 10)
        found += [edge.node for edge in part.edges]
        after, has_next = part.end_cursor, part.has_next
    assert found == listing


def test_a_walk_over_http_reads_each_run_once(sandbox, ask):
    box = sandbox()
    runs = box.world.projects[0].live_runs
    found = walk(lambda **variables: ask(box, RUNS, **variables), 5, order="+created_at")
    assert found == [run.run_id for run in sorted(runs, key=lambda run: run.created_at)]


def test_counts_heed_the_filters(sandbox, ask):
    box = sandbox()
    filters = json.dumps({"state": "finished"})
    reply = ask(box, RUNS, filters=filters).json()["data"]["project"]
    wanted = sum(run.state == "finished" for run in box.world.projects[0].live_runs)
    assert reply["runCount"] == reply["runs"]["totalCount"] == wanted


def test_no_page_is_larger_than_the_server_likes(sandbox, ask):
    box = sandbox(max_page=4)
    assert len(names(ask(box, RUNS, first=1000))) == 4


def test_rows_that_move_are_read_twice_or_never(sandbox, ask):
    box = sandbox()
    order = "-updated_at"
    first = ask(box, RUNS, first=6, order=order)
    runs = {run.run_id: run for run in box.world.projects[0].live_runs}
    unseen = [run for run_id, run in runs.items() if run_id not in names(first)]
    box.world.edit(unseen[-1], notes="moves to the front")
    rest = ask(box, RUNS, first=100, after=page(first)["pageInfo"]["endCursor"], order=order)
    assert unseen[-1].run_id not in names(rest)
    assert names(first)[-1] in names(rest)


def test_an_empty_page_may_have_a_next(sandbox, ask):
    box = sandbox()
    box.faults.add(faults.empty_page(), at=(1, 3))
    replies = []

    def send(**variables: Any):
        replies.append(ask(box, RUNS, **variables))
        return replies[-1]

    assert len(walk(send, 5)) == 12
    assert [len(names(reply)) for reply in replies] == [0, 5, 0, 5, 2]


def test_a_server_may_ignore_the_cursor(sandbox, ask):
    box = sandbox(ignores_after=True)
    first = ask(box, RUNS, first=5)
    second = ask(box, RUNS, first=5, after=page(first)["pageInfo"]["endCursor"])
    assert names(first) == names(second)
    assert page(second)["pageInfo"]["hasNextPage"]


def test_nodes_may_be_null(sandbox, ask):
    box = sandbox()
    box.faults.add(faults.null_node(0, 2))
    assert [edge["node"] is None for edge in page(ask(box, RUNS, first=4))["edges"]] == [
        True, False, True, False,
    ]  # fmt: skip


def test_a_cursor_of_another_make_is_refused(sandbox, ask):
    reply = ask(sandbox(), RUNS, after="!")
    assert reply.status_code == 400
    assert "cursor" in reply.json()["errors"][0]["message"]


@pytest.mark.parametrize(
    ("order", "key"),
    [
        ("+created_at", lambda run: run.created_at),
        ("created_at", lambda run: run.created_at),
        ("+heartbeatAt", lambda run: run.heartbeat_at),
        ("+name", lambda run: run.run_id),
        ("+summary_metrics.loss", lambda run: run.summary_values["loss"]),
        ("+config.lr.value,+name", lambda run: (run.config_values["lr"]["value"], run.run_id)),
    ],
)
def test_an_order_sorts(order, key):
    runs = generate_world(projects=1, runs=60).projects[0].live_runs
    assert list(map(key, sort_runs(runs, order))) == sorted(map(key, runs))
    down = ",".join("-" + part.lstrip("+") for part in order.split(","))
    assert list(map(key, sort_runs(runs, down))) == sorted(map(key, runs), reverse=True)


def test_config_sorts_nothing_without_its_value():
    runs = generate_world(projects=1, runs=20).projects[0].live_runs
    assert sort_runs(runs, "+config.lr") == runs


def test_runs_without_the_value_come_last_both_ways():
    world = generate_world(projects=1, runs=5)
    runs = world.projects[0].live_runs
    world.edit(runs[0], summary={})
    world.edit(runs[1], summary='{"loss": NaN}')
    for order in ("+summary_metrics.loss", "-summary_metrics.loss"):
        assert set(sort_runs(runs, order)[-2:]) == {runs[0], runs[1]}


def test_ties_may_change_places_between_requests():
    world = generate_world(projects=1, runs=12)
    engine = Engine(world, Behaviour(ties="shuffled"))
    body = json.dumps({"query": RUNS, "variables": {"order": "+entity"}}).encode()
    replies = {engine.answer(body, is_known=True).body for _ in range(5)}
    assert len(replies) > 1
