from __future__ import annotations

from datetime import datetime
from typing import Any

import httpx
import pytest

from fakes.serving import SCHEMA, Server, client_of, upstream_of, without
from wandb_mirror.errors import NotFound, NotOffered, Refused, UpstreamBroken
from wandb_mirror.kinds import KINDS, kind_named
from wandb_mirror.kinds.pages import ScopeOf, StepsRequest
from wandb_mirror.kinds.run import RUN
from wandb_mirror.upstream.capabilities import Capabilities
from wandb_mirror.upstream.shapes import ALIASES, Upstream

PROJECT, HISTORY, VIEWER = map(kind_named, ("projects", "history", "viewers"))
SCOPE = ScopeOf("team", "vision", "p1")


def run_of(name, **more: Any):
    return {
        "id": f"storage-{name}",
        "name": name,
        "displayName": f"the {name}",
        "state": "Finished",
        "user": {"username": "ada"},
        "tags": ["b", "a"],
        "createdAt": "2024-01-01T00:00:00Z",
        "computeSeconds": 2,
        "historyLineCount": 3,
        "historyKeys": {"lastStep": 2},
        "config": '{"lr":{"value":1e-3 }}',
        "summaryMetrics": '{"loss": NaN}',
        "steps": {step: f'{{"_step":{step}}}' for step in range(3)},
        **more,
    }


def project_of(*runs: Any, **more: Any):
    return {
        "id": "UHJvamVjdA==",
        "internalId": "p1",
        "name": "vision",
        "entityName": "team",
        "user": {"id": "u1", "username": "ada"},
        "readOnly": False,
        "isBenchmark": False,
        "createdAt": "2024-01-01T00:00:00",
        "runs": list(runs),
        **more,
    }


def listed(upstream, *, kind=RUN, fields="light", first=10, **more: Any):
    return upstream.fetch_listing_page(kind, SCOPE, fields=fields, first=first, **more)


def test_a_project_is_a_row_by_column():
    row = upstream_of(Server(projects=[project_of(run_of("r1"))])).fetch_node(PROJECT, SCOPE)
    assert row == {
        "project_id": "p1",
        "storage_id": "UHJvamVjdA==",
        "entity": "team",
        "project": "vision",
        "username": "ada",
        "read_only": False,
        "is_benchmark": False,
        "description": None,
        "access": None,
        "created_at": datetime(2024, 1, 1),  # noqa: DTZ001
        "updated_at": None,
        "run_count": 1,
    }


def test_an_absent_object_is_none_and_no_error():
    assert upstream_of(Server()).fetch_node(PROJECT, SCOPE) is None
    assert upstream_of(Server(viewer=None)).fetch_node(VIEWER, ScopeOf()) is None


def test_a_light_row_carries_the_light_columns_and_no_others():
    page = listed(upstream_of(Server(projects=[project_of(run_of("r1"))])))
    assert list(page.rows[0]) == ["project_id", *(field.column for field in RUN.light_fields)]
    assert (page.rows[0]["state"], page.rows[0]["tags"]) == ("finished", '["b","a"]')
    assert page.rows[0]["username"] == "ada"


def test_json_text_is_kept_to_the_letter():
    page = listed(upstream_of(Server(projects=[project_of(run_of("r1"))])), fields="whole")
    assert page.rows[0]["config"] == '{"lr":{"value":1e-3 }}'
    assert page.rows[0]["summary"] == '{"loss": NaN}'


def test_hidden_nodes_are_left_out_and_the_walk_goes_on():
    page = listed(upstream_of(Server(projects=[project_of(None, run_of("r1"), None)])), first=1)
    assert (list(page.rows), page.has_next, page.cursor) == ([], True, "1")


