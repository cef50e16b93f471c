"""The real client logs into the sandbox, and what it logged is there."""

from __future__ import annotations

import json
import math
import os
import signal
import time
from datetime import UTC, datetime
from functools import partial

import httpx
import pytest

from fakes.logging import start_logging
from wandb_mirror.sandbox import Sandbox, generate_world
from wandb_mirror.sandbox.streams import StreamProblem, take_stream

PATH = "demo-team/real"
LOG = """
run.log({
    "loss": 1.0, "nan": math.nan, "inf": math.inf, "ninf": -math.inf, "nan_text": "NaN",
    "nested": {"a": {"b": 1}, "l": [1, "a", None]}, "text": "a\\u00fc\\U0001f389", "empty": "",
    "list": [1.5, 2, None], "yes": True, "no": False, "none": None,
    "int53": 2**53, "beyond": 2**53 + 1, "beyond64": 2**64, "float": 3.0, "a.b": 1, "a/b": 2,
})
run.log({
    "hist": wandb.Histogram([1, 2, 3]), "html": wandb.Html("<b>x</b>"),
    "table": wandb.Table(columns=["a", "b"], data=[[1, "x"], [2, None]]),
})
run.log({"loss": 2}, step=7)
run.log({"more": 3}, step=7)
run.summary["best"] = {"loss": 1.0, "at": math.inf}
run.config["late"] = "yes"
print("hello \\U0001f389")
print("oops", file=sys.stderr)
run.finish()
"""
IMAGE = """
import PIL.Image
run.log({"image": wandb.Image(PIL.Image.new("RGB", (2, 3)), caption="black")})
run.finish()
"""
RESUME = 'run.log({"loss": 4})\nprint("again")\nrun.finish()\n'
FAIL = 'run.log({"loss": 1})\nraise RuntimeError("no")\n'
HANG = 'run.log({"loss": 1})\nrun.log({"loss": 2})\nprint("logged")\ntime.sleep(60)\n'
ANEW = 'run.log({"other": 1})\nrun.finish()\n'


@pytest.fixture(scope="module")
def box():
    with Sandbox(generate_world(projects=1, runs=1)) as box:
        yield box


@pytest.fixture
def start(box, tmp_path):
    """Return a function that starts a process that logs with the real client."""

    return partial(start_logging, box, tmp_path)


@pytest.fixture
def log(start):
    """Return a function that logs and waits for the end."""

    def run(code, run_id, *, resume=""):
        return start(code, run_id, resume=resume).communicate(timeout=90)[1]

    return run


def rows_of(run):
    """Return what a run logged, without the client's clocks."""
    clocks = {"_timestamp", "_runtime"}
    rows = [json.loads(line) for line in run.history.lines()]
    assert all(clocks <= row.keys() for row in rows)
    return [{key: value for key, value in row.items() if key not in clocks} for row in rows]


def wait_for(is_so, seconds=30):
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.05)


@pytest.mark.sdk
@pytest.mark.enable_socket
def test_what_the_real_client_logs_is_there_and_read_again(box, log, sdk):
    err = log(LOG, "first")
    run = box.world.run(f"{PATH}/first")
    assert run.state == "finished", err
    first, second, third = rows_of(run)
    assert math.isnan(first.pop("nan"))
    assert first == {
        "_step": 0, "loss": 1, "inf": math.inf, "ninf": -math.inf, "nan_text": "NaN",
        "nested": {"a": {"b": 1}, "l": [1, "a", None]}, "text": "aü🎉", "empty": "",
        "list": [1.5, 2, None], "yes": True, "no": False, "none": None,
        "int53": 2**53, "beyond": 2**53 + 1, "beyond64": 2.0**64, "float": 3, "a.b": 1, "a/b": 2,
    }  # fmt: skip
    assert second["hist"]["_type"] == "histogram"
    assert second["html"]["_type"] == "html-file"
    assert (second["table"]["_type"], second["table"]["nrows"]) == ("table-file", 2)
    assert third == {"_step": 7, "loss": 2, "more": 3}
    assert (run.display_name, run.group, run.job_type) == ("a name", "g", "train")
    assert (run.tags, run.notes) == (["t", "ü"], "why")
    values = {key: each["value"] for key, each in run.config_values.items() if key != "_wandb"}
    assert values == {"lr": 0.1, "nested": {"a": [1, None]}, "big": 2**53 + 1, "late": "yes"}
    assert run.config_values["_wandb"]["value"]["cli_version"] == "0.31.0"
    assert run.summary_values["best"] == {"loss": 1.0, "at": math.inf}
    assert run.summary_values["more"] == 3
    texts = [line.partition(" ")[2] for line in run.console]
    assert "hello 🎉" in texts
    assert any(line.startswith("ERROR ") and line.endswith(" oops") for line in run.console)
    assert "system.memory_percent" in json.loads(run.system_metrics)
    assert {"wandb-metadata.json", "output.log", "config.yaml"} <= run.uploads.keys()
    assert run.uploads[second["html"]["path"]].endswith(b"<b>x</b>")
    assert {"columns", "data"} <= json.loads(run.uploads[second["table"]["path"]]).keys()
    read_with_the_real_client(box, run)


