from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time

import pytest
from click.testing import CliRunner

from wandb_mirror.cli.main import EXIT_CODES, cli, exit_code, main
from wandb_mirror.cli.sync import keep_syncing
from wandb_mirror.errors import (
    BadSettings,
    Interrupted,
    Locked,
    MirrorError,
    NotFound,
    Throttled,
    Unauthorized,
    Unreachable,
)
from wandb_mirror.mirror.mirror import Mirror
from wandb_mirror.sandbox import Sandbox, generate_world
from wandb_mirror.sandbox.faults import delay

TEAM = "crew"


@pytest.fixture(scope="module")
def box():
    with Sandbox(generate_world(projects=1, runs=8, steps=20, entity=TEAM)) as box:
        yield box


@pytest.fixture(scope="module")
def environ(box, tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    return {
        "HOME": str(home),
        "WANDB_BASE_URL": box.base_url,
        "WANDB_API_KEY": box.api_key,
        "WANDB_MIRROR": str(home / "mirror"),
        "PATH": os.environ["PATH"],
    }


@pytest.fixture(scope="module")
def project(environ):
    mirror = Mirror.open(environ=environ)
    mirror.sync([TEAM])
    with mirror.read() as published:
        return "/".join(published.rows("SELECT entity, project FROM projects")[0])


@pytest.fixture
def ask(environ, monkeypatch):
    """Return a function that runs a command in this process: (exit code, stdout, stderr)."""
    for name in [name for name in os.environ if name.startswith("WANDB")]:
        monkeypatch.delenv(name)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)

    def run(*arguments, **variables):
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        runner = CliRunner()
        result = runner.invoke(cli, arguments, standalone_mode=False)
        error = result.exception
        is_ours = isinstance(error, MirrorError)
        code = exit_code(error) if is_ours else getattr(error, "exit_code", 0)
        if result.exception is None and isinstance(result.return_value, int):
            code = result.return_value
        return code, result.stdout, result.stderr or str(result.exception or "")

    return run


def test_a_sync_says_what_it_did_and_a_second_one_finds_nothing(ask, project):
    code, out, err = ask("sync", project)
    assert (code, out) == (0, "")
    assert "nothing new to publish" in err
    code, out, _ = ask("sync", project, "--json")
    assert (
        json.loads(out)["requests"] <= 12
    )  # viewer, project, its runs, and the lists of the other kinds


def test_sql_is_printed_in_every_format(ask, project, tmp_path):
    query = "SELECT 1 AS one, 'a|b' AS text, 'NaN'::DOUBLE AS number, NULL AS nothing"
    assert json.loads(ask("sql", query, "--json")[1]) == [
        {"one": 1, "text": "a|b", "number": "NaN", "nothing": None}
    ]
    assert (
        ask("sql", query, "--format", "csv")[1].splitlines()[0] == '"one","text","number","nothing"'
    )
    assert "| 1 | a\\|b |" in ask("sql", query, "--format", "markdown")[1]
    assert "one" in ask("sql", query)[1]
    file = tmp_path / "out.parquet"
    assert ask("sql", query, "--format", "parquet", "-o", str(file))[0] == 0
    assert file.stat().st_size > 0


@pytest.mark.parametrize("form", ["table", "json", "csv"])
@pytest.mark.parametrize(
    ("query", "why"), [("FROM nothing", "nothing"), ("SELECT name::INT FROM runs", "INT32")]
)
def test_sql_that_cannot_run_says_why_and_exits_with_1(ask, project, query, why, form):
    code, _, err = ask("sql", query, "--format", form)
    assert code == 1
    assert "the query cannot be run" in err
    assert why in err


def test_a_name_in_a_query_is_never_a_variable_of_the_program(ask, project):
    assert ask("sql", "FROM parameters")[0] == 1
    assert ask("sql", "FROM answer")[0] == 1


