"""Sweeps, artifacts, files, reports, teams, automations, registries: over the views of the file."""

from __future__ import annotations

import shutil
from datetime import timedelta

import duckdb
import pytest

from api.full import PROJECT, SWEEP, USUAL
from mirror.making import TEAM
from wandb_mirror import Api
from wandb_mirror.errors import BadPath, NotDownloaded, NotMirrored, OnlyUpstream


def test_a_sweep_has_its_config_runs_and_best_run(full):
    api, runs = full
    sweep = api.sweep(f"{USUAL}/sweeps/s1")
    assert (sweep.id, sweep.name, sweep.state, sweep.config) == ("s1", "s1", "FINISHED", SWEEP)
    assert (sweep.order, sweep.expected_run_count) == ("+summary_metrics.loss", None)
    assert sorted(run.id for run in sweep.runs) == runs
    best = sweep.best_run()
    assert best.summary["loss"] == min(run.summary["loss"] for run in sweep.runs)
    assert best.sweep.id == "s1"
    assert sweep.best_run(order="loss").id != best.id
    assert sweep.path == [TEAM, PROJECT, "s1"]
    assert repr(sweep) == f"<Sweep {USUAL}/s1 (FINISHED)>"
    assert [each.id for each in api.project(PROJECT, TEAM).sweeps()] == ["s1"]
    assert [
        each.id for each in api.project(PROJECT, TEAM).sweeps(filters={"state": "RUNNING"})
    ] == []
    with pytest.raises(ValueError, match="Could not find sweep"):
        api.sweep(f"{USUAL}/nope")
    assert sweep.agents() == []


def test_files_of_a_run_are_listed_without_their_bytes(full):
    api, runs = full
    run = api.run(f"{USUAL}/{runs[0]}")
    assert [file.name for file in run.files()] == ["a.txt", "logs/b.json", "logs/c_d"]
    assert [file.name for file in run.files(pattern="logs/%")] == ["logs/b.json", "logs/c_d"]
    assert [file.name for file in run.files(["a.txt"])] == ["a.txt"]
    assert repr(run.file("logs/b.json")) == "<File logs/b.json (text/plain) 1.5KiB>"
    assert repr(run.files()) == f"<Files {USUAL}/{run.id} (3)>"
    with pytest.raises(NotDownloaded, match="wandb-mirror download --run-files"):
        run.file("a.txt").download()
    with pytest.raises(OnlyUpstream, match="expire"):
        _ = run.file("a.txt").url
    with pytest.raises(ValueError, match="both names and pattern"):
        run.files(["a"], pattern="b")


def test_console_lines_and_the_machines_metrics_of_a_run(full):
    api, runs = full
    run = api.run(f"{USUAL}/{runs[0]}")
    assert [line.content for line in run.console_logs(last=2)] == ["line 3", "line 4"]
    line = run.console_logs()[0]
    assert (line.number, line.level, line.timestamp.isoformat()) == (
        0,
        "",
        "2024-05-01T12:00:00+00:00",
    )
    rows = run.history(stream="system", samples=3, pandas=False)
    assert [row["_runtime"] for row in rows] == [0, 4, 9]
    assert rows[1]["system.cpu"] == rows[1]["system.gpu"] == 6.0


def test_an_artifact_is_found_by_alias_version_and_digest(full):
    api, _ = full
    for name in ("net", "net:latest", "net:best", "net:v2", "net:digest2"):
        artifact = api.artifact(f"{USUAL}/{name}")
        asked = name if ":" in name else "net:latest"
        assert (artifact.name, artifact.version, artifact.id) == (asked, "v2", "id2")
    assert (artifact.version, artifact.size, artifact.file_count) == ("v2", 200, 2)
    assert (artifact.aliases, artifact.state, artifact.ttl) == (
        ["latest", "best"],
        "COMMITTED",
        timedelta(hours=1),
    )
    assert artifact.metadata["n"] == 1
    assert artifact.metadata["loss"] != artifact.metadata["loss"]
    assert artifact.qualified_name == f"{USUAL}/net:digest2"
    assert artifact.url.endswith(f"/{USUAL}/artifacts/model/net/v2")
    assert api.artifact_exists(f"{USUAL}/net:v1")
    assert not api.artifact_exists(f"{USUAL}/net:v9")
    with pytest.raises(BadPath, match="is of type 'model'"):
        api.artifact(f"{USUAL}/net:v1", type="dataset")
    with pytest.raises(ValueError, match="not found in"):
        api.artifact(f"{USUAL}/net:v9")


