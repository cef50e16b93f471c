"""Edits of what is no run: versions of artifacts, collections, reports, sweeps and projects."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import timedelta

import pytest

from mirror.making import make_world, open_mirror, rows
from wandb_mirror import Api
from wandb_mirror.errors import BadEdit, NotMirrored, OnlyUpstream
from wandb_mirror.mirror.edits import matching, resolve_edits
from wandb_mirror.sandbox import Sandbox

PROJECT = "team/mnist-baselines"
MODEL = f"{PROJECT}/classifier-0"
SERVED = "team-org/wandb-registry-model/mnist-baselines-classifier-0"
SHOWN = {
    "artifacts": "entity, project, collection, version, description, metadata, tags, ttl_s, aliases",
    "artifact_aliases": "*",
    "artifact_tags": "*",
    "artifact_collections": "entity, project, collection, type, description, tags",
    "reports": "project, title, description, url",
    "sweeps": "project, sweep_id, name, description",
    "projects": "project, description",
}


@pytest.fixture
def box():
    world = make_world(
        projects=1, runs=6, steps=1, models=1, reports=1, sweeps=1, has_registry=True
    )
    with Sandbox(world) as box:
        yield box


@pytest.fixture
def mirror(box, tmp_path):
    mirror = open_mirror(tmp_path / "mirror", box)
    mirror.sync(["team"], skip=["history"])
    return mirror


@pytest.fixture
def api(mirror):
    return Api(mirror=mirror.folder)


def collection(box, name="classifier-0", project=0):
    return box.world.projects[project].collections[name]


def names(box, name="classifier-0", project=0):
    """Return alias to version, as upstream has it."""
    return {
        alias: f"v{place.version_index}"
        for place in collection(box, name, project).live
        for alias in place.aliases
    }


def look(mirror):
    with mirror.read_edited() as published:
        return {
            view: sorted(map(repr, published.rows(f"SELECT {columns} FROM main.{view}")))
            for view, columns in SHOWN.items()
        }


def edit_everything(api, mirror):
    version = api.artifact(f"{MODEL}:v1")
    version.description = "the good one"
    version.tags.append("approved")
    version.metadata["score"] = {"top1": 0.9, "odd": float("nan")}
    del version.metadata["epoch"]
    version.ttl = timedelta(days=30)
    version.aliases.append("production")
    version.aliases.append("latest")
    version.save()
    served = api.artifact(f"{SERVED}:staging")
    served.aliases.append("live")
    served.aliases.remove("staging")
    served.save()
    group = version.collection
    group.description, group.type = "all models", "network"
    group.tags.append("team tag")
    group.save()
    [report] = api.reports(PROJECT)
    report.display_name, report.description = "Findings, again", "told twice"
    report.save()
    [sweep] = api.project("mnist-baselines", "team").sweeps()
    sweep.display_name, sweep.description = "a search", "over rates"
    sweep.save()
    project = api.project("mnist-baselines", "team")
    project.description = "where it began"
    project.save()


def test_edits_are_seen_at_once_survive_a_sync_and_are_what_the_file_shows_once_they_are_pushed(
    api, mirror, box
):
    before = look(mirror)
    edit_everything(api, mirror)
    laid = look(mirror)
    assert all(laid[view] != before[view] for view in SHOWN)
    shown = api.artifact(f"{MODEL}:latest")
    assert (shown.version, shown.ttl, shown.description) == (
        "v1",
        timedelta(days=30),
        "the good one",
    )
    mirror.sync(["team"], skip=["history"])
    assert look(mirror) == laid
    report = mirror.push()
    assert (report.is_complete, report.pushed) == (True, 17)
    assert mirror.desk.look().count == 0
    assert look(mirror) == laid
    assert mirror.push().requests == 0
    mirror.sync(["team"], skip=["history"])
    assert look(mirror) == laid
    assert names(box) == {"latest": "v1", "production": "v1"} | {
        alias: version
        for alias, version in names(box).items()
        if alias not in ("latest", "production")
    }


@pytest.mark.sdk
@pytest.mark.enable_socket
def test_the_real_client_reads_exactly_the_edits(mirror, api, box, tmp_path):
    untouched = api.artifact(f"{MODEL}:v0")
    before = [untouched.aliases, untouched.tags, untouched.metadata, untouched.description]
    edit_everything(api, mirror)
    assert mirror.push().is_complete
    code = (
        "import json, wandb\napi = wandb.Api(timeout=60)\n"
        f"one, link = api.artifact({MODEL + ':v1'!r}), api.artifact({SERVED + ':live'!r})\n"
        f"old = api.artifact({MODEL + ':v0'!r})\n"
        "group = one.collection\n"
        f"[report] = api.reports({PROJECT!r})\n"
        f"[sweep] = api.project('mnist-baselines', 'team').sweeps()\n"
        "print(json.dumps([one.description, one.tags, one.metadata, one.ttl.days, sorted(one.aliases), "
        "sorted(link.aliases), group.type, group.description, group.tags, report.display_name, "
        "report.description, sweep.display_name, sweep.description, "
        "[old.aliases, old.tags, old.metadata, old.description]]))"
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
    found = json.loads(done.stdout.splitlines()[-1])
    assert found[0] == "the good one"
    assert "approved" in found[1]
    assert found[2]["score"] == {"top1": 0.9, "odd": "NaN"}
    assert "epoch" not in found[2]
    assert (found[3], found[4]) == (30, ["latest", "production"])
    assert found[5] == ["live"]
    assert found[6:9] == ["network", "all models", ["team tag"]]
    assert found[9:13] == ["Findings, again", "told twice", "a search", "over rates"]
    assert found[13] == before


def test_what_is_edited_through_a_link_is_the_version_and_its_aliases_are_the_link_s(
    api, mirror, box
):
    link = api.artifact(f"{SERVED}:staging")
    source = link.source_artifact
    own = f"{MODEL}:{source.version}"
    link.description = "served"
    link.metadata["by"] = "team"
    link.aliases.append("live")
    link.save()
    with pytest.raises(BadEdit, match="source_artifact"):
        link.ttl = None
    assert {edit.target.path for edit in mirror.desk.load()} == {
        f"artifact:{own}",
        f"collection:{SERVED}",
    }
    again = api.artifact(own)
    assert (again.description, again.metadata["by"]) == ("served", "team")
    assert "live" not in again.aliases
    assert mirror.push().is_complete
    assert names(box, "mnist-baselines-classifier-0", 1)["live"] == link.version
    assert "live" not in names(box)
    assert api.artifact(own).metadata["by"] == "team"


def test_an_alias_that_somebody_moved_meanwhile_is_a_conflict(api, mirror, box):
    places = collection(box).live
    mirror.edit(f"artifact:{MODEL}:v1", add_aliases=["latest"])
    box.world.shelf.add_aliases(places[0], ["latest"])
    report = mirror.push()
    assert (report.conflicts, report.pushed) == (1, 0)
    assert 'upstream has "v0"' in report.messages[0]
    assert names(box)["latest"] == "v0"
    resolve_edits(mirror, matching([f"artifact:{MODEL}:v1"]), takes_theirs=False)
    assert mirror.push().pushed == 1
    assert names(box)["latest"] == "v1"


def test_an_alias_that_points_to_a_version_that_is_not_here_yet_is_a_conflict_until_it_is(
    api, mirror, box
):
    mirror.edit(f"artifact:{MODEL}:v1", add_aliases=["latest"])
    made = box.world.shelf.log_artifact(
        box.world.projects[0], "classifier-0", "model", {"f": "new"}
    )
    assert mirror.push().conflicts == 1
    resolve_edits(mirror, matching([]), takes_theirs=False)
    mirror.sync(["team"], skip=["history"])  # now it has a number here
    assert mirror.push().pushed == 1
    assert made.memberships[0].aliases == []
    assert names(box)["latest"] == "v1"


def test_an_alias_that_was_moved_in_the_moment_of_a_push_is_a_conflict_that_says_where(mirror, box):
    places = collection(box).live
    mirror.edit(f"artifact:{MODEL}:v1", add_aliases=["best"])
    acted = []

    def act(seen):
        if seen.document.startswith("mutation") and not acted:
            acted.append(box.world.shelf.add_aliases(places[0], ["best"]))
        return False

    from wandb_mirror.sandbox.faults import status

    box.faults.add(status(500), when=act, times=None)
    report = mirror.push()
    assert report.conflicts == 1
    [edit] = mirror.desk.load()
    assert (edit.local, edit.upstream) == ("v1", "v0")


def test_one_that_is_refused_does_not_block_the_others_of_its_object(mirror, box):
    box.world.shelf.protected_aliases.add("production")
    path = f"artifact:{MODEL}:v1"
    mirror.edit(path, add_aliases=["production", "candidate"])
    mirror.edit(f"collection:{MODEL}", description="d", add_tags=["t"])
    report = mirror.push()
    assert (report.pushed + report.confirmed, report.refused) == (3, 1)
    assert "production is protected" in report.messages[0]
    assert "discard collection:" in report.messages[0]
    assert names(box)["candidate"] == "v1"
    assert [(edit.key, edit.state) for edit in mirror.desk.load()] == [("production", "refused")]


def test_what_is_read_only_or_deleted_upstream_is_refused_with_what_to_do(mirror, box):
    mirror.edit(f"artifact:{MODEL}:v0", description="d")
    mirror.edit(f"artifact:{MODEL}:v1", description="d")
    mirror.edit(f"collection:{MODEL}", description="d")
    box.world.shelf.delete_artifact(collection(box).live[0].artifact)
    report = mirror.push(f"artifact:{MODEL}:v0")
    assert (report.refused, "restore it" in report.messages[0]) == (1, True)
    box.world.projects[0].is_read_only = True
    report = mirror.push()
    assert report.refused == 2
    assert all("ask its owner" in message for message in report.messages)


REFUSED = [
    (f"artifact:{MODEL}:v1", {"add_tags": ["a,b"]}, BadEdit, "letters, digits"),
    (f"collection:{MODEL}", {"add_tags": ["x" * 129]}, BadEdit, "shorten it"),
    (f"artifact:{MODEL}:v1", {"add_aliases": ["a/b"]}, BadEdit, "not a version like v3"),
    (f"artifact:{MODEL}:v1", {"add_aliases": ["v7"]}, BadEdit, "not a version like v3"),
    (f"artifact:{MODEL}:v1", {"ttl": 0}, BadEdit, "number of seconds"),
    (f"artifact:{MODEL}:v1", {"notes": "n"}, BadEdit, "there are description, metadata"),
    (f"collection:{MODEL}", {"type": "wandb-x"}, BadEdit, "W&B's own"),
    ("team:team", {"description": "n"}, OnlyUpstream, "wandb.Api"),
]


def test_what_upstream_would_not_take_is_refused_when_it_is_made(api, mirror, box):
    for path, asked, kind, words in REFUSED:
        with pytest.raises(kind, match=words):
            mirror.edit(path, **asked)
    assert mirror.desk.load() == []
    links = api.artifact(f"{SERVED}:staging").collection
    with pytest.raises(BadEdit, match="runs log into"):
        links.change_type("other")
    mirror.edit(f"collection:{SERVED}", type="other")
    [message] = mirror.push().messages
    assert "only a collection that runs log into" in message


def test_a_collection_that_is_renamed_takes_its_versions_along(api, mirror, box):
    group = api.artifact(f"{MODEL}:v1").collection
    group.name, group.description = "net", "d"
    group.save()
    version = api.artifact(f"{PROJECT}/net:v1")
    version.aliases.append("best")
    version.tags.append("t")
    version.save()
    with pytest.raises(NotMirrored):
        api.artifact(f"{MODEL}:v1")
    assert (version.is_link, version.logged_by() is None) == (False, False)
    assert api.artifact(f"{SERVED}:latest").source_name == "net:v2"
    assert {edit.target.own_key for edit in mirror.desk.load() if edit.field != "tags"} == {
        group.id
    }
    laid = look(mirror)
    assert mirror.push().pushed == 4
    assert (look(mirror), mirror.desk.look().count) == (laid, 0)
    assert names(box, "net")["best"] == "v1"
    sources = "SELECT DISTINCT source_collection, source_project FROM artifact_usage"
    assert rows(mirror, sources) == [("net", "mnist-baselines")]
    report = mirror.sync(["team"], skip=["history"])
    assert report.problems == 0
    assert look(mirror) == laid
    gone = "SELECT count(*) FROM artifacts WHERE deleted_at IS NOT NULL"
    assert rows(mirror, gone) == [(0,)]
    mirror.edit(f"collection:{PROJECT}/net", description="e")
    box.world.shelf.edit_collection(collection(box, "net"), name="network")  # somebody else does
    assert mirror.push().pushed == 1
    assert api.artifact(f"{PROJECT}/network:best").collection.description == "e"


def test_metadata_that_nobody_edited_goes_back_byte_for_byte(mirror, box):
    [artifact] = [p.artifact for p in collection(box).live if p.version_index == 1]
    odd = '{"big":18446744073709551617, "x" : [ 1e400 ],\n"score":0.5}'
    box.world.shelf.edit_artifact(artifact, metadata=odd)
    mirror.sync(["team"], skip=["history"])
    mirror.edit(f"artifact:{MODEL}:v1", metadata={"score": 0.25})
    assert mirror.push().pushed == 1
    assert artifact.metadata == odd.replace("0.5", "0.25")


def test_an_object_is_edited_on_after_a_save_and_many_are_by_a_filter(api, mirror, box):
    version = api.artifact(f"{MODEL}:v0")
    version.tags.append("one")
    version.aliases.append("candidate")
    version.save()
    version.tags.remove("one")
    version.aliases.remove("candidate")
    version.save()
    assert mirror.desk.load() == []
    count = mirror.edit(
        f"artifact:{PROJECT}", filters={"type": "model", "version": {"$ne": "v0"}}, add_tags=["new"]
    )
    models = [place for place in collection(box).live if place.version_index]
    assert count == len(models)
    assert mirror.push().pushed == count
    assert all("new" in place.artifact.tags for place in models)
    found = rows(mirror, "SELECT DISTINCT collection FROM artifact_tags WHERE tag = 'new'")
    assert ("classifier-0",) in found
