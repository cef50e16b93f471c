"""Edits through ``Api``, as W&B documents them: queued offline, seen at once, pushed, read back."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys

import pytest

from mirror.making import first_runs, make_world, open_mirror, rows
from wandb_mirror import Api
from wandb_mirror.errors import BadEdit, NotMirrored
from wandb_mirror.sandbox import Sandbox

DOCUMENTED = """
import wandb

api = wandb.Api()
run = api.run("{path}")
run.tags.append("reviewed")
run.update()
"""


@pytest.fixture
def box():
    world = make_world(projects=1, runs=6)
    with Sandbox(world) as box:
        yield box


@pytest.fixture
def mirror(box, tmp_path):
    mirror = open_mirror(tmp_path / "mirror", box)
    mirror.sync(["team"])
    return mirror


@pytest.fixture
def path(box):
    return first_runs(box.world)[0]


@pytest.fixture
def project(path):
    return path.rsplit("/", 1)[0]


@pytest.fixture
def api(mirror, monkeypatch):
    for name in [name for name in os.environ if name.startswith("WANDB_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("WANDB_MIRROR", str(mirror.folder))
    return Api()


def refuse(*_):
    raise AssertionError("a socket was opened")


def reviewed(api, project):
    return [run.id for run in api.runs(project, filters={"tags": "reviewed"})]


def test_the_documented_example_is_seen_at_once_survives_a_sync_and_is_pushed(
    api, box, mirror, path, project, monkeypatch
):
    script = DOCUMENTED.format(path=path).replace("import wandb", "import wandb_mirror as wandb")
    with monkeypatch.context() as offline:
        offline.setattr(socket.socket, "connect", refuse)
        exec(script, {})  # noqa: S102
    own = path.rsplit("/", 1)[1]
    assert reviewed(api, project) == [own]
    mirror.sync(["team"])
    assert reviewed(api, project) == [own]
    assert "reviewed" not in box.world.run(path).tags
    assert mirror.push().pushed == 1
    assert box.world.run(path).tags[-1] == "reviewed"
    assert reviewed(api, project) == [own]
    assert mirror.desk.look().count == 0
    assert mirror.push().requests == 0


@pytest.mark.sdk
@pytest.mark.enable_socket
def test_the_real_client_reads_exactly_the_edits(mirror, api, box, path, tmp_path):
    run = api.run(path)
    before = box.world.run(path)
    telemetry = json.loads(before.config)["_wandb"]
    untouched = {k: v for k, v in json.loads(before.summary).items() if k != "accuracy"}
    run.tags.append("reviewed")
    run.notes, run.name, run.group, run.job_type = "good", "renamed", "g", "eval"
    run.config["lr"] = 0.5
    run.config["nested"] = {"depth": [1, 2]}
    run.summary["accuracy"] = 0.99
    run.update()
    assert mirror.push().is_complete
    code = (
        "import json, wandb\n"
        f"run = wandb.Api(timeout=60).run({path!r})\n"
        "print(json.dumps([run.tags, run.notes, run.name, run.group, run.job_type, run.config, "
        "run.summary._json_dict, run.rawconfig]))"
    )
    environ = {
        "WANDB_BASE_URL": box.base_url,
        "WANDB_API_KEY": box.api_key,
        "WANDB_SILENT": "true",
        "WANDB_ERROR_REPORTING": "false",
        "HOME": str(tmp_path),
        "PATH": os.environ["PATH"],
        "NO_PROXY": "127.0.0.1,localhost",
    }
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environ
    )
    tags, notes, name, group, job_type, config, summary, raw = json.loads(
        done.stdout.splitlines()[-1]
    )
    assert tags[-1] == "reviewed"
    assert (notes, name, group, job_type) == ("good", "renamed", "g", "eval")
    assert config["lr"] == 0.5
    assert config["nested"] == {"depth": [1, 2]}
    assert summary["accuracy"] == 0.99
    assert {key: summary[key] for key in untouched} == untouched
    assert raw["_wandb"] == telemetry["value"]


def test_filters_orders_and_counts_see_edits_of_every_sort(api, project, path):
    runs = list(api.runs(project))
    first, second = runs[0], runs[1]
    first.config["lr"] = 77.0
    first.config["brand"] = {"new": {"key": "x"}}
    first.summary["accuracy"] = "none"
    first.notes = "zebra"
    first.update()
    second.config["lr"] = 99
    second.update()
    for found, wanted in (
        ({"config.lr": 77}, [first.id]),
        ({"config.lr": {"$gte": 70}}, [first.id, second.id]),
        ({"config.brand.new.key": "x"}, [first.id]),
        ({"config.brand.new.key": {"$exists": False}}, [run.id for run in runs[1:]]),
        ({"summary_metrics.accuracy": "none"}, [first.id]),
        ({"notes": {"$regex": "^zeb"}}, [first.id]),
    ):
        answer = api.runs(project, found)
        assert sorted(run.id for run in answer) == sorted(wanted), found
        assert len(api.runs(project, found)) == len(wanted)
    ordered = [run.id for run in api.runs(project, order="-config.lr")]
    assert ordered[:2] == [second.id, first.id]
    assert api.run(path).config["brand"] == {"new": {"key": "x"}}


def test_a_second_edit_keeps_what_the_first_reader_saw(api, mirror, box, path):
    run = api.run(path)
    run.notes = "one"
    run.update()
    run.notes = "two"
    run.update()
    [edit] = mirror.desk.load()
    assert (edit.base, edit.local) == (None, "two")
    run.notes = None
    run.update()
    assert mirror.desk.load() == []


def test_an_object_from_before_somebody_elses_change_is_a_conflict(api, mirror, box, path):
    run = api.run(path)
    box.world.edit(path, notes="theirs")
    mirror.sync(["team"])
    run.notes = "ours"
    run.update()
    assert api.run(path).notes == "ours"
    assert mirror.push().conflicts == 1
    assert box.world.run(path).notes == "theirs"
    [edit] = mirror.desk.load()
    assert (edit.base, edit.local, edit.upstream) == (None, "ours", "theirs")
    assert "resolve" in edit.error


def test_what_upstream_would_not_take_is_refused_when_it_is_made(api, path, mirror):
    run = api.run(path)
    run.group = "g" * 129
    with pytest.raises(BadEdit, match="128 characters"):
        run.update()
    run = Api().run(path)
    run.config["_wandb"] = 1
    with pytest.raises(BadEdit, match="never edited"):
        run.update()
    run = Api().run(path)
    with pytest.raises(BadEdit, match="JSON cannot hold"):
        run.summary.update({"set": {1}})
    run = Api().run(path)
    run.config["secret"] = "[redacted]"
    with pytest.raises(BadEdit, match="never written back"):
        run.update()
    assert mirror.desk.load() == []


def test_a_published_file_without_its_store_takes_no_edits(api, mirror, path, tmp_path):
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    (folder / "wandb.duckdb").write_bytes(mirror.published_path.read_bytes())
    run = Api(mirror=folder).run(path)
    run.notes = "x"
    with pytest.raises(NotMirrored, match="edits are kept in it"):
        run.update()


def test_reading_imports_what_writes_only_where_edits_wait(api, mirror, path, project):
    code = (
        "import sys\nfrom wandb_mirror import Api\n"
        f"len(Api(mirror={str(mirror.folder)!r}).runs({project!r}))\n"
        "print('sqlalchemy' in sys.modules)"
    )

    def ask():
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        )
        return done.stdout.split()

    assert ask() == ["False"]
    api.run(path).summary.update({"x": 1})
    assert ask() == ["True"]


def test_the_file_itself_shows_edits_only_in_its_own_view(api, mirror, path):
    run = api.run(path)
    run.notes = "mine"
    run.update()
    own = path.rsplit("/", 1)[1]
    assert rows(mirror, "SELECT notes FROM runs WHERE run_id = ?", own) == [(None,)]
    with mirror.read() as published:
        assert mirror.desk.lay(published, in_tables=False) == 1
        assert published.rows("SELECT path, field, local, state FROM pending_edits") == [
            (path, "notes", '"mine"', "pending")
        ]
        assert published.rows("SELECT notes FROM runs WHERE run_id = ?", [own]) == [(None,)]
    mirror.sync(["team"], is_full_refresh=True)