def test_an_artifact_knows_its_files_its_runs_and_its_links(full):
    api, runs = full
    artifact = api.artifact(f"{USUAL}/net:v2")
    assert list(artifact.manifest.entries) == ["link", "weights/a.bin"]
    assert artifact.get_entry("link").ref_target() == "s3://bucket/x"
    assert [file.name for file in artifact.files(["link"])] == ["link"]
    assert artifact.logged_by().id == runs[0]
    assert [run.id for run in artifact.used_by()] == [runs[1]]
    run = api.run(f"{USUAL}/{runs[0]}")
    assert [each.name for each in run.logged_artifacts()] == ["net:v2"]
    assert list(run.used_artifacts()) == []
    assert not artifact.is_link
    [link] = artifact.linked_artifacts
    assert (link.is_link, link.qualified_name) == (True, "org/wandb-registry-model/prod:v0")
    assert link.source_qualified_name == artifact.qualified_name
    assert link.logged_by().id == runs[0]
    with pytest.raises(NotDownloaded, match="lies at"):
        artifact.download()
    with pytest.raises(NotDownloaded, match="wandb-mirror download"):
        artifact.download(allow_missing_references=True)
    with pytest.raises(OnlyUpstream, match=r"use wandb\.Api"):
        artifact.link("org/wandb-registry-model/other")


def test_types_and_collections_lead_to_versions(full):
    api, _ = full
    [kind] = api.artifact_types(USUAL)
    assert (repr(kind), kind.name) == ("<ArtifactType model>", "model")
    [collection] = kind.collections()
    assert repr(collection) == "<ArtifactCollection net (model)>"
    assert collection.is_sequence()
    assert collection.tags == ["prod"]
    assert collection.aliases == ["best", "latest"]
    assert [each.version for each in collection.artifacts()] == ["v2", "v1", "v0"]
    assert [
        each.version for each in api.artifacts("model", f"{USUAL}/net", order="+versionIndex")
    ] == ["v0", "v1", "v2"]
    assert [each.version for each in api.artifacts("model", f"{USUAL}/net", tags="good")] == ["v1"]
    assert api.artifact_collection("model", f"{USUAL}/net").description == "nets"
    assert not api.artifact_collection_exists(f"{USUAL}/nope", "model")
    assert [
        each.name for each in api.project(PROJECT, TEAM).collections({"name": {"$regex": "^n"}})
    ] == ["net"]


def test_a_registry_leads_to_what_is_linked_into_it(full):
    api, _ = full
    registry = api.registry("model", "org")
    assert (registry.full_name, registry.entity, registry.visibility) == (
        "wandb-registry-model",
        "org",
        "organization",
    )
    assert [each.name for each in registry.collections()] == ["prod"]
    assert [each.qualified_name for each in registry.versions()] == [
        "org/wandb-registry-model/prod:v0"
    ]
    assert len(api.registries("org", {"name": {"$regex": "mod"}})) == 1
    with pytest.raises(NotMirrored, match="Organization 'other' not found"):
        api.registries("other")
    with pytest.raises(NotMirrored):
        api.registry("nope", "org")


def test_a_report_leads_to_its_runs(full):
    api, _ = full
    [report] = api.reports(USUAL)
    assert (report.display_name, report.user["username"]) == ("Weekly: loss & more", "ada")
    assert report.url.endswith("/reports/Weekly-loss-more--UmVwb3J0OjE")
    runs = report.runs(report.sections[0], only_selected=False)
    assert [run.id for run in runs] == [
        run.id for run in api.runs(USUAL, {"state": "finished"}, "+summary_metrics.loss")
    ]
    assert list(report.runs(report.sections[0])) == []
    assert api.from_path(f"{USUAL}/reports/Weekly-loss-more--UmVwb3J0OjE").id == report.id


def test_a_path_alone_says_what_it_is(full):
    api, runs = full
    assert repr(api.from_path(USUAL)) == f"<Project {USUAL}>"
    assert api.from_path(f"{USUAL}/{runs[0]}").id == api.from_path(f"{USUAL}/runs/{runs[0]}").id
    assert api.from_path(f"{USUAL}/sweeps/s1").id == "s1"
    with pytest.raises(BadPath, match="Invalid path"):
        api.from_path("a/b/c/d/e")


def test_teams_users_automations_and_integrations(full):
    api, _ = full
    team = api.team(TEAM)
    assert [(member.name, member.admin) for member in team.members] == [
        ("Ada L.", True),
        ("bo", False),
    ]
    assert team.storage_bytes == 3
    assert api.viewer.teams == [TEAM]
    assert api.user("ADA").username == "ada"
    assert api.users("nobody") == []
    automation = api.automation("alarm", TEAM)
    assert (automation.event.event_type, automation.action.kind.name, automation.enabled) == (
        "RUN_METRIC",
        "post",
        True,
    )
    assert [type(each).__name__ for each in api.integrations(TEAM)] == [
        "SlackIntegration",
        "WebhookIntegration",
    ]
    assert [each.channel_name for each in api.slack_integrations(TEAM)] == ["#runs"]
    assert [each.url_endpoint for each in api.webhook_integrations(TEAM)] == ["https://x"]
    with pytest.raises(NotMirrored):
        api.automation("nope", TEAM)
    with pytest.raises(NotMirrored):
        api.team("nope")


def test_what_an_older_file_lacks_is_said(full, tmp_path):
    api, runs = full
    folder = tmp_path / "old"
    folder.mkdir()
    shutil.copy(api._generations.path, folder / "wandb.duckdb")
    with duckdb.connect(folder / "wandb.duckdb") as connection:
        connection.execute("DROP TABLE main.run_files")
    with pytest.raises(NotMirrored, match="run files are not in this mirror"):
        Api(mirror=folder).run(f"{USUAL}/{runs[0]}").files()