@pytest.mark.parametrize(
    "query", ["DELETE FROM _data.runs", "CREATE TABLE main.x AS SELECT 1", "DROP VIEW main.runs"]
)
def test_sql_changes_nothing(ask, project, query):
    assert ask("sql", query)[0] == 1


def test_runs_pass_a_filter_in_an_order(ask, project):
    code, out, _ = ask(
        "runs",
        project,
        "--filter",
        '{"state": {"$in": ["finished", "running", "crashed", "failed", "killed"]}}',
        "--order",
        "-summary_metrics.loss",
        "--columns",
        "name,summary.loss",
        "--json",
    )
    losses = [row["summary.loss"] for row in json.loads(out)]
    assert code == 0
    assert len(losses) == 8
    assert losses == sorted(losses, reverse=True)


@pytest.mark.parametrize(
    ("flags", "code", "message"),
    [
        (["--filter", "{"], 1, "--filter is not JSON"),
        (["--filter", "[]"], 1, "not a JSON object"),
        (["--filter", '{"stat": 1}'], 1, "did you mean state"),
        (["--filter", '{"state": {"$gtt": 1}}'], 1, "did you mean $gt"),
        (["--order", "+"], 1, "name a field"),
        (["--columns", "nam"], 2, "did you mean name"),
    ],
)
def test_what_cannot_be_asked_is_said_with_the_place(ask, project, flags, code, message):
    found, _, err = ask("runs", project, *flags)
    assert found == code
    assert message in err


def test_explain_prints_the_sql_and_its_values(ask, project):
    out = ask("runs", project, "--filter", '{"config.lr": {"$gt": 0.5}}', "--explain")[1]
    assert out.startswith("SELECT")
    assert "-- ?1: 0.5" in out


def test_history_shows_every_row_or_as_many_as_asked(ask, project):
    run = json.loads(ask("runs", project, "--json")[1])[0]["run_id"]
    rows = json.loads(ask("history", f"{project}/{run}", "--keys", "loss", "--json")[1])
    assert len(rows) == len({row["_step"] for row in rows}) > 10
    assert len(json.loads(ask("history", f"{project}/{run}", "--samples", "5", "--json")[1])) == 5
    code, _, err = ask("history", f"{project}/{run}", "--keys", "lss")
    assert code == 1
    assert "no metric 'lss'" in err


def test_history_is_narrowed_by_steps_and_by_keys(ask, project):
    run = json.loads(ask("runs", project, "--json")[1])[0]["run_id"]
    path = f"{project}/{run}"
    every = json.loads(ask("history", path, "--json")[1])
    some = json.loads(ask("history", path, "--min-step", "2", "--max-step", "5", "--json")[1])
    assert some == [row for row in every if 2 <= row["_step"] < 5]
    keys = [key for key in every[0] if key[0] != "_"]
    rare = min(keys, key=lambda key: sum(row[key] is not None for row in every))
    whole = json.loads(ask("history", path, "--keys", f"loss,{rare}", "--all-keys", "--json")[1])
    assert [row["_step"] for row in whole] == [
        row["_step"] for row in every if row["loss"] is not None and row[rare] is not None
    ]


def test_what_a_machine_measured_is_a_row_a_sample(ask, project):
    run = json.loads(ask("runs", project, "--json")[1])[0]["run_id"]
    rows = json.loads(ask("history", f"{project}/{run}", "--system", "--json")[1])
    assert rows == sorted(rows, key=lambda row: row["_runtime"])
    assert len(rows) > 2
    assert all(isinstance(row["system.cpu"], float) for row in rows)


def test_one_object_is_shown_whole(ask, project):
    run = json.loads(ask("runs", project, "--json")[1])[0]["run_id"]
    shown = json.loads(ask("show", f"{project}/{run}", "--json")[1])
    assert shown["run_id"] == run
    assert isinstance(shown["config"], dict)
    assert json.loads(ask("show", project, "--json")[1])["runs_by_state"]
    assert ask("show", "a/b/c/d/e")[0] == 2
    assert ask("show", f"{project}/absent")[0] == 1
    for command in ("sweeps", "artifacts"):
        assert json.loads(ask(command, project, "--json")[1]) == []
        code, _, err = ask(command, "team/absent")
        assert (code, "wandb-mirror sync team/absent" in err) == (1, True)


