"""What the server says to a right key, a wrong key and a wrong query, and what breaks on demand."""

from __future__ import annotations

import json
import socket
import time

import httpx
import pytest

from wandb_mirror.sandbox import RateLimit, faults
from wandb_mirror.sandbox.behaviour import Behaviour
from wandb_mirror.sandbox.limiter import Limiter

VIEWER = "query Who { viewer { username entity } }"
PROJECT = '{ project(entityName: "demo-team", name: "mnist-baselines") { name runCount } }'


def data(reply):
    assert reply.status_code == 200, reply.text
    assert "errors" not in reply.json(), reply.text
    return reply.json()["data"]


def test_the_right_key_opens(sandbox, ask):
    box = sandbox()
    assert len(box.api_key) == 40
    assert data(ask(box, VIEWER)) == {"viewer": {"username": "ada", "entity": "ada"}}


def test_a_wrong_key_sees_null(sandbox, ask):
    box = sandbox()
    assert data(ask(box, VIEWER, key="x" * 40)) == {"viewer": None}
    assert data(ask(box, PROJECT, key="x" * 40)) == {"project": None}


def test_a_wrong_key_may_be_refused(sandbox, ask):
    assert ask(sandbox(bad_key="401"), VIEWER, key="x" * 40).status_code == 401


def test_a_hidden_project_is_null(sandbox, ask):
    box = sandbox()
    box.world.hide_project(box.world.projects[0])
    assert data(ask(box, PROJECT)) == {"project": None}


def test_a_client_that_is_killed_while_it_asks_is_no_error_of_the_server(sandbox, ask, caplog):
    box = sandbox()
    host, port = httpx.URL(box.base_url).host, httpx.URL(box.base_url).port
    with socket.create_connection((host, port)) as half:
        half.sendall(b"POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
    time.sleep(0.2)
    assert data(ask(box, VIEWER))
    assert [each.getMessage() for each in caplog.records if each.levelname == "ERROR"] == []


@pytest.fixture
def post(client):
    return lambda box, payload: client.post(
        f"{box.base_url}/graphql", json=payload, auth=("api", box.api_key)
    )


def test_an_operation_is_chosen_by_name(sandbox, post):
    box = sandbox()
    document = "query A { viewer { name } } query B { viewer { username } }"
    reply = post(box, {"query": document, "operationName": "B"})
    assert data(reply) == {"viewer": {"username": "ada"}}
    assert post(box, {"query": document}).status_code == 400
    assert post(box, {"query": document, "operationName": "C"}).status_code == 400


@pytest.mark.parametrize(
    "payload", [{}, [], {"query": 1}, {"query": "{"}], ids=["empty", "list", "number", "broken"]
)
def test_what_is_no_query_is_refused(sandbox, post, payload):
    reply = post(sandbox(), payload)
    assert reply.status_code == 400
    assert reply.json()["errors"][0]["message"]


@pytest.mark.parametrize(
    ("lacks", "document", "message"),
    [
        ("User.email", "{ viewer { email } }", 'Cannot query field "email" on type "User".'),
        (
            "Project.runCount(filters)",
            '{ project(name: "p") { runCount(filters: "{}") } }',
            'Unknown argument "filters" on field "Project.runCount".',
        ),
        (
            "Query.models",
            "{ models { edges { cursor } } }",
            'Cannot query field "models" on type "Query".',
        ),
    ],
    ids=["field", "argument", "root"],
)  # fmt: skip
def test_an_older_server_says_what_it_lacks(sandbox, ask, lacks, document, message):
    assert "data" in ask(sandbox(), document).json()
    reply = ask(sandbox(lacks=frozenset({lacks})), document)
    assert reply.status_code == 400
    error = reply.json()["errors"][0]
    assert error["message"].startswith(message)
    assert error["locations"][0]["line"] == 1


def test_another_make_calls_its_types_otherwise(sandbox, ask):
    box = sandbox(renames={"Run": "Bucket", "JSONString": "String"})
    document = """query Q($filters: String) {
      project(entityName: "demo-team", name: "mnist-baselines") {
        runs(first: 1, filters: $filters) { edges { node { __typename config } } }
      } }"""
    node = data(ask(box, document, filters="{}"))["project"]["runs"]["edges"][0]["node"]
    assert node["__typename"] == "Bucket"
    assert "lr" in json.loads(node["config"])
    assert ask(box, document.replace(": String", ": JSONString"), filters="{}").status_code == 400


def test_introspection_may_be_forbidden(sandbox, ask):
    document = "query Look { viewer { name } __schema { queryType { name } } }"
    assert data(ask(sandbox(), document)) == {
        "viewer": {"name": "Ada L."},
        "__schema": {"queryType": {"name": "Query"}},
    }
    reply = ask(sandbox(allows_introspection=False), document)
    assert "introspection" in reply.json()["errors"][0]["message"]


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        (faults.throttle(retry_after="7", reset=3), 429),
        (faults.status(502), 502),
        (faults.html_page(), 200),
        (faults.bad_json(), 200),
    ],
    ids=["throttle", "status", "html", "json"],
)
def test_a_reply_goes_wrong_once(sandbox, ask, fault, status):
    box = sandbox()
    box.faults.add(fault)
    reply = ask(box, VIEWER)
    assert reply.status_code == status
    assert reply.text == fault.body
    assert {name: reply.headers[name] for name in fault.headers} == fault.headers
    assert data(ask(box, VIEWER))["viewer"]


