from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fakes.serving import SCHEMA, Server, upstream_of, without
from wandb_mirror.errors import NotOffered, Refused
from wandb_mirror.kinds.history import HISTORY
from wandb_mirror.kinds.pages import ScopeOf, StepsRequest
from wandb_mirror.kinds.run import RUN
from wandb_mirror.upstream.asking import locate
from wandb_mirror.upstream.capabilities import Capabilities
from wandb_mirror.upstream.documents import listing_document
from wandb_mirror.upstream.replies import Missing

SCOPE = ScopeOf("team", "vision", "p1")
OPTIONAL = {
    field.source.partition(".")[0]: field.column for field in RUN.fields if field.source != "name"
}


def lines_of_run():
    inside = SCHEMA.partition("type Run {")[2].partition("}")[0].splitlines()
    return {line.split(":")[0].strip(): f"{line}\n" for line in inside if ":" in line}


@settings(max_examples=25, deadline=None)
@given(
    lacking=st.sets(st.sampled_from(sorted(OPTIONAL))),
    lacks_first=st.booleans(),
    tells_one_error=st.booleans(),
    tells_no_lines=st.booleans(),
)
def test_any_older_server_is_learned_exactly(lacking, lacks_first, tells_one_error, tells_no_lines):
    lines = lines_of_run()
    head, _, run_type = SCHEMA.partition("type Run {")
    for name in lacking:
        run_type = run_type.replace(lines[name], "", 1)
    if lacks_first:
        head = head.replace("runs(first: Int, ", "runs(")
    whole = dict.fromkeys(OPTIONAL, "1") | {"name": "r1", "createdAt": "2024-01-01T00:00:00Z"}
    run = whole | {
        "heartbeatAt": None,
        "updatedAt": "2024-01-01T00:00:00Z",
        "user": {"username": "a"},
    }
    run |= {"computeSeconds": 1.0, "historyLineCount": 1, "tags": [], "readOnly": False}
    server = Server(
        f"{head}type Run {{{run_type}",
        projects=[
            {"id": "p", "internalId": "p1", "name": "vision", "entityName": "team", "runs": [run]}
        ],
        tells_one_error=tells_one_error,
        tells_no_lines=tells_no_lines,
    )
    upstream = upstream_of(server)
    (row,) = upstream.fetch_listing_page(RUN, SCOPE, fields="whole", first=5).rows
    empty = {column for column, value in row.items() if value is None} - {"heartbeat_at"}
    assert empty == {OPTIONAL[name] for name in lacking} - {"heartbeat_at"}
    sources = {field.column: field.source for field in RUN.fields}
    expected = {f"Run.{sources[OPTIONAL[name]]}" for name in lacking}
    assert upstream.capabilities.missing == expected | (
        {"project.runs(first)"} if lacks_first else set()
    )
    rounds = len(lacking) + lacks_first if tells_one_error else bool(lacking or lacks_first)
    assert len(server.documents) <= rounds + 1


def test_a_server_that_says_the_same_for_ever_is_not_asked_for_ever():
    server = Server(refuses=lambda _: 'Unknown type "JSONString".')
    with pytest.raises(Refused, match="JSONString"):
        upstream_of(server).fetch_detail_page(RUN, SCOPE, ["r1"])
    assert len(server.documents) == 2


def test_what_another_worker_has_learned_meanwhile_is_no_reason_to_give_up():
    server = Server(
        without("  updatedAt: String\n"),
        projects=[{"id": "p", "internalId": "p1", "name": "vision", "entityName": "team"}],
    )
    upstream = upstream_of(server)

    def learn_elsewhere(_):
        upstream.capabilities.learn(["Run.updatedAt"])

    server.refuses = learn_elsewhere
    upstream.fetch_listing_page(RUN, SCOPE, fields="light", first=5)
    assert len(server.documents) == 2


def test_what_another_worker_found_to_be_missing_for_good_is_not_offered_rather_than_refused():
    server = Server(projects=[])
    upstream = upstream_of(server)

    def learn_elsewhere(_):
        upstream.capabilities.learn(["project.run.history(minStep)"])
        return 'Unknown argument "minStep" on field "Run.history".'

    server.refuses = learn_elsewhere
    with pytest.raises(NotOffered, match="minStep"):
        upstream.fetch_steps(HISTORY, SCOPE, [StepsRequest("r1", 0, 10)])


def document():
    return listing_document(
        RUN, SCOPE, Capabilities(), fields=RUN.fields, first=5, filters="{}", order="+created_at"
    )


def line_of(text):
    return document().text.split(text)[0].count("\n") + 1


@pytest.mark.parametrize(
    ("missing", "found"),
    [
        (Missing("field", "updatedAt"), {"Run.updatedAt"}),
        (Missing("field", "user"), {"Run.user.username"}),
        (Missing("field", "name"), {"Run.name"}),
        (Missing("argument", "name"), {"project(name)"}),
        (Missing("argument", "order"), {"project.runs(order)"}),
        # A server that points at the field whose argument it does not know does not lack the field.
        (Missing("argument", "order", (line_of("runs("),)), {"project.runs(order)"}),
        (Missing("field", "updatedAt", (999,)), {"Run.updatedAt"}),
        (Missing("type", "JSONString"), {"type JSONString"}),
        (Missing("type", "Int", (2, line_of("  first: $first"))), {"project.runs(first)"}),
        (Missing("field", "teapot", (line_of("updated_at"),)), set()),
        (Missing("field", "teapot"), set()),
    ],
    ids=str,
)
def test_what_a_server_says_is_about_the_thing_it_names_and_points_at(missing, found):
    assert locate(document(), missing) == found


def test_the_way_to_a_project_is_never_asked_for_with_less_than_its_whole_name():
    server = Server(
        without(", name: String): Project").replace(
            "project(entityName: String", "project(entityName: String): Project"
        )
    )
    upstream = upstream_of(server)
    with pytest.raises(NotOffered, match=r"has no project\(name\)"):
        upstream.fetch_listing_page(RUN, SCOPE, fields="light", first=5)