def read_with_the_real_client(box, run):
    import wandb

    api = wandb.Api(overrides={"base_url": box.base_url}, api_key=box.api_key)
    read = api.run(f"{PATH}/first")
    rows = [json.loads(line) for line in run.history.lines()]
    found = list(read.scan_history(use_cache=False))
    assert math.isnan(found[0].pop("nan"))
    del rows[0]["nan"]
    assert found == rows
    assert read.config["nested"] == {"a": [1, None]}
    assert read.summary["best"]["loss"] == 1.0
    assert "hello 🎉" in [line.content for line in read.console_logs()]
    assert len(read.history(stream="system", pandas=False)) == len(run.events) > 0


@pytest.mark.sdk
@pytest.mark.enable_socket
def test_a_resumed_run_goes_on_where_it_ended(box, log):
    log(ANEW, "resumed")
    run = box.world.run(f"{PATH}/resumed")
    lines, console, samples = list(run.history.lines()), list(run.console), list(run.events)
    log(RESUME, "resumed", resume="must")
    assert run.history.lines()[:1] == lines
    assert rows_of(run) == [{"_step": 0, "other": 1}, {"_step": 1, "loss": 4}]
    assert run.console[: len(console)] == console
    assert run.console[-1].endswith(" again")
    assert run.events[: len(samples)] == samples
    assert len(run.events) > len(samples)
    assert (run.summary_values["other"], run.summary_values["loss"]) == (1, 4)
    assert run.state == "finished"


@pytest.mark.sdk
@pytest.mark.enable_socket
def test_a_run_logged_anew_under_its_id_forgets_what_it_logged(box, log):
    log(ANEW, "anew")
    log(RESUME, "anew")
    assert rows_of(box.world.run(f"{PATH}/anew")) == [{"_step": 0, "loss": 4}]


@pytest.mark.sdk
@pytest.mark.enable_socket
def test_a_process_that_fails_leaves_a_failed_run(box, log):
    log(FAIL, "failed")
    run = box.world.run(f"{PATH}/failed")
    assert (run.state, rows_of(run)) == ("failed", [{"_step": 0, "loss": 1}])


@pytest.mark.sdk
@pytest.mark.enable_socket
def test_a_killed_process_leaves_a_run_that_crashes_later_and_may_be_resumed(box, start, log):
    process = start(HANG, "killed")
    wait_for(lambda: has_rows(box, "killed", 1))
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    run = box.world.run(f"{PATH}/killed")
    assert run.state == "running"
    before = (run.heartbeat_at, run.updated_at)
    box.world.crash(run)
    assert (run.state, (run.heartbeat_at, run.updated_at)) == ("crashed", before)
    rows = rows_of(run)
    log(RESUME, "killed", resume="allow")
    assert run.state == "finished"
    assert rows_of(run) == [*rows, {"_step": rows[-1]["_step"] + 1, "loss": 4}]


def has_rows(box, run_id, count):
    project = box.world.find_project(*PATH.split("/"))
    run = project and project.runs.get(run_id)
    return run is not None and run.history.line_count >= count


