"""Artifacts, their files and lineage: first, unchanged, edited, linked, gone and back."""

from __future__ import annotations

import pytest

from fakes.serving import SCHEMA
from mirror.objects import add_version, link_version, make_collection, make_run, move_alias

ALIASES = "SELECT collection, version, alias FROM artifact_aliases ORDER BY ALL"


@pytest.fixture
def filled(setting):
    """Return a mirror of a dataset that two runs used, and of the models that they logged."""
    server = setting.server
    first, second = server.projects
    data = make_collection(first, "cats", "dataset")
    for index in range(4):
        add_version(server, data, *(["latest"] if index == 3 else []))
    models = make_collection(first, "net", "model", tags=[{"name": "good"}])
    add_version(server, models, "v-old")
    add_version(server, models, "latest", "production", ttlDurationSeconds=60)
    registry = make_collection(second, "released", "model", __typename="ArtifactPortfolio")
    link_version(registry, server.artifacts["net-1"], "champion")
    code = make_collection(first, "source", "code")
    add_version(server, code)
    used, made = server.artifacts["cats-3"], server.artifacts
    first["runs"] = [
        make_run("r1", inputArtifacts=[used], outputArtifacts=[made["net-0"], made["source-0"]]),
        make_run("r2", inputArtifacts=[used], outputArtifacts=[made["net-1"]]),
        make_run("r3", files=[{"id": "f1", "name": "a.log", "sizeBytes": 7, "md5": "x=="}]),
    ]
    first["artifactTypes"] = [{"name": "dataset"}, {"name": "model"}]
    report = setting.sync()
    assert not report.has_skips, report.projects
    return setting


def test_versions_are_rows_of_the_collections_that_hold_them(filled):
    found = filled.rows(
        "SELECT project, type, collection, version, artifact_id, size_bytes, file_count, state, "
        "metadata, ttl_s, source_artifact_id FROM artifacts WHERE type = 'model' ORDER BY ALL"
    )
    told = (15, 2, "committed", '{"epochs":3}')
    assert found == [
        ("one", "model", "net", "v0", "net-0", *told, None, None),
        ("one", "model", "net", "v1", "net-1", *told, 60.0, None),
        ("two", "model", "released", "v0", "net-1", *told, 60.0, "net-1"),
    ]
    collections = filled.rows(
        "SELECT collection, type, is_sequence, tags FROM artifact_collections ORDER BY ALL"
    )
    assert collections == [
        ("cats", "dataset", True, "[]"),
        ("net", "model", True, '["good"]'),
        ("released", "model", False, "[]"),
    ]
    assert filled.rows("SELECT type FROM artifact_types ORDER BY 1") == [("dataset",), ("model",)]


def test_types_that_machines_make_are_left_out_unless_they_are_asked_for(filled):
    assert filled.rows("SELECT count(*) FROM artifacts WHERE collection = 'source'") == [(0,)]
    assert filled.rows("SELECT count(*) FROM artifact_usage WHERE type = 'code'") == [(0,)]
    filled.change("artifacts.skip_types", ())
    filled.sync(is_full_refresh=True)
    assert filled.rows("SELECT artifact_id FROM artifacts WHERE collection = 'source'") == [
        ("source-0",)
    ]
    assert filled.rows("SELECT artifact_id FROM artifact_usage WHERE type = 'code'") == [
        ("source-0",)
    ]


def test_aliases_are_found_and_so_is_one_that_moves_without_a_sign(filled):
    assert filled.rows(ALIASES) == [
        ("cats", "v3", "latest"),
        ("net", "v0", "v-old"),
        ("net", "v1", "latest"),
        ("net", "v1", "production"),
        ("released", "v0", "champion"),
    ]
    move_alias(filled.server.projects[0]["artifactCollections"][1], "production", 0)
    filled.sync()
    assert ("net", "v0", "production") in filled.rows(ALIASES)
    assert ("net", "v1", "production") not in filled.rows(ALIASES)


def test_manifests_are_read_once_a_version_and_without_the_key(filled):
    found = filled.rows(
        "SELECT artifact_id, path, size_bytes, digest, reference FROM artifact_files "
        "WHERE artifact_id = 'net-1' ORDER BY path"
    )
    assert found == [
        ("net-1", "data", 5, "etag", "s3://bucket/data"),
        ("net-1", "model.pt", 10, "abc==", None),
    ]
    fetched = [request for request in filled.server.requests if request.method == "GET"]
    assert len(fetched) == 7  # the version that is linked is read for both of its projects
    collection = filled.server.projects[0]["artifactCollections"][1]
    collection["artifactMemberships"][0]["artifact"]["description"] = "edited"
    add_version(filled.server, collection)
    filled.sync()
    again = [request for request in filled.server.requests if request.method == "GET"]
    assert [request.url.path for request in again[7:]] == ["/net-2"]
    described = "SELECT description FROM artifacts WHERE artifact_id = 'net-0'"
    assert filled.rows(described) == [("edited",)]


