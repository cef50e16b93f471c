"""Sweeps, artifacts, files, reports, teams, automations, registries: over the views of the file."""

from __future__ import annotations

import json
import shutil
from datetime import timedelta

import duckdb
import pytest

from mirror.making import TEAM
from wandb_mirror import Api
from wandb_mirror.errors import BadPath, NotMirrored, OnlyUpstream

PROJECT = "mnist-baselines"
USUAL = f"{TEAM}/{PROJECT}"
AT = "TIMESTAMP '2024-05-01 12:00:00'"
WHERE = f"'{TEAM}' AS entity, '{PROJECT}' AS project"
SWEEP = {"metric": {"name": "loss", "goal": "minimize"}, "parameters": {"lr": {"values": [1, 2]}}}
SPEC = {
    "panelGroups": [
        {
            "openRunSet": 0,
            "runSets": [
                {
                    "sort": {"key": {"section": "summary", "name": "loss"}, "ascending": True},
                    "filters": {
                        "op": "OR",
                        "filters": [
                            {
                                "op": "AND",
                                "filters": [
                                    {"key": {"section": "run", "name": "state"}, "op": "=", "value": "finished"},
                                    {"key": {"section": "config", "name": "lr"}, "op": ">", "value": 0, "disabled": True},
                                ],
                            }
                        ],
                    },
                    "selections": {"tree": []},
                }
            ],
        }
    ]
}  # fmt: skip


def make_tables(runs):
    """Return SQL for tables with the columns that the published views have."""
    first, second = runs
    spec, config = json.dumps(SPEC), json.dumps(SWEEP)
    return f"""
    CREATE TABLE sweeps AS SELECT {WHERE}, 's1' AS sweep_id, NULL::VARCHAR AS name, 'FINISHED' AS state,
      'bayes' AS method, 'loss' AS metric_name, 'minimize' AS metric_goal, '{config}' AS config,
      2 AS run_count, 0.5 AS best_loss, {AT} AS created_at, {AT} AS updated_at, NULL::TIMESTAMP AS deleted_at;
    INSERT INTO sweeps SELECT * REPLACE ('gone' AS sweep_id, {AT} AS deleted_at) FROM sweeps;
    CREATE TABLE run_files AS SELECT {WHERE}, '{first}' AS run_id, name, size_bytes, 'text/plain' AS mimetype,
      'abc' AS md5, {AT} AS updated_at FROM (VALUES ('a.txt', 10), ('logs/b.json', 1536), ('logs/c_d', NULL)) v(name, size_bytes);
    CREATE TABLE console_lines AS SELECT {WHERE}, '{first}' AS run_id, n AS line, {AT} AS timestamp,
      NULL::VARCHAR AS level, 'line ' || n AS content FROM range(5) t(n);
    CREATE TABLE system_metrics AS SELECT {WHERE}, '{first}' AS run_id, {AT} + n * INTERVAL 1 SECOND AS timestamp,
      n::DOUBLE AS runtime, key, n * 1.5 AS value FROM range(10) t(n), (VALUES ('system.cpu'), ('system.gpu')) k(key);
    CREATE TABLE artifact_types AS SELECT {WHERE}, 'model' AS type, NULL::VARCHAR AS description;
    CREATE TABLE artifact_collections AS SELECT {WHERE}, 'model' AS type, 'net' AS collection, 'nets' AS description,
      true AS is_sequence, {AT} AS created_at, {AT} AS updated_at;
    INSERT INTO artifact_collections SELECT 'org' , 'wandb-registry-model', type, 'prod', description, false, created_at, updated_at FROM artifact_collections;
    CREATE TABLE artifacts AS SELECT {WHERE}, 'model' AS type, 'net' AS collection, 'v' || n AS version, n AS version_index,
      'id' || n AS artifact_id, 'digest' || n AS digest, 100 * n AS size_bytes, 2 AS file_count, 'committed' AS state,
      'version ' || n AS description, '{{"loss": "NaN", "n": 1}}' AS metadata, 3600.0::DOUBLE AS ttl_s, {AT} AS created_at, {AT} AS updated_at,
      NULL::VARCHAR AS source_artifact_id FROM range(3) t(n);
    INSERT INTO artifacts SELECT * REPLACE ('org' AS entity, 'wandb-registry-model' AS project, 'prod' AS collection,
      'v0' AS version, 0 AS version_index) FROM artifacts WHERE artifact_id = 'id2';
    CREATE TABLE artifact_aliases AS SELECT {WHERE}, 'net' AS collection, 'v2' AS version, 'id2' AS artifact_id, alias
      FROM (VALUES ('latest'), ('best')) v(alias);
    CREATE TABLE artifact_tags AS SELECT {WHERE}, 'net' AS collection, 'v1' AS version, 'id1' AS artifact_id, 'good' AS tag;
    CREATE TABLE artifact_files AS SELECT 'id2' AS artifact_id, path, 10 AS size_bytes, 'd' AS digest, reference
      FROM (VALUES ('weights/a.bin', NULL), ('link', 's3://bucket/x')) v(path, reference);
    CREATE TABLE artifact_usage AS SELECT {WHERE}, run_id, 'id2' AS artifact_id, direction
      FROM (VALUES ('{first}', 'output'), ('{second}', 'input')) v(run_id, direction);
    CREATE TABLE reports AS SELECT {WHERE}, 'UmVwb3J0OjE=' AS report_id, 'report-1' AS name, 'Weekly: loss & more' AS title,
      'What we saw' AS description, 'ada' AS username, '{spec}' AS spec, {AT} AS created_at, {AT} AS updated_at, 'u' AS url;
    CREATE TABLE teams AS SELECT '{TEAM}' AS team, 3 AS storage_bytes;
    CREATE TABLE team_members AS SELECT '{TEAM}' AS team, username, role FROM (VALUES ('ada', 'admin'), ('bo', 'member')) v(username, role);
    CREATE TABLE automations AS SELECT 'a1' AS id, 'alarm' AS name, '{TEAM}' AS entity, NULL::VARCHAR AS project, true AS enabled,
      '{{"eventType": "RUN_METRIC"}}' AS event, '{{"kind": {{"name": "post"}}}}' AS action, 'project' AS scope;
    CREATE TABLE integrations AS SELECT * FROM (VALUES ('i1', '{TEAM}', 'slack', 'work', '#runs'), ('i2', '{TEAM}', 'webhook', 'hook', 'https://x'))
      v(id, entity, kind, name, target);
    CREATE TABLE registries AS SELECT 'org' AS organization, 'model' AS registry, 'organization' AS visibility, 'd' AS description, {AT} AS created_at;
    UPDATE _data.runs SET sweep_id = 's1' WHERE run_id IN ('{first}', '{second}');
    """


