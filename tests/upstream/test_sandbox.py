"""The same library against a server of another make, over real connections."""

from __future__ import annotations

import json

import pytest

from fakes.serving import Clock
from wandb_mirror.errors import MirrorError, Refused, Unauthorized
from wandb_mirror.kinds import kind_named
from wandb_mirror.kinds.pages import ScopeOf, StepsRequest
from wandb_mirror.kinds.run import RUN
from wandb_mirror.sandbox import Sandbox, faults, generate_world
from wandb_mirror.settings import UpstreamSettings
from wandb_mirror.upstream.authority import Authority
from wandb_mirror.upstream.capabilities import Capabilities
from wandb_mirror.upstream.client import Client
from wandb_mirror.upstream.credentials import Credentials
from wandb_mirror.upstream.shapes import Upstream

PROJECT, HISTORY, VIEWER = map(kind_named, ("projects", "history", "viewers"))
TEAM = "demo-team"


@pytest.fixture(scope="module")
def world():
    return generate_world(projects=2, runs=12, steps=30, metrics=3, config_keys=4, entity=TEAM)


def upstream_of(box, *, key=None, **settings: object):
    authority = Authority(box.base_url, Credentials("a test", key or box.api_key))
    clock = Clock()
    return Upstream(
        Client(
            box.base_url,
            authority,
            UpstreamSettings(timeout_seconds=5.0, **settings),  # type: ignore[arg-type]
            stop=clock,  # type: ignore[arg-type]
            clock=clock,
        ),
        Capabilities(),
    )


@pytest.fixture
def box(world):
    with Sandbox(world) as box:
        yield box


@pytest.fixture
def upstream(box):
    upstream = upstream_of(box)
    yield upstream
    upstream.client.close()


def scope_of(upstream):
    first = upstream.fetch_listing_page(PROJECT, ScopeOf(TEAM), fields="light", first=1).rows[0]
    return ScopeOf(TEAM, first["project"], first["project_id"])


def walk(upstream, scope, **more: object):
    rows, cursor = [], None
    while True:
        page = upstream.fetch_listing_page(RUN, scope, first=5, after=cursor, **more)
        rows += page.rows
        if not page.has_next:
            return rows
        cursor = page.cursor


def test_everything_is_read_and_nothing_is_lacking(upstream):
    scope = scope_of(upstream)
    assert upstream.fetch_node(VIEWER, ScopeOf())["user_id"]
    project = upstream.fetch_node(PROJECT, scope)
    light = walk(upstream, scope, fields="light", order="+created_at")
    assert len(light) == project["run_count"]
    keys = [row["run_id"] for row in light]
    whole = upstream.fetch_detail_page(RUN, scope, keys)
    assert {row["run_id"] for row in whole.rows} == set(keys)
    assert all(json.loads(row["config"]) for row in whole.rows)
    by_key = {row["run_id"]: row for row in whole.rows}
    assert all(by_key[row["run_id"]].items() >= row.items() for row in light)
    replies = upstream.fetch_steps(HISTORY, scope, [StepsRequest(key, 0, 1000) for key in keys])
    counts = [row["history_line_count"] for row in light]
    assert (
        [len(reply.lines) for reply in replies] == [reply.line_count for reply in replies] == counts
    )
    assert upstream.capabilities.missing == frozenset()


def test_objects_by_name_are_what_the_filter_gives(upstream):
    scope = scope_of(upstream)
    keys = [row["run_id"] for row in walk(upstream, scope, fields="light")]
    filtered = upstream.fetch_detail_page(RUN, scope, keys)
    upstream.capabilities.learn(["project.runs(filters)"])
    named = upstream.fetch_detail_page(RUN, scope, keys)
    by_key = {row["run_id"]: row for row in filtered.rows}
    assert [by_key[key] for key in keys] == list(named.rows)


@pytest.mark.parametrize(
    "fault",
    [
        faults.throttle(),
        faults.status(500),
        faults.status(502),
        faults.html_page(),
        faults.bad_json(),
        faults.reset(),
        faults.truncate(),
    ],
    ids=str,
)
def test_what_goes_wrong_once_is_mended_by_asking_again(box, upstream, fault):
    expected = upstream.fetch_node(VIEWER, ScopeOf())
    box.faults.add(fault, times=1)
    assert upstream.fetch_node(VIEWER, ScopeOf()) == expected
    assert upstream.client.usage.retries == 1


def test_an_error_of_the_server_itself_is_refused(box, upstream):
    box.faults.add(faults.graphql_error("permission denied", ["viewer"]), times=1)
    with pytest.raises(Refused, match="permission denied"):
        upstream.fetch_node(VIEWER, ScopeOf())


def test_a_key_that_is_not_known_is_never_taken_for_an_answer(box):
    upstream = upstream_of(box, key="x" * 40)
    try:
        assert upstream.fetch_node(VIEWER, ScopeOf()) is None
    except MirrorError as error:
        assert isinstance(error, Unauthorized)  # noqa: PT017
    upstream.client.close()


def test_what_came_over_the_wire_is_counted_packed(box, upstream):
    scope = scope_of(upstream)
    walk(upstream, scope, fields="whole")
    assert upstream.client.usage.requests == len(box.requests)
    assert 0 < upstream.client.usage.bytes_received <= sum(each.bytes_out for each in box.requests)


STRANGE = {
    "older": {"lacks": frozenset({"Run.updatedAt", "Run.historyKeys", "Project.internalId"})},
    "without filters": {"lacks": frozenset({"Project.runs(filters)"})},
    "ignoring filters": {"ignores_filters": True},
    "other names": {
        "renames": {"Run": "RunNode", "Project": "ProjectNode"},
        "lacks": frozenset({"Run.systemMetrics"}),
        "allows_introspection": False,
    },
    "small pages": {"max_page": 3},
    "times without zone": {"time_zone": ""},
    "packed": {"compresses": True},
}


@pytest.mark.parametrize("options", STRANGE.values(), ids=STRANGE)
def test_a_server_of_another_kind_gives_every_run_and_every_step_it_has(world, options):
    with Sandbox(world, **options) as box:
        upstream = upstream_of(box)
        scope = scope_of(upstream)
        light = walk(upstream, scope, fields="light")
        keys = [row["run_id"] for row in light]
        whole = upstream.fetch_detail_page(RUN, scope, keys)
        replies = upstream.fetch_steps(HISTORY, scope, [StepsRequest(key, 0, 1000) for key in keys])
        usage, sent = upstream.client.usage, sum(each.bytes_out for each in box.requests)
        upstream.client.close()
    with Sandbox(world) as plain:
        upstream = upstream_of(plain)
        expected = walk(upstream, scope_of(upstream), fields="whole")
        upstream.client.close()
    lacked = {"Run.updatedAt": "updated_at", "Run.systemMetrics": "system_metrics"}
    empty = {lacked[name] for name in options.get("lacks", ()) if name in lacked}
    empty |= {"project_id"}  # of a server that has no lasting id it is another one
    by_key = {row["run_id"]: row for row in whole.rows}
    for row in expected:
        found = by_key[row["run_id"]]
        assert {k: v for k, v in found.items() if k not in empty} == {
            k: v for k, v in row.items() if k not in empty
        }
    assert [len(each.lines) for each in replies] == [row["history_line_count"] for row in light]
    assert usage.bytes_received == sent  # packed, where the server packs