@pytest.mark.sdk
@pytest.mark.enable_socket
def test_an_image_is_logged_with_its_file(box, log):
    log(IMAGE, "image")
    run = box.world.run(f"{PATH}/image")
    image = rows_of(run)[0]["image"]
    assert image["_type"] == "image-file"
    assert run.uploads[image["path"]].startswith(b"\x89PNG")


NOW = datetime(2024, 7, 1, tzinfo=UTC)


@pytest.fixture
def run():
    world = generate_world(projects=1, runs=0)
    return world.create_run(world.projects[0], "one", state="running")


def history(offset, *steps):
    content = [json.dumps({"_step": step}) for step in steps]
    return {"files": {"wandb-history.jsonl": {"offset": offset, "content": content}}}


def test_a_chunk_that_comes_twice_is_there_once(run):
    for chunk in (history(0, 0, 1), history(2, 5), history(2, 5, 6)):
        take_stream(run, chunk, NOW)
    assert list(run.history.all_steps) == [0, 1, 5, 6]


def test_a_run_that_begins_anew_counts_on_until_it_ends(run):
    for chunk in (history(0, 0, 1, 2), history(3, 0, 1), history(5, 2)):
        take_stream(run, chunk, NOW)
    assert list(run.history.all_steps) == [0, 1, 2]
    take_stream(run, {"complete": True}, NOW)
    take_stream(run, history(3, 3), NOW)
    assert list(run.history.all_steps) == [0, 1, 2, 3]


def test_a_chunk_with_a_gap_before_it_or_an_old_step_in_it_is_refused(run):
    take_stream(run, history(0, 4), NOW)
    for chunk in (history(2, 7), history(1, 5, 5), history(1, 6, 2)):
        with pytest.raises(StreamProblem):
            take_stream(run, chunk, NOW)


def test_lines_of_the_console_are_replaced_one_by_one(run):
    for offset, content in ((0, ["a", "b"]), (3, ["d"]), (1, ["B"])):
        take_stream(run, {"files": {"output.log": {"offset": offset, "content": content}}}, NOW)
    assert run.console == ["a", "B", "", "d"]


@pytest.mark.parametrize(
    ("request_", "state"),
    [
        ({}, "running"),
        ({"complete": True, "exitcode": 0}, "finished"),
        ({"complete": True, "exitcode": 255}, "failed"),
        ({"preempting": True}, "preempting"),
    ],
)
def test_the_end_of_a_stream_is_the_state_of_the_run(run, request_, state):
    take_stream(run, request_, NOW)
    assert (run.state, run.heartbeat_at) == (state, NOW)


def test_a_stream_wants_the_key_and_a_run(box):
    run = box.world.projects[0].live_runs[0]
    url = f"{box.base_url}/files/{run.path}/file_stream"
    key = ("api", box.api_key)
    assert httpx.post(url, json={}).status_code == 401
    assert httpx.post(url + "x", json={}, auth=key).status_code == 404
    assert httpx.post(url.replace(run.run_id, "nobody"), json={}, auth=key).status_code == 404
    assert httpx.post(url, json=history(10**6, 1), auth=key).status_code == 400


CREATE = """mutation C($input: CreateRunFilesInput!) {
  createRunFiles(input: $input) { runID uploadHeaders files { name uploadUrl } } }"""


def test_a_file_is_put_where_it_was_promised_a_place(box, ask):
    run = box.world.projects[0].live_runs[0]
    names = {"entityName": run.project.entity, "projectName": run.project.name}
    wanted = {**names, "runName": run.run_id, "files": ["media/a b/ü?.txt"]}
    reply = ask(box, CREATE, input=wanted).json()["data"]["createRunFiles"]
    (file,) = reply["files"]
    assert httpx.put(file["uploadUrl"], content=b"bytes").status_code == 200
    assert run.uploads == {"media/a b/ü?.txt": b"bytes"}
    assert httpx.put(file["uploadUrl"][:-1] + "x", content=b"others").status_code == 403
    assert "errors" in ask(box, CREATE, input={**wanted, "runName": "nobody"}).json()