def test_a_connection_is_reset(sandbox, ask):
    box = sandbox()
    box.faults.add(faults.reset())
    with pytest.raises(httpx.ReadError):
        ask(box, VIEWER)
    assert data(ask(box, VIEWER))["viewer"]
    assert [served.status for served in box.requests] == [0, 200]


def test_a_body_breaks_off(sandbox, ask):
    box = sandbox()
    box.faults.add(faults.truncate(0.3))
    with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
        ask(box, PROJECT)
    assert data(ask(box, PROJECT))["project"]


def test_errors_come_with_part_of_the_data(sandbox, ask):
    box = sandbox()
    box.faults.add(faults.graphql_error("internal: deadline", ["project", "runCount"]))
    reply = ask(box, PROJECT).json()
    assert reply["data"]["project"] == {"name": "mnist-baselines", "runCount": None}
    assert reply["errors"][0]["message"] == "internal: deadline"


def test_a_reply_too_large_is_a_502(sandbox, ask):
    box = sandbox(max_reply_bytes=200)
    document = '{ project(entityName: "demo-team", name: "mnist-baselines") { runs(first: %d) { edges { node { id } } } } }'
    assert ask(box, document % 1).status_code == 200
    assert ask(box, document % 10).status_code == 502


def test_faults_choose_by_document_number_and_chance(sandbox, ask):
    box = sandbox()
    box.faults.add(faults.status(503), when="runCount", at=2)
    box.faults.add(faults.status(500), when=lambda seen: seen.operation == "Who", times=None,
                   probability=0.5)  # fmt: skip
    assert [ask(box, PROJECT).status_code for _ in range(3)] == [200, 503, 200]
    statuses = {ask(box, VIEWER).status_code for _ in range(30)}
    assert statuses == {200, 500}
    box.faults.clear()
    assert {ask(box, VIEWER).status_code for _ in range(10)} == {200}


def test_replies_take_as_long_as_they_should(sandbox, ask):
    box = sandbox(latency_ms=60)
    box.faults.add(faults.delay(60))
    started = time.perf_counter()
    ask(box, VIEWER)
    middle = time.perf_counter()
    ask(box, VIEWER)
    assert middle - started >= 0.12
    assert time.perf_counter() - middle >= 0.06


def test_a_rate_limit_throttles_and_says_so(sandbox, ask):
    box = sandbox(rate_limit=RateLimit(requests=2, seconds=60))
    replies = [ask(box, VIEWER) for _ in range(3)]
    assert [reply.status_code for reply in replies] == [200, 200, 429]
    assert [reply.headers["ratelimit-remaining"] for reply in replies] == ["500", "0", "0"]
    assert 0 < float(replies[2].headers["ratelimit-reset"]) <= 60


