"""Bytes through ``Api``: the documented example, and the real client's trees beside ours."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from mirror.making import TEAM
from wandb_mirror import Api
from wandb_mirror.api.manifest import ArtifactManifestEntry
from wandb_mirror.errors import NotDownloaded, OnlyUpstream

USUAL = f"{TEAM}/mnist-baselines"
MODEL = f"{USUAL}/classifier-0:v1"
DATASET = f"{USUAL}/mnist-0:v2"
"""It holds nested files, an empty one, names that need quoting, and a reference to a bucket."""


def tree(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(Path(folder).rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def stocked(mirror):
    for path in (MODEL, DATASET):
        assert not mirror.download(path).problems
    return mirror


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_documented_example_runs_offline_after_a_download(stocked, api, folder):
    path = api.artifact(MODEL).download()
    assert path == str(folder / "artifacts" / "classifier-0:v1")
    assert sorted(tree(path)) == ["config.json", "model.bin"]


def test_the_environment_says_where_artifacts_go(stocked, api, folder, monkeypatch):
    monkeypatch.setenv("WANDB_ARTIFACT_DIR", str(folder / "elsewhere"))
    assert api.artifact(MODEL).download() == str(folder / "elsewhere" / "classifier-0:v1")


def test_bytes_that_are_not_here_name_the_command_that_fetches_them(api, folder):
    with pytest.raises(NotDownloaded, match=f"wandb-mirror download {USUAL}/classifier-0:v0"):
        api.artifact(f"{USUAL}/classifier-0:v0").download()
    assert not list(folder.iterdir())


def test_files_that_lie_elsewhere_are_named_unless_they_may_be_missing(stocked, api, folder):
    with pytest.raises(NotDownloaded, match="s3://bucket/images/v2"):
        api.artifact(DATASET).download()
    path = api.artifact(DATASET).download(allow_missing_references=True)
    assert "raw/images" not in tree(path)
    assert tree(path)["notes/read me & more.txt"] == b"version 2\n"
    path = api.artifact(DATASET).download("train-only", path_prefix="train/")
    assert sorted(tree(path)) == ["train/part-0.csv", "train/part-1.csv"]


def test_one_file_is_had_by_its_entry_and_by_its_listing(stocked, api, folder):
    artifact = api.artifact(DATASET)
    assert Path(artifact.get_entry("labels.json").download("one")).read_text().startswith("{")
    [listed] = artifact.files(["labels.json"])
    with listed.download("two") as file:
        assert file.read() == (folder / "one/labels.json").read_text()
    with pytest.raises(ValueError, match="already exists"):
        listed.download("two")
    with listed.download("two", exist_ok=True) as file:
        assert file.read()
    with pytest.raises(ValueError, match="more than one file"):
        artifact.file()


def test_a_checkout_holds_nothing_else_and_verify_finds_what_differs(stocked, api, folder):
    artifact = api.artifact(MODEL)
    path = Path(artifact.checkout())
    assert path == folder / "artifacts" / "classifier-0"
    (path / "stray").write_text("x")
    with pytest.raises(ValueError, match="not a member"):
        artifact.verify(str(path))
    artifact.checkout()
    artifact.verify(str(path))
    (path / "model.bin").write_bytes(b"edited")
    with pytest.raises(ValueError, match=r"Digest mismatch for file: model\.bin"):
        artifact.verify(str(path))
    artifact.download(str(path))
    artifact.verify(str(path))


def test_metadata_of_a_run_is_read_from_its_file_once_it_is_here(served, mirror, folder):
    [run, *_] = served.world.projects[0].runs.values()
    said = {"host": "box", "gpu": "A100"}
    served.world.upload(run, "wandb-metadata.json", json.dumps(said).encode())
    served.world.edit(run, notes="so that a sync looks again")
    path = f"{USUAL}/{run.run_id}"
    mirror.sync([TEAM], only=["runs", "run_files"])
    assert Api(mirror=mirror.folder).run(path).metadata is None
    mirror.download(path, "*.json", is_run=True)
    assert Api(mirror=mirror.folder).run(path).metadata == said


def test_an_api_that_is_online_fetches_what_is_not_here(served, mirror, folder, monkeypatch):
    monkeypatch.setenv("WANDB_BASE_URL", served.base_url)
    monkeypatch.setenv("WANDB_API_KEY", served.api_key)
    online = Api(mirror=mirror.folder, online=True)
    path = online.artifact(f"{USUAL}/encoder-1:v0").download()
    assert sorted(tree(path)) == ["config.json", "model.bin"]
    assert Api(mirror=mirror.folder).artifact(f"{USUAL}/encoder-1:v0").download() == path
    plain = __import__("wandb_mirror.api.api", fromlist=["Api"]).Api
    with pytest.raises(OnlyUpstream, match="import Api from wandb_mirror"):
        plain(mirror=mirror.folder, online=True)


@pytest.mark.sdk
@pytest.mark.enable_socket
@pytest.mark.parametrize("path", [MODEL, DATASET, f"{TEAM}-org/wandb-registry-model/"])
def test_the_real_client_and_the_mirror_download_the_same_trees(stocked, real, folder, path):
    ours = Api(mirror=stocked.folder)
    if path.endswith("/"):  # a link in a registry: its bytes are those of its source
        [linked] = [
            each
            for each in ours.artifact(MODEL).linked_artifacts
            if each.project == "wandb-registry-model"
        ]
        path = linked.qualified_name
    theirs = real.artifact(path)
    kept = {name for name, entry in theirs.manifest.entries.items() if entry.ref is None}
    for first in sorted({name.split("/")[0] for name in kept}):  # all but what lies elsewhere
        theirs.download(str(folder / "theirs"), path_prefix=first)
    assert set(tree(folder / "theirs")) == kept
    ours.artifact(path).download(str(folder / "ours"), allow_missing_references=True)
    assert tree(folder / "ours") == tree(folder / "theirs")
    digests = {name: entry.digest for name, entry in ours.artifact(path).manifest.entries.items()}
    assert digests == {name: entry.digest for name, entry in theirs.manifest.entries.items()}
    assert os.path.basename(ours.artifact(path)._default_root()) == os.path.basename(  # noqa: PTH119
        theirs._default_root()
    )


def test_an_entry_of_no_version_says_where_to_take_one_from():
    entry = ArtifactManifestEntry("a", "digest", None, None)
    for ask in (entry.download, entry.parent_artifact):
        with pytest.raises(NotImplementedError, match=r"artifact\.get_entry\(path\)"):
            ask()
