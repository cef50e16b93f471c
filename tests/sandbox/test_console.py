"""What runs printed and what their machines did, and how both are read."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wandb_mirror.sandbox import generate_world
from wandb_mirror.sandbox.console import LogLine, make_lines, read_line

STARTED = datetime(2024, 5, 1, tzinfo=UTC)
LINES = """query L($run: String!, $first: Int, $last: Int, $after: String, $before: String,
    $improved: Boolean) {
  project(entityName: "demo-team", name: "mnist-baselines") { run(name: $run) { logLineCount
    logLines(first: $first, last: $last, after: $after, before: $before,
             useImprovedPagination: $improved) {
      edges { cursor node { number timestamp level label line } }
      pageInfo { hasNextPage hasPreviousPage endCursor startCursor } } } } }"""


@pytest.fixture
def logs(sandbox, ask):
    """Return a function that asks for lines of a run that printed 1,200."""

    def start(count=1200, **options):
        world = generate_world(projects=1, runs=1)
        run = world.projects[0].live_runs[0]
        world.edit(run, console=make_lines("one", "failed", STARTED, count))
        box = sandbox(world, **options)

        def fetch(**variables):
            reply = ask(box, LINES, run=run.run_id, **variables).json()
            return reply["data"]["project"]["run"]

        fetch.box, fetch.run = box, run
        return fetch

    return start


def numbers(found):
    return [edge["node"]["number"] for edge in found["logLines"]["edges"]]


def walk(fetch, **variables):
    found, after = [], None
    while True:
        page = fetch(after=after, improved=True, **variables)
        found += numbers(page)
        after = page["logLines"]["pageInfo"]["endCursor"]
        if not page["logLines"]["pageInfo"]["hasNextPage"]:
            return found


def test_pages_hold_every_line_once(logs):
    fetch = logs()
    assert fetch(first=1)["logLineCount"] == 1200
    assert walk(fetch, first=500) == list(range(1200))


def test_pages_may_be_read_from_the_end(logs):
    page = logs()(last=5, improved=True)
    assert numbers(page) == list(range(1195, 1200))
    assert page["logLines"]["pageInfo"]["hasPreviousPage"]
    before = page["logLines"]["pageInfo"]["startCursor"]
    assert numbers(logs()(last=5, before=before, improved=True)) == list(range(1190, 1195))


def test_the_old_paging_shows_its_first_page_for_ever(logs):
    fetch = logs()
    first = fetch(first=500)["logLines"]
    again = fetch(first=500, after=first["pageInfo"]["endCursor"])["logLines"]
    assert again == first
    assert first["pageInfo"]["hasNextPage"]


def test_a_page_may_end_early_and_deny_that_anything_follows(logs):
    page = logs(max_log_page_bytes=1000)(first=1000, improved=True)
    assert 0 < len(numbers(page)) < 1000
    assert not page["logLines"]["pageInfo"]["hasNextPage"]


def test_never_more_than_ten_thousand_lines_come_at_once(logs):
    fetch = logs(10_050)
    assert numbers(fetch(last=20_000)) == list(range(50, 10_050))
    assert len(numbers(fetch(first=20_000, improved=True))) == 10_000


def test_a_run_that_never_printed_has_no_lines_at_all(logs):
    assert logs(0)(first=5, improved=True) == {"logLineCount": 0, "logLines": None}


def test_an_older_server_knows_no_improved_pages(sandbox, ask):
    box = sandbox(lacks=frozenset({"Run.logLines(useImprovedPagination)"}))
    reply = ask(box, LINES, run="x")
    assert reply.status_code == 400
    assert "useImprovedPagination" in reply.text


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("2024-05-01T00:00:00.123456 hello", LogLine(3, "2024-05-01T00:00:00.123456", "", "", "hello")),
        ("ERROR 2024-05-01T00:00:00.123456 no", LogLine(3, "2024-05-01T00:00:00.123456", "error", "", "no")),
        ("2024-05-01T00:00:00.123456 [rank-0] a [b]", LogLine(3, "2024-05-01T00:00:00.123456", "", "rank-0", "a [b]")),
        ("2024-05-01T00:00:00.123456 ", LogLine(3, "2024-05-01T00:00:00.123456", "", "", "")),
        ('{"level":"error","ts":"t","label":"n","content":"x"}', LogLine(3, "t", "error", "n", "x")),
        ("{not json", LogLine(3, None, "", "", "{not json")),
        ("", LogLine(3, None, "", "", "")),
    ],
)  # fmt: skip
def test_a_streamed_line_is_taken_apart(text, line):
    assert read_line(3, text) == line


@given(st.text())
def test_any_text_is_a_line(text):
    assert text.endswith(read_line(0, text).line)


def test_machines_are_sampled():
    world = generate_world(projects=1, runs=2, steps=40, samples=7)
    run = world.projects[0].live_runs[0]
    samples = [json.loads(line) for line in run.events]
    assert len(samples) == 7
    assert samples[3]["_wandb"] is True
    assert {"system.cpu", "system.gpu.0.temp", "_timestamp", "_runtime"} <= samples[3].keys()


@pytest.mark.sdk
@pytest.mark.enable_socket
def test_the_real_client_reads_what_machines_did(sdk):
    box, api = sdk
    run = box.world.project("demo-team", "mnist-baselines").live_runs[0]
    rows = api.run(run.path).history(stream="system", pandas=False)
    assert rows == [json.loads(line) for line in run.events]
    assert len(api.run(run.path).history(stream="system", samples=3, pandas=False)) == 3


@pytest.mark.sdk
@pytest.mark.enable_socket
def test_the_real_client_reads_what_runs_printed(sdk):
    box, api = sdk
    run = box.world.project("demo-team", "resnet-ablations").live_runs[0]
    world_lines = make_lines("printed", "failed", STARTED, 2300)
    box.world.edit(run, console=world_lines)
    read = list(api.run(run.path).console_logs())
    wanted = [read_line(number, text) for number, text in enumerate(world_lines)]
    assert [(each.number, each.level, each.content) for each in read] == [
        (each.number, each.level, each.line) for each in wanted
    ]
    assert read[0].timestamp.isoformat().startswith("2024-05-01T00:00:00.")
    assert read[-1].level == "error"
    tail = list(api.run(run.path).console_logs(last=3))
    assert [each.number for each in tail] == [2297, 2298, 2299]
    silent = box.world.project("demo-team", "resnet-ablations").live_runs[1]
    assert list(api.run(silent.path).console_logs()) == []