def test_a_row_that_cannot_be_kept_is_told_and_the_others_are_there():
    runs = [run_of("r1", createdAt="soon"), run_of("r2"), run_of("")]
    page = listed(upstream_of(Server(projects=[project_of(*runs)])))
    assert [row["run_id"] for row in page.rows] == ["r2"]
    assert page.bad == [
        ("r1", "createdAt cannot be read: soon is not a time"),
        ("(no id)", "it has no id"),
    ]


def test_a_scope_that_is_null_is_not_found():
    upstream = upstream_of(Server())
    with pytest.raises(NotFound, match="team/vision is absent or not visible"):
        listed(upstream)
    with pytest.raises(NotFound, match="team is absent"):
        upstream.fetch_listing_page(PROJECT, ScopeOf("team"), fields="light", first=10)
    with pytest.raises(NotFound):
        upstream.fetch_steps(HISTORY, SCOPE, [StepsRequest("r1", 0, 10)])


def test_a_listing_withheld_from_a_project_that_is_shown_is_refused():
    class Withholding(Server):
        def _page(self, *_: Any):
            return None

    with pytest.raises(Refused, match="answers null for its runs"):
        listed(upstream_of(Withholding(projects=[project_of()])))


@pytest.fixture(params=["edges", "pageInfo", "hasNextPage"])
def listing_without(request):
    class Torn(Server):
        def _page(self, *arguments: Any):
            page = Server._page(self, *arguments)
            if request.param == "hasNextPage":
                page["pageInfo"]["hasNextPage"] = None
            else:
                page[request.param] = None
            return page

    return Torn(projects=[project_of(run_of("r1"))])


def test_a_listing_that_does_not_say_what_there_is_is_never_an_empty_one(listing_without):
    with pytest.raises(UpstreamBroken):
        listed(upstream_of(listing_without))


def test_details_come_by_key_whole_and_from_the_filter():
    server = Server(projects=[project_of(*(run_of(f"r{n}") for n in range(9)))])
    page = upstream_of(server).fetch_detail_page(RUN, SCOPE, ["r3", "r7", "gone"])
    assert [row["run_id"] for row in page.rows] == ["r3", "r7"]
    assert page.rows[0]["config"] is not None
    assert len(server.documents) == 1


def test_a_server_with_small_pages_still_sends_every_detail():
    server = Server(projects=[project_of(*(run_of(f"r{n}") for n in range(9)))], largest_page=2)
    keys = [f"r{n}" for n in range(7)]
    page = upstream_of(server).fetch_detail_page(RUN, SCOPE, keys)
    assert [row["run_id"] for row in page.rows] == keys


def test_a_server_that_ignores_the_filter_is_asked_by_name():
    server = Server(
        projects=[project_of(*(run_of(f"r{n}") for n in range(9)))], heeds_filters=False
    )
    upstream = upstream_of(server)
    page = upstream.fetch_detail_page(RUN, SCOPE, ["r7", "gone", "r8"])
    assert [row["run_id"] for row in page.rows] == ["r7", "r8"]
    assert not upstream.can_seek(RUN)


def test_a_server_without_filters_and_orders_gives_everything_it_has():
    schema = without(", filters: JSONString, order: String")
    server = Server(schema, projects=[project_of(*(run_of(f"r{n}") for n in range(5)))])
    upstream = upstream_of(server)
    page = listed(
        upstream, filters={"createdAt": {"$gte": "2024-01-01T00:00:00Z"}}, order="+created_at"
    )
    assert len(page.rows) == 5
    assert not upstream.can_seek(RUN)
    assert upstream.capabilities.missing == {"project.runs(filters)", "project.runs(order)"}
    details = upstream.fetch_detail_page(RUN, SCOPE, ["r2", "r4"])
    assert [row["run_id"] for row in details.rows] == ["r2", "r4"]


LACKED = (
    "  updatedAt: String\n",
    "  sweepName: String\n",
    "  systemMetrics: JSONString\n",
    "  user: User\n",
)


