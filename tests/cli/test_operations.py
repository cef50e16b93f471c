"""The examples for operations can be read, and every flag in them is one that there is."""

from __future__ import annotations

import configparser
import json
import re
import shlex
import time
from contextlib import suppress
from pathlib import Path

import duckdb
import pytest
import yaml

from wandb_mirror.cli.bars import LineProgress
from wandb_mirror.cli.jsonlog import wants_json
from wandb_mirror.cli.main import cli, main
from wandb_mirror.sandbox import Sandbox, generate_world
from wandb_mirror.sandbox.faults import Fault
from wandb_mirror.sandbox.people import PLANTED

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"


def read_unit(name):
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str
    parser.read_string((EXAMPLES / name).read_text())
    return parser


def commands():
    """Return every command line of the examples and of the page about them."""
    found = [read_unit("wandb-mirror.service")["Service"]["ExecStart"].split(maxsplit=1)[1]]
    found += [
        line.partition(" wandb-mirror ")[2].partition(" 2>>")[0]
        for line in (EXAMPLES / "crontab").read_text().splitlines()
        if " wandb-mirror " in line and not line.startswith("#")
    ]
    job = yaml.safe_load((EXAMPLES / "kubernetes-cronjob.yaml").read_text())
    [container] = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    found.append(shlex.join(container["args"]))
    action = yaml.safe_load((EXAMPLES / "github-action.yml").read_text())
    runs = [step["run"] for step in action["jobs"]["sync"]["steps"] if "run" in step]
    found += [run.partition(" ")[2] for run in runs if run.startswith("wandb-mirror ")]
    page = (ROOT / "docs" / "operations.md").read_text()
    quoted = re.findall(r"`wandb-mirror ([^`…]+)`", page)
    return found + [each.replace("SECONDS", "60") for each in quoted]


def test_there_are_commands_in_every_example():
    assert len(commands()) >= 10


@pytest.mark.parametrize("command", commands())
def test_every_flag_of_an_example_is_one_that_there_is(command):
    context = cli.make_context("wandb-mirror", shlex.split(command))
    name, found, rest = cli.resolve_command(context, [*context._protected_args, *context.args])
    found.make_context(name, rest, parent=context)


def test_units_and_schedules_are_what_their_readers_expect():
    service, timer = read_unit("wandb-mirror.service"), read_unit("wandb-mirror.timer")
    assert service["Service"]["Type"] == "oneshot"
    assert timer["Install"]["WantedBy"] == "timers.target"
    assert {"OnBootSec", "OnUnitActiveSec"} <= set(timer["Timer"])
    lines = (EXAMPLES / "crontab").read_text().splitlines()
    for line in lines:
        if line and line[0] in "*0123456789":
            assert re.fullmatch(r"([\d*/,-]+ ){5}\S.*", line)
    job = yaml.safe_load((EXAMPLES / "kubernetes-cronjob.yaml").read_text())
    assert (job["apiVersion"], job["kind"]) == ("batch/v1", "CronJob")
    assert len(job["spec"]["schedule"].split()) == 5
    assert job["spec"]["concurrencyPolicy"] == "Forbid"


def test_structured_logs_are_one_json_object_a_line(tmp_path, capsys, monkeypatch):
    with Sandbox(generate_world(projects=1, runs=2, steps=5, entity="crew")) as box:
        for name, value in {
            "HOME": str(tmp_path),
            "WANDB_BASE_URL": box.base_url,
            "WANDB_API_KEY": box.api_key,
            "WANDB_MIRROR": str(tmp_path / "mirror"),
        }.items():
            monkeypatch.setenv(name, value)
        with pytest.raises(SystemExit) as done:
            main(["--log-format", "json", "sync", "crew"])
        assert done.value.code == 0
        with pytest.raises(SystemExit) as done:
            main(["--log-format", "json", "sync", "crew/typo"])
        assert done.value.code == 1
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert all(line["at"].endswith("Z") for line in lines)
    events = [line["event"] for line in lines]
    assert {"begin", "end", "sync", "error"} <= set(events)
    assert lines[-1]["exit_code"] == 1


