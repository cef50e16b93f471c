"""A published file that has every view of the contract, whatever the program that made it knew."""

from __future__ import annotations

import json
import shutil

import duckdb

from mirror.making import TEAM

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
      '["prod"]' AS tags, true AS is_sequence, {AT} AS created_at, {AT} AS updated_at;
    INSERT INTO artifact_collections SELECT 'org' , 'wandb-registry-model', type, 'prod', description, tags, false, created_at, updated_at FROM artifact_collections;
    CREATE TABLE artifacts AS SELECT {WHERE}, 'model' AS type, 'net' AS collection, 'v' || n AS version, n AS version_index,
      'id' || n AS artifact_id, 'digest' || n AS digest, 100 * n AS size_bytes, 2 AS file_count, 'committed' AS state,
      'version ' || n AS description, '{{"loss": "NaN", "n": 1}}' AS metadata, 3600.0::DOUBLE AS ttl_s, {AT} AS created_at, {AT} AS updated_at,
      NULL::VARCHAR AS source_artifact_id, false AS is_link, {AT} AS joined_at, NULL::VARCHAR AS digest_algorithm,
      '{TEAM}' AS source_entity, '{PROJECT}' AS source_project, 'net' AS source_collection, 'v' || n AS source_version FROM range(3) t(n);
    INSERT INTO artifacts SELECT * REPLACE ('org' AS entity, 'wandb-registry-model' AS project, 'prod' AS collection,
      'v0' AS version, 0 AS version_index, true AS is_link) FROM artifacts WHERE artifact_id = 'id2';
    CREATE TABLE artifact_aliases AS SELECT {WHERE}, 'net' AS collection, 'v2' AS version, 'id2' AS artifact_id, alias
      FROM (VALUES ('latest'), ('best')) v(alias);
    CREATE TABLE artifact_tags AS SELECT {WHERE}, 'net' AS collection, 'v1' AS version, 'id1' AS artifact_id, 'good' AS tag;
    CREATE TABLE artifact_files AS SELECT 'id2' AS artifact_id, path, 10 AS size_bytes, 'd' AS digest, reference
      FROM (VALUES ('weights/a.bin', NULL), ('link', 's3://bucket/x')) v(path, reference);
    CREATE TABLE artifact_usage AS SELECT {WHERE}, run_id, 'id2' AS artifact_id, direction
      FROM (VALUES ('{first}', 'output'), ('{second}', 'input')) v(run_id, direction);
    CREATE TABLE reports AS SELECT {WHERE}, 'UmVwb3J0OjE=' AS report_id, 'report-1' AS name, 'Weekly: loss & more' AS title,
      'What we saw' AS description, 'ada' AS username, '{spec}' AS spec, {AT} AS created_at, {AT} AS updated_at, 'u' AS url;
    CREATE TABLE teams AS SELECT * REPLACE ('{TEAM}' AS team, 3 AS storage_bytes) FROM _data.teams;
    CREATE TABLE team_members AS SELECT '{TEAM}' AS team, username, role, role = 'admin' AS is_admin FROM (VALUES ('ada', 'admin'), ('bo', 'member')) v(username, role);
    CREATE TABLE automations AS SELECT 'a1' AS id, 'alarm' AS name, '{TEAM}' AS entity, NULL::VARCHAR AS project, true AS enabled,
      '{{"eventType": "RUN_METRIC"}}' AS event, '{{"kind": {{"name": "post"}}}}' AS action, 'project' AS scope;
    CREATE TABLE integrations AS SELECT * FROM (VALUES ('i1', '{TEAM}', 'slack', '#runs', 'work/#runs'), ('i2', '{TEAM}', 'webhook', 'hook', 'https://x'))
      v(id, entity, kind, name, target);
    CREATE TABLE registries AS SELECT 'org' AS organization, 'model' AS registry, 'organization' AS visibility, 'd' AS description, {AT} AS created_at,
      {AT} AS updated_at, 'r1' AS registry_id, 'p1' AS project_id, 'org' AS entity, 'wandb-registry-model' AS project, true AS allow_all_artifact_types;
    UPDATE _data.runs SET sweep_id = 's1' WHERE run_id IN ('{first}', '{second}');
    """


def make_full(source, folder, runs):
    """Copy a published file into a folder, with a table in place of each view that it may lack."""
    file = folder / "wandb.duckdb"
    shutil.copy(source, file)
    file.chmod(0o644)
    with duckdb.connect(file) as connection:
        known = connection.execute(
            "SELECT view_name FROM duckdb_views() WHERE schema_name = 'main'"
        )
        views = {name for (name,) in known.fetchall()}
        for statement in filter(str.strip, make_tables(runs).split(";\n")):
            words = statement.split()
            if words[:2] == ["CREATE", "TABLE"] and words[2] in views:
                connection.execute(f"DROP VIEW main.{words[2]}")
            connection.execute(statement)