def test_status_doctor_and_verify_say_that_all_is_well(ask, project):
    assert json.loads(ask("status", "--json")[1])["published"]["projects"][0]["runs"] == 8
    assert ask("doctor")[0] == 0
    code, out, _ = ask("verify", "--deep")
    assert (code, out.splitlines()[-1]) == (0, "equal")


def test_without_a_key_the_three_ways_to_give_one_are_said(ask, project, monkeypatch):
    monkeypatch.delenv("WANDB_API_KEY")
    code, _, err = ask("sync", project)
    assert code == 1
    assert all(word in err for word in ("WANDB_API_KEY", "wandb login", "netrc"))


def test_nothing_to_sync_is_a_wrong_use(ask, tmp_path):
    code, _, err = ask("--mirror", str(tmp_path / "new"), "sync")
    assert code == 2
    assert "ENTITY/PROJECT" in err


def test_a_folder_without_a_mirror_says_how_to_make_one(ask, tmp_path):
    for command in (["status"], ["sql", "FROM runs"], ["publish"]):
        code, _, err = ask("--mirror", str(tmp_path), *command)
        assert code == 1, command
        assert "sync" in err


def test_a_folder_that_duckdb_cannot_write_to_is_refused_before_anything_is_made(ask, tmp_path):
    code, _, err = ask("--mirror", str(tmp_path / "what?"), "sync", "team")
    assert code == 2
    assert "question mark" in err
    assert not list(tmp_path.iterdir())


def test_forgetting_asks_first(ask, project):
    code, _, err = ask("forget", project)
    assert code == 2
    assert "--yes" in err


def test_every_group_of_errors_has_its_exit_code():
    codes = {BadSettings: 2, Locked: 4, Interrupted: 130, NotFound: 1, Throttled: 75}
    assert {kind: exit_code(kind("x")) for kind in codes} == codes
    assert len(EXIT_CODES) == len({kind for kind, _, _ in EXIT_CODES})


def test_a_wrong_flag_exits_with_2(capsys):
    with pytest.raises(SystemExit) as caught:
        main(["sync", "--nonsense"])
    assert caught.value.code == 2


def test_a_sync_whose_budget_is_spent_is_gone_on_with_by_the_next(ask, project, tmp_path):
    folder = ("--mirror", str(tmp_path))
    code, _, err = ask(*folder, "sync", project, "--max-requests", "3")
    assert code == 3
    assert "budget of 3 requests" in err
    assert ask(*folder, "sync")[0] == 0
    assert json.loads(ask(*folder, "status", "--json")[1])["published"]["projects"][0]["runs"] == 8


def test_a_project_that_two_targets_name_is_synced_once(ask, project, tmp_path):
    folder = ("--mirror", str(tmp_path))
    for targets in ([TEAM], [project], [], [TEAM, project]):
        code, out, _ = ask(*folder, "sync", *targets, "--json")
        assert code == 0
        assert len(json.loads(out)["projects"]) == 1


def start_sync(server, environ, folder):
    """Start a sync in a process of its own, one request after another."""
    variables = {
        **environ,
        "WANDB_BASE_URL": server.base_url,
        "WANDB_API_KEY": server.api_key,
        "WANDB_MIRROR": str(folder),
    }
    code = "from wandb_mirror.cli.main import main; main(['sync', 'crew', '--workers', '1'])"
    return subprocess.Popen(
        [sys.executable, "-c", code], env=variables, stderr=subprocess.PIPE, text=True
    )


def wait_for(process, server, requests):
    """Wait until a sync has made so many requests."""
    while len(server.requests) < requests:
        assert process.poll() is None