def test_the_form_of_logs_is_known_before_anything_else():
    assert wants_json(["--log-format", "json", "sync"])
    assert wants_json(["--log-format=json"])
    assert not wants_json(["sync", "json", "--log-format", "text"])


def read_texts(path):
    """Return all text in the tables of a DuckDB file."""
    with duckdb.connect(path, read_only=True) as file:
        tables = file.execute("SELECT schema_name, table_name FROM duckdb_tables()").fetchall()
        rows = [
            file.execute(f'SELECT * FROM "{schema}"."{table}"').fetchall()
            for schema, table in tables
        ]
    assert sum(map(len, rows)) > 100
    return repr(rows)


def keep_looking(folder, box):
    """Return what files beside the databases hold at any request, by their names."""
    seen = {}

    def look(_request):
        for path in folder.rglob("*.*"):
            if path.name.startswith(("store.", "warehouse.", "wandb.")):
                continue  # who opens these in the process that has them loses its locks
            with suppress(OSError):
                seen[path.name] = seen.get(path.name, b"") + path.read_bytes()
        return False

    box.faults.add(Fault(), times=None, when=look)
    return seen


def test_no_secret_is_asked_for_kept_or_said(tmp_path, capfd, monkeypatch):
    world = generate_world(
        entity="team", projects=1, runs=4, steps=5, datasets=1, models=1, reports=1,
        has_automations=True, has_registry=True,
    )  # fmt: skip
    for name in ("exported", "exported too"):
        run = world.create_run(world.projects[0], name)
        for step in range(500):
            world.log(run, {"loss": step})
        world.finish(run)
    monkeypatch.setattr("wandb_mirror.pull.groups.RUNS_A_REQUEST", 1)
    with Sandbox(world, exports="ready") as box:
        passing = keep_looking(tmp_path / "mirror", box)
        monkeypatch.setenv("WANDB_BASE_URL", box.base_url)
        monkeypatch.setenv("WANDB_API_KEY", box.api_key)
        arguments = ["--mirror", str(tmp_path / "mirror"), "-v", "--log-format", "json"]
        path = f"team/{world.projects[0].name}/mnist-0:v0"
        sync = ["sync", "team", "--workers", "1"]  # one file lies there while another comes
        for command in (sync, ["download", path], ["verify"], ["doctor"]):
            with pytest.raises(SystemExit):
                main([*arguments, *command])
        documents = "".join(each.document for each in box.requests)
    said = "".join(capfd.readouterr())
    files = [each for each in (tmp_path / "mirror").rglob("*") if each.is_file()]
    kept = b"".join(each.read_bytes() for each in files)
    for name, content in passing.items():
        kept += name.encode() + content
    assert {".journal", ".parquet"} <= {Path(name).suffix for name in passing}
    assert any(b'"_step"' in content for content in passing.values())
    for name in ("wandb.duckdb", "warehouse.duckdb"):
        kept += read_texts(tmp_path / "mirror" / name).encode()  # as it is stored it is packed
    assert len(files) > 5
    assert "team" in said
    for secret in (PLANTED, box.api_key, "&signature="):
        assert secret not in said
        assert secret.encode() not in kept
    for name in ("apiKey", "apiKeys", "accessTokenRef", "secretRef"):
        assert name not in documents


def test_how_long_the_rest_takes_is_right_within_a_factor_of_two_after_a_minute(
    monkeypatch, capsys
):
    """A hundred rows a second; the network is gone for ten minutes in between."""
    now = 0.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    progress = LineProgress()
    progress.begin("history", 60_000)
    ends, heard = 60_000 / 100 + 600, 0
    for second in [*range(1, 201), *range(801, 1200)]:
        now = float(second)
        progress.advance("history", 100)
        said = re.search(r"(about )?(\d+) (s|min) left", capsys.readouterr().err)
        if said is None or second < 60:
            continue
        left = int(said[2]) * (60 if said[3] == "min" else 1)
        true = ends - second - (0 if second > 800 else 600)
        assert true / 2 <= left <= true * 2
        heard += 1
    assert heard > 60
