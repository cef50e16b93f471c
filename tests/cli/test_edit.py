"""Editing from the command line: one object or many, a preview, a question, and what is left."""

from __future__ import annotations

import json
import os

import pytest
from click.testing import CliRunner

from mirror.making import first_runs, make_world
from wandb_mirror.cli.main import cli, exit_code
from wandb_mirror.errors import BadEdit, BadPath, MirrorError, NotMirrored, OnlyUpstream
from wandb_mirror.mirror.mirror import Mirror
from wandb_mirror.sandbox import Sandbox

PROJECT = "team/mnist-baselines"
MODEL = f"{PROJECT}/classifier-0:v1"


@pytest.fixture
def box():
    with Sandbox(make_world(projects=1, runs=5, models=1, reports=1, sweeps=1)) as box:
        yield box


@pytest.fixture
def ask(box, tmp_path, monkeypatch):
    """Return a function that runs a command: (exit code, stdout, stderr)."""
    for name in [name for name in os.environ if name.startswith("WANDB")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("WANDB_BASE_URL", box.base_url)
    monkeypatch.setenv("WANDB_API_KEY", box.api_key)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("WANDB_MIRROR", str(tmp_path / "mirror"))
    Mirror.open().sync(["team"], skip=["history"])

    def run(*arguments):
        result = CliRunner().invoke(cli, arguments, standalone_mode=False)
        error = result.exception
        if isinstance(error, MirrorError):
            return exit_code(error), "", str(error)
        if error is not None:
            code = getattr(error, "exit_code", None)
            if code is None:
                raise error
            return code, "", error.format_message()
        return result.return_value or 0, result.stdout, result.stderr

    return run


@pytest.fixture
def path(box):
    return first_runs(box.world)[0]


def test_an_edit_is_queued_shown_pushed_and_gone(ask, box, path):
    assert ask("tag", path, "reviewed", "good")[0] == 0
    assert ask("note", path, "well done")[0] == 0
    assert ask("config", "set", path, "model.depth=3", "word=x y", '"a.b"=[1]')[0] == 0
    code, out, _ = ask("diff", "--json")
    found = {(each["field"], each["key"]): each for each in json.loads(out)}
    assert found["tags", "good"]["local"] is True
    assert found["config", "model"]["local"] == {"depth": 3}
    assert "base" not in found["config", "model"]
    assert found["config", "word"]["local"] == "x y"
    assert found["config", "a.b"]["local"] == [1]
    shown = ask("diff", path)[1]
    assert path in shown
    assert "+reviewed" in shown
    assert '+ "well done"' in shown
    code, out, _ = ask("runs", PROJECT, "--filter", '{"tags": "reviewed"}', "--json")
    assert [row["run_id"] for row in json.loads(out)] == [path.rsplit("/", 1)[1]]
    assert json.loads(ask("show", path, "--json")[1])["notes"] == "well done"
    code, out, err = ask("sql", "SELECT count(*) AS n FROM pending_edits", "--json")
    assert json.loads(out) == [{"n": 6}]
    assert "6 edits wait" in err
    assert json.loads(ask("status", "--json")[1])["edits"] == {"pending": 6}
    assert "upsertBucket" in ask("push", "--dry-run")[1]
    code, _, err = ask("push")
    assert (code, "6 pushed" in err) == (0, True)
    assert box.world.run(path).notes == "well done"
    assert json.loads(ask("diff", "--json")[1]) == []
    assert "edits wait" not in ask("sql", "FROM pending_edits")[2]


def test_many_are_edited_after_a_preview_and_a_question(ask, box):
    wanted = ("tag", PROJECT, "--filter", '{"state": "finished"}', "triage")
    code, _, message = ask(*wanted)
    assert (code, "say --yes" in message) == (2, True)
    code, _, err = ask(*wanted, "--yes")
    runs = [run for run in box.world.projects[0].live_runs if run.state == "finished"]
    assert code == 0
    assert f"queued {len(runs)} edits" in err
    assert ask("push")[0] == 0
    assert all("triage" in run.tags for run in runs)
    assert "nothing to change" in ask(*wanted, "--yes")[2]


def test_what_was_set_can_be_unset_cleared_and_taken_back(ask, box, path):
    ask("config", "unset", path, "lr")
    ask("group", path, "g")
    ask("rename", path, "another")
    ask("untag", path, "no such tag")
    ask("summary", "set", path, "accuracy=0.5")
    assert ask("discard", path, "--yes")[0] == 0
    assert json.loads(ask("diff", "--json")[1]) == []
    ask("config", "unset", path, "lr", "batch_size")
    assert ask("push")[0] == 0
    assert {"lr", "batch_size"}.isdisjoint(box.world.run(path).config_values)
    assert json.loads(ask("show", path, "--json")[1])["config"].keys() >= {"optimizer"}


def test_a_conflict_ends_with_exit_code_3_and_is_resolved(ask, box, path):
    ask("note", path, "ours")
    box.world.edit(path, notes="theirs")
    code, _, err = ask("push")
    assert code == 3
    assert "resolve --ours" in err
    assert ask("resolve", path)[0] == 2
    assert ask("resolve", path, "--ours")[0] == 0
    assert ask("sync", "--push", "--no-history")[0] == 0
    assert box.world.run(path).notes == "ours"


def test_a_sync_pushes_only_where_it_is_asked_to(ask, box, path):
    ask("note", path, "ours")
    assert ask("sync", "--no-history")[0] == 0
    assert box.world.run(path).notes is None
    assert json.loads(ask("show", path, "--json")[1])["notes"] == "ours"
    assert ask("sync", "--push", "--no-history")[0] == 0
    assert box.world.run(path).notes == "ours"


def test_versions_collections_reports_and_sweeps_are_edited_by_the_same_words(ask, box):
    version = f"artifact:{MODEL}"
    assert ask("tag", version, "good", "very good")[0] == 0
    assert ask("describe", version, "the second")[0] == 0
    assert ask("metadata", "set", version, "eval.top1=0.5", "by=team")[0] == 0
    assert ask("metadata", "unset", version, "epoch")[0] == 0
    assert ask("ttl", version, "30d")[0] == 0
    assert ask("alias", "add", version, "latest", "candidate")[0] == 0
    assert (
        "nothing to change"
        in ask("alias", "rm", f"artifact:{PROJECT}/classifier-0:v0", "latest")[2]
    )
    assert ask("describe", f"collection:{PROJECT}/classifier-0", "all of them")[0] == 0
    title = box.world.arrangements.reports[1].title
    assert ask("rename", f"report:{PROJECT}/{title}", "Findings")[0] == 0
    assert ask("describe", f"sweep:{PROJECT}/swp01000", "over rates")[0] == 0
    assert ask("describe", PROJECT, "where it began")[0] == 0
    listed = json.loads(ask("artifacts", PROJECT, "--json")[1])
    assert {row["version"]: row["aliases"] for row in listed}["v1"] == "candidate, latest"
    shown = ask("diff", version)[1]
    assert '- "v2"\n    + "v1"' in shown
    assert "+very good" in shown
    assert "where it began" not in shown
    found = json.loads(ask("show", f"artifact:{PROJECT}/classifier-0:candidate", "--json")[1])
    assert (found["version"], found["metadata"]["eval"]) == ("v1", {"top1": 0.5})
    many = ("tag", f"artifact:{PROJECT}", "--filter", '{"type": "model"}', "seen", "--yes")
    assert "queued 3 edits of 3 objects" in ask(*many)[2]
    assert "updateArtifact(" in ask("push", "--dry-run")[1]
    code, _, err = ask("sync", "--push", "--no-history")
    assert (code, "16 edits pushed" in err) == (0, True)
    artifacts = [each.artifact for each in box.world.projects[0].collections["classifier-0"].live]
    assert all("seen" in each.tags for each in artifacts)
    assert (artifacts[1].ttl_seconds, artifacts[1].description) == (2592000, "the second")
    assert json.loads(ask("diff", "--json")[1]) == []


def test_nothing_is_deleted_without_being_asked(ask, box, path):
    assert ask("delete", path)[0] == 2
    assert box.world.run(path).deleted_at is None
    assert ask("delete", path, "--yes")[0] == 0
    assert box.world.run(path).deleted_at is not None


def test_a_project_whose_edits_wait_is_not_forgotten(ask, path):
    ask("note", path, "ours")
    code, _, message = ask("forget", PROJECT, "--yes")
    assert code == 2
    assert "discard" in message
    ask("discard", "--yes")
    assert ask("forget", PROJECT, "--yes")[0] == 0


REFUSED = [
    (("tag", "team/mnist-baselines/none", "x"), NotMirrored, "not in this mirror"),
    (("tag", "report:team/p/r", "x"), BadEdit, "there are name, description"),
    (("note", "team:team", "x"), OnlyUpstream, "wandb.Api"),
    (("ttl", "artifact:{model}", "soon"), BadEdit, "30d"),
    (("alias", "add", "{path}", "x"), BadPath, "artifact:ENTITY/PROJECT/COLLECTION:ALIAS"),
    (("alias", "add", "artifact:{model}", "v3"), BadEdit, "not a version"),
    (("config", "set", "{path}", "lr"), BadEdit, "KEY=VALUE"),
    (("config", "set", "{path}", "a..b=1"), BadEdit, "cannot be read"),
    (("config", "set", "{path}", "_wandb=1"), BadEdit, "never edited"),
    (("group", "{path}", "g" * 129), BadEdit, "shorten it"),
    (("tag", "{path}", " "), BadEdit, "leave it out"),
]


def test_what_cannot_be_edited_says_what_to_do(ask, path):
    for arguments, kind, words in REFUSED:
        code, _, message = ask(*(each.format(path=path, model=MODEL) for each in arguments))
        assert code == exit_code(kind("")), arguments
        assert words in message