def test_a_rate_limit_lets_in_again():
    now = [0.0]
    limiter = Limiter(RateLimit(requests=1, seconds=10), lambda: now[0])
    assert limiter.admit() is None
    assert limiter.admit() is not None
    now[0] = 10.0
    assert limiter.admit() is None


def test_replies_are_packed_for_those_who_accept(sandbox, ask):
    box = sandbox(compresses=True)
    document = '{ project(entityName: "demo-team", name: "mnist-baselines") { runs { edges { node { config } } } } }'
    reply = ask(box, document)
    assert reply.headers["content-encoding"] == "gzip"
    assert len(data(reply)["project"]["runs"]["edges"]) == 12
    assert box.requests[-1].bytes_out < len(reply.content)


def test_requests_are_kept_for_tests_to_look_at(sandbox, ask):
    box = sandbox()
    ask(box, VIEWER, unused=1)
    served = box.requests[0]
    assert (served.operation, served.document, served.variables) == ("Who", VIEWER, {"unused": 1})
    assert served.status == 200
    assert served.bytes_out == len(ask(box, VIEWER).content)
    stats = box.stats()
    assert (stats.requests, stats.by_operation, stats.by_status) == (2, {"Who": 2}, {"200": 2})
    assert stats.cpu_seconds > 0


def test_another_process_can_look_in_and_change_things(sandbox, ask, client):
    box = sandbox()
    run = box.world.projects[0].live_runs[0]
    change = {"call": "edit", "arguments": {"run": run.path, "notes": "from outside"}}
    assert client.post(f"{box.base_url}/sandbox/change", json=change).status_code == 200
    assert run.notes == "from outside"
    made = {"call": "create_run", "arguments": {"project": "demo-team/mnist-baselines"}}
    client.post(f"{box.base_url}/sandbox/change", json=made)
    assert len(box.world.projects[0].live_runs) == 13
    assert client.post(f"{box.base_url}/sandbox/change", json={"call": "x"}).status_code == 400
    ask(box, VIEWER)
    assert client.get(f"{box.base_url}/sandbox/stats").json()["requests"] == 1


def test_replies_follow_the_world(sandbox, ask):
    box = sandbox()
    before = data(ask(box, PROJECT))["project"]["runCount"]
    box.world.delete(box.world.projects[0].live_runs[0])
    assert data(ask(box, PROJECT))["project"]["runCount"] == before - 1


def test_behaviour_is_given_whole_or_by_option(sandbox):
    box = sandbox(behaviour=Behaviour(max_page=7), latency_ms=1)
    assert (box.behaviour.max_page, box.behaviour.latency_ms) == (7, 1)


def test_a_server_may_write_times_without_their_zone(sandbox, ask):
    document = '{ project(entityName: "demo-team", name: "mnist-baselines") { createdAt } }'
    assert data(ask(sandbox(), document))["project"]["createdAt"] == "2024-01-01T00:00:00Z"
    bare = data(ask(sandbox(time_zone=""), document))["project"]["createdAt"]
    assert bare == "2024-01-01T00:00:00"


def test_a_server_may_ignore_filters(sandbox, ask):
    document = """{ project(entityName: "demo-team", name: "mnist-baselines") {
                      runCount(filters: "{\\"name\\":\\"nobody\\"}") } }"""
    assert data(ask(sandbox(), document))["project"]["runCount"] == 0
    assert data(ask(sandbox(ignores_filters=True), document))["project"]["runCount"] == 12


def test_a_hidden_project_comes_back(sandbox, ask):
    box = sandbox()
    project = box.world.projects[0]
    box.world.hide_project(project)
    listing = '{ models(entityName: "demo-team") { edges { node { name } } } }'
    assert data(ask(box, listing))["models"]["edges"] == []
    box.world.show_project(project)
    assert len(data(ask(box, listing))["models"]["edges"]) == 1