def test_ctrl_c_ends_a_sync_after_the_page_in_hand_and_keeps_it(box, environ, tmp_path):
    world = generate_world(projects=1, runs=400, steps=20, entity=TEAM)
    with Sandbox(world, latency_ms=60) as slow:
        with start_sync(slow, environ, tmp_path) as process:
            wait_for(process, slow, 6)
            process.send_signal(2)
            _, err = process.communicate(timeout=60)
        assert process.returncode == 130, err
        assert "stopping after the page in hand" in err
        mirror = Mirror.open(tmp_path, environ=environ)
        with mirror.read() as published:
            assert 0 < published.rows("SELECT count(*) FROM runs")[0][0] <= 400

        is_hanging = threading.Event()

        def hangs(seen):
            if "history" in seen.document:
                is_hanging.set()
            return is_hanging.is_set()

        slow.faults.add(delay(8_000), when=hangs)
        with start_sync(slow, environ, tmp_path) as process:
            assert process.stderr is not None
            assert is_hanging.wait(30)
            process.send_signal(2)
            assert any("Ctrl-C again" in line for line in process.stderr)
            began = time.monotonic()
            process.send_signal(2)
            err = process.stderr.read()
        assert time.monotonic() - began < 6
        assert process.returncode == 130, err
        assert "stopped" in err
        assert "Traceback" not in err


INTERRUPTED_WHILE_IT_TALKS = """
import io, os, signal, sys, threading
from types import SimpleNamespace
import click
from wandb_mirror.cli.sync import stopping_gently

class Interrupted(io.RawIOBase):
    def writable(self):
        return True

    def write(self, content):
        if not mirror.stop.is_set():
            os.kill(os.getpid(), signal.SIGINT)
        return os.write(2, content)

mirror = SimpleNamespace(stop=threading.Event())
sys.stderr = io.TextIOWrapper(io.BufferedWriter(Interrupted()), write_through=True)
with stopping_gently(mirror):
    click.echo("talk", err=True)
"""


def test_ctrl_c_while_a_line_is_written_to_stderr_is_no_error():
    command = [sys.executable, "-c", INTERRUPTED_WHILE_IT_TALKS]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines() == [
        "stopping after the page in hand; Ctrl-C again stops at once",
        "talk",
    ]


def test_watching_syncs_again_until_it_is_told_to_stop(environ, tmp_path):
    world = generate_world(projects=1, runs=3, steps=5, entity=TEAM)
    with Sandbox(world) as box:
        variables = {
            **environ,
            "WANDB_BASE_URL": box.base_url,
            "WANDB_API_KEY": box.api_key,
            "WANDB_MIRROR": str(tmp_path),
        }
        command = [
            sys.executable,
            "-c",
            "from wandb_mirror.cli.main import main; main(['sync', 'crew', '--watch', '1'])",
        ]
        with subprocess.Popen(command, env=variables, stderr=subprocess.PIPE, text=True) as process:
            while not (tmp_path / "wandb.duckdb").exists():
                assert process.poll() is None
            world.create_run(world.projects[0], "newcomer")
            mirror = Mirror.open(tmp_path, environ=variables)
            while True:
                assert process.poll() is None
                with mirror.read() as published:
                    if published.rows("SELECT count(*) FROM runs")[0][0] == 4:
                        break
            process.terminate()
            process.communicate(timeout=60)
        assert process.returncode == 0


def test_watching_outlasts_what_passes_and_ends_at_what_somebody_must_fix(capsys):
    stop, rounds = threading.Event(), []
    outcomes = [Unreachable("no network"), Locked("another sync"), None, Unauthorized("wrong key")]

    def sync_once():
        rounds.append(1)
        if (outcome := outcomes.pop(0)) is not None:
            raise outcome
        return 0

    with pytest.raises(Unauthorized):
        keep_syncing(sync_once, stop, 0.001)
    assert len(rounds) == 4
    assert "no network; trying again" in capsys.readouterr().err