def test_a_manifest_that_is_not_there_is_in_the_books_and_tried_again(filled):
    collection = filled.server.projects[0]["artifactCollections"][1]
    add_version(filled.server, collection)
    content = filled.server.files.pop("net-2")
    assert filled.sync().has_skips
    [(kind, error)] = filled.rows("SELECT kind, error FROM sync_errors")
    assert kind == "artifact_files"
    assert "planted" not in error
    filled.server.files["net-2"] = content
    assert not filled.sync().has_skips
    assert filled.rows("SELECT count(*) FROM artifact_files WHERE artifact_id = 'net-2'") == [(2,)]


def test_lineage_answers_which_models_were_trained_from_a_dataset(filled):
    found = filled.rows(
        """
        SELECT made.source_collection, made.version FROM artifact_usage used
        JOIN artifact_usage made USING (entity, project, run_id)
        WHERE used.direction = 'input' AND used.source_collection = 'cats' AND used.version = 'v3'
        AND made.direction = 'output' ORDER BY ALL
        """
    )
    assert found == [("net", "v0"), ("net", "v1")]
    logged = filled.rows(
        """
        SELECT a.collection, u.run_id FROM artifact_aliases a
        JOIN artifact_usage u USING (artifact_id)
        WHERE a.alias = 'production' AND u.direction = 'output'
        """
    )
    assert logged == [("net", "r2")]


def test_a_sync_without_news_asks_a_few_times_and_for_no_object_by_itself(filled):
    report = filled.sync()
    assert report.published is None
    assert not [text for text in filled.documents if "artifactMemberships" in text]
    assert not [text for text in filled.documents if "inputArtifacts" in text]
    assert len(filled.documents) <= 13


def test_versions_and_collections_that_go_are_marked_and_come_back(filled):
    first = filled.server.projects[0]
    net = first["artifactCollections"][1]
    taken = net["artifactMemberships"].pop(0)
    net["artifacts"].pop(0)
    gone = "SELECT artifact_id FROM artifacts WHERE deleted_at IS NOT NULL ORDER BY ALL"
    filled.sync()
    assert filled.rows(gone) == [("net-0",)]
    net["artifactMemberships"].insert(0, taken)
    net["artifacts"].insert(0, taken["artifact"])
    filled.sync()
    assert filled.rows(gone) == []
    first["artifactCollections"].remove(net)
    filled.sync()
    assert filled.rows(gone) == [("net-0",), ("net-1",)]
    assert not [row for row in filled.rows(ALIASES) if row[0] == "net"]
    first["artifactCollections"].append(net)
    filled.sync()
    assert filled.rows(gone) == []


def test_more_versions_than_a_page_holds_are_all_there(filled):
    collection = filled.server.projects[0]["artifactCollections"][0]
    for _ in range(215):
        add_version(filled.server, collection)
    filled.sync()
    assert filled.rows("SELECT count(*) FROM artifacts WHERE collection = 'cats'") == [(219,)]
    assert filled.rows(
        "SELECT count(*) FROM artifact_files WHERE starts_with(artifact_id, 'cats')"
    ) == [(438,)]


def test_files_of_a_run_are_listed_and_one_that_goes_is_marked(filled):
    files = "SELECT run_id, name, size_bytes, md5, deleted_at IS NULL FROM run_files"
    assert filled.rows(files) == [("r3", "a.log", 7, "x==", True)]
    run = filled.server.projects[0]["runs"][2]
    run["files"], run["heartbeatAt"] = [], "2024-01-01T02:00:00Z"
    filled.sync()
    assert filled.rows(files) == [("r3", "a.log", 7, "x==", False)]


def test_an_older_server_without_collections_has_no_artifacts_and_all_else(setting):
    line = "  artifactCollections(first: Int, after: String): ArtifactCollectionConnection\n"
    setting.server.schema_text = SCHEMA.replace(line, "")
    setting.server.projects[0]["runs"] = [make_run("r1")]
    assert not setting.sync().has_skips
    assert setting.rows("SELECT run_id FROM runs") == [("r1",)]


def test_a_nested_field_that_an_older_server_lacks_is_null(setting):
    setting.server.schema_text = SCHEMA.replace("  ttlDurationSeconds: Int64\n", "")
    data = make_collection(setting.server.projects[0], "cats", "dataset")
    add_version(setting.server, data, "latest")
    assert not setting.sync().has_skips
    assert setting.rows("SELECT version, ttl_s, ttl_seconds FROM artifacts") == [("v0", None, None)]
    assert setting.rows("SELECT alias FROM artifact_aliases") == [("latest",)]


def test_signed_addresses_are_kept_nowhere(filled):
    for path in filled.mirror.folder.iterdir():
        if path.is_file():
            assert b"planted-signature" not in path.read_bytes()