@pytest.fixture(scope="module")
def full(mirror, tmp_path_factory):
    """Return an ``Api`` over a file that has every view of the contract, and two runs' ids."""
    runs = sorted(run.id for run in Api(mirror=mirror.folder).runs(USUAL)[:2])
    folder = tmp_path_factory.mktemp("full")
    shutil.copy(mirror.published_path, folder / "wandb.duckdb")
    (folder / "wandb.duckdb").chmod(0o644)
    with duckdb.connect(folder / "wandb.duckdb") as connection:
        known = {
            name
            for (name,) in connection.execute(
                "SELECT view_name FROM duckdb_views() WHERE schema_name = 'main'"
            ).fetchall()
        }
        for statement in make_tables(runs).split(";\n"):
            name = (
                statement.split("CREATE TABLE ")[-1].split()[0]
                if "CREATE TABLE" in statement
                else ""
            )
            if name in known:
                connection.execute(f"DROP VIEW main.{name}")
            if statement.strip():
                connection.execute(statement)
    return Api(mirror=folder), runs


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
    with pytest.raises(OnlyUpstream):
        sweep.agents()


def test_files_of_a_run_are_listed_without_their_bytes(full):
    api, runs = full
    run = api.run(f"{USUAL}/{runs[0]}")
    assert [file.name for file in run.files()] == ["a.txt", "logs/b.json", "logs/c_d"]
    assert [file.name for file in run.files(pattern="logs/%")] == ["logs/b.json", "logs/c_d"]
    assert [file.name for file in run.files(["a.txt"])] == ["a.txt"]
    assert repr(run.file("logs/b.json")) == "<File logs/b.json (text/plain) 1.5KiB>"
    assert repr(run.files()) == f"<Files {USUAL}/{run.id} (3)>"
    for ask in (run.file("a.txt").download, lambda: run.file("a.txt").url):
        with pytest.raises(OnlyUpstream, match=r"wandb\.Api"):
            ask()
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
        assert (artifact.name, artifact.id) == ("net:v2", "id2")
    assert (artifact.version, artifact.size, artifact.file_count) == ("v2", 200, 2)
    assert (artifact.aliases, artifact.state, artifact.ttl) == (
        ["latest", "best"],
        "COMMITTED",
        timedelta(hours=1),
    )
    assert artifact.metadata["n"] == 1
    assert artifact.metadata["loss"] != artifact.metadata["loss"]
    assert artifact.qualified_name == f"{USUAL}/net:v2"
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
    with pytest.raises(OnlyUpstream):
        artifact.download()
    with pytest.raises(OnlyUpstream, match="not queued"):
        artifact.save()


def test_types_and_collections_lead_to_versions(full):
    api, _ = full
    [kind] = api.artifact_types(USUAL)
    assert (repr(kind), kind.name) == ("<ArtifactType model>", "model")
    [collection] = kind.collections()
    assert repr(collection) == "<ArtifactCollection net (model)>"
    assert collection.is_sequence()
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
    assert len(api.registries("other")) == 0
    with pytest.raises(NotMirrored):
        api.registry("nope", "org")


def test_a_report_leads_to_its_runs(full):
    api, _ = full
    [report] = api.reports(USUAL)
    assert (report.display_name, report.user.username) == ("Weekly: loss & more", "ada")
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
    assert (automation.event.eventType, automation.action.kind.name, automation.enabled) == (
        "RUN_METRIC",
        "post",
        True,
    )
    assert [type(each).__name__ for each in api.integrations(TEAM)] == [
        "WebhookIntegration",
        "SlackIntegration",
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