@pytest.mark.parametrize("tells_one_error", [False, True])
@pytest.mark.parametrize("tells_no_lines", [False, True])
@pytest.mark.parametrize("renamed", [False, True])
def test_what_an_older_server_lacks_is_learned_once_and_left_empty(
    tells_one_error, tells_no_lines, renamed
):
    schema = without(*LACKED)
    if renamed:
        schema = schema.replace("Run", "RunNode").replace("Project", "ProjectNode")
    server = Server(
        schema,
        projects=[project_of(run_of("r1"))],
        tells_one_error=tells_one_error,
        tells_no_lines=tells_no_lines,
    )
    upstream = upstream_of(server)
    row = listed(upstream, fields="whole").rows[0]
    gone = ("updated_at", "sweep_id", "system_metrics", "username")
    assert [row[column] for column in gone] == [None] * 4
    assert (row["run_id"], row["config"]) == ("r1", '{"lr":{"value":1e-3 }}')
    assert upstream.capabilities.missing == {
        "Run.updatedAt",
        "Run.sweepName",
        "Run.systemMetrics",
        "Run.user.username",
    }
    asked = len(server.documents)
    listed(upstream, fields="whole")
    assert len(server.documents) == asked + 1


def test_a_project_without_an_id_that_lasts_is_known_by_the_other():
    server = Server(without("  internalId: ID!\n"), projects=[project_of()])
    upstream = upstream_of(server)
    row = upstream.fetch_node(PROJECT, SCOPE)
    assert (row["project_id"], row["storage_id"]) == ("UHJvamVjdA==", "UHJvamVjdA==")
    assert upstream.fetch_node(PROJECT, SCOPE) == row


def test_a_server_without_w_and_b_s_scalars_is_asked_with_plain_ones():
    schema = SCHEMA.replace("scalar JSONString\n", "").replace("scalar Int64\n", "")
    schema = schema.replace("JSONString", "String").replace("Int64", "Int")
    server = Server(schema, projects=[project_of(run_of("r1"))])
    upstream = upstream_of(server)
    assert len(upstream.fetch_detail_page(RUN, SCOPE, ["r1"]).rows) == 1
    (reply,) = upstream.fetch_steps(HISTORY, SCOPE, [StepsRequest("r1", 0, 10)])
    assert len(reply.lines) == 3


def test_an_argument_of_another_type_counts_as_missing():
    schema = SCHEMA.replace("order: String): RunC", "order: [Int]): RunC")
    upstream = upstream_of(Server(schema, projects=[project_of(run_of("r1"))]))
    assert len(listed(upstream, order="+created_at").rows) == 1
    assert upstream.capabilities.missing == {"project.runs(order)"}


@pytest.mark.parametrize(
    ("removed", "kind", "message"),
    [
        (
            "  runs(first: Int, after: String, filters: JSONString, order: String): RunConnection",
            RUN,
            "project.runs",
        ),
        (
            "  models(entityName: String, first: Int, after: String): ProjectConnection",
            PROJECT,
            "models",
        ),
    ],
)
def test_a_server_without_a_listing_does_not_offer_the_kind(removed, kind, message):
    server = Server(without(removed), projects=[project_of()])
    upstream = upstream_of(server)
    with pytest.raises(NotOffered, match=f"has no {message}: no {kind.plural}"):
        listed(upstream, kind=kind)
    asked = len(server.documents)
    with pytest.raises(NotOffered):
        listed(upstream, kind=kind)
    assert len(server.documents) == asked


def test_a_server_without_windows_does_not_offer_history():
    schema = without("minStep: Int64, ")
    upstream = upstream_of(Server(schema, projects=[project_of(run_of("r1"))]))
    with pytest.raises(NotOffered, match=r"history\(minStep\)"):
        upstream.fetch_steps(HISTORY, SCOPE, [StepsRequest("r1", 0, 10)])


def test_an_error_that_teaches_nothing_ends_the_asking():
    server = Server(refuses=lambda _: 'Cannot query field "teapot" on type "Query".')
    with pytest.raises(Refused, match="teapot"):
        listed(upstream_of(server))
    assert len(server.documents) == 1


def test_several_windows_come_in_one_query():
    server = Server(projects=[project_of(run_of("r1"), run_of("r2", historyKeys=None))])
    windows = [
        StepsRequest("r1", 1, 3),
        StepsRequest("gone", 0, 9),
        StepsRequest("r2", 0, 1, is_first=False),
    ]
    first, gone, later = upstream_of(server).fetch_steps(HISTORY, SCOPE, windows)
    assert (first.lines, first.line_count, first.last_step) == (
        ['{"_step":1}', '{"_step":2}'],
        3,
        2,
    )
    assert not gone.exists
    assert (later.lines, later.line_count, later.last_step) == (['{"_step":0}'], None, None)
    assert len(server.documents) == 1


def test_a_server_that_does_not_say_where_history_ends_still_gives_it():
    schema = without("  historyKeys: JSON\n", "  historyLineCount: Int\n")
    upstream = upstream_of(Server(schema, projects=[project_of(run_of("r1"))]))
    (reply,) = upstream.fetch_steps(HISTORY, SCOPE, [StepsRequest("r1", 0, 10)])
    assert (len(reply.lines), reply.line_count, reply.last_step) == (3, None, None)


def test_a_server_that_takes_one_run_at_a_time_is_asked_so_from_then_on():
    server = Server(projects=[project_of(run_of("r1"), run_of("r2"))])
    server.refuses = lambda text: "one at a time" if "n1: " in text else None
    upstream = upstream_of(server)
    windows = [StepsRequest("r1", 0, 9), StepsRequest("r2", 0, 9)]
    assert [len(each.lines) for each in upstream.fetch_steps(HISTORY, SCOPE, windows)] == [3, 3]
    assert upstream.capabilities.lacks(ALIASES)
    asked = len(server.documents)
    upstream.fetch_steps(HISTORY, SCOPE, windows)
    assert len(server.documents) == asked + 2


def test_one_run_that_is_refused_is_no_reason_to_ask_one_by_one():
    server = Server(projects=[project_of(run_of("r1"), run_of("r2"))])
    upstream = upstream_of(server)
    server.refuses = lambda _: "permission denied"
    windows = [StepsRequest("r1", 0, 9), StepsRequest("r2", 0, 9)]
    with pytest.raises(Refused):
        upstream.fetch_steps(HISTORY, SCOPE, windows)
    assert not upstream.capabilities.lacks(ALIASES)


def test_steps_that_are_not_sent_are_not_taken_for_no_steps():
    class Silent(Server):
        def _shown(self, project):
            shown = Server._shown(self, project)
            return {**shown, "run": lambda name: {**run_of(name), "history": None}}

    with pytest.raises(Refused, match="without the steps"):
        upstream_of(Silent(projects=[project_of()])).fetch_steps(
            HISTORY, SCOPE, [StepsRequest("r1", 0, 9)]
        )


@pytest.mark.parametrize(
    "reply", [{}, {"project": []}, {"project": "vision"}, {"project": {"runs": 3}}]
)
def test_a_reply_without_what_was_asked_for_is_broken(reply):
    client = client_of(lambda _: httpx.Response(200, json={"data": reply}))
    with pytest.raises(UpstreamBroken):
        listed(Upstream(client, Capabilities()))


@pytest.mark.parametrize(
    "kind", [kind for kind in KINDS if kind.shape == "connection"], ids=lambda kind: kind.plural
)
def test_what_was_learned_survives_being_written_down(kind):
    before = Capabilities(frozenset({"Run.updatedAt", ALIASES, f"{kind.plural}(order)"}))
    after = Capabilities.from_json(before.to_json())
    assert after.missing == before.missing
    assert Capabilities.from_json(None).missing == frozenset()
