"""Sweeps, artifacts and registries: the real client and the mirror's ``Api`` say the same."""

from __future__ import annotations

import pytest

from mirror.making import TEAM
from wandb_mirror import Api

# the real client talks to a process of its own over a Unix socket, which is no network
pytestmark = [pytest.mark.sdk, pytest.mark.enable_socket]

PATH = f"{TEAM}/mnist-baselines"
MODEL = f"{PATH}/classifier-0:production"
DATA = f"{PATH}/mnist-0:v1"
LINKED = f"{TEAM}-org/wandb-registry-model/mnist-baselines-classifier-0:staging"


@pytest.fixture
def api(mirror):
    """Return the mirror's ``Api``; here the other client needs its sockets."""
    return Api(mirror=mirror.folder)


def fields(thing, *names):
    """Return attributes; the case of a sweep's state is no promise of upstream's."""
    found = {name: getattr(thing, name) for name in names}
    return {**found, "state": str(found["state"]).lower()} if "state" in found else found


SWEEP = ("id", "name", "state", "config", "entity", "project", "order", "path", "url",
         "best_loss", "expected_run_count")  # fmt: skip
VERSION = (
    "id", "name", "qualified_name", "version", "type", "aliases", "tags", "metadata", "description",
    "size", "digest", "state", "ttl", "created_at", "updated_at", "file_count", "entity", "project",
    "source_name", "source_version", "source_entity", "source_project", "source_qualified_name",
    "is_link", "history_step", "commit_hash",
    "digest_algorithm",
)  # fmt: skip
OF_REGISTRY = (
    "id", "internal_id", "name", "full_name", "entity", "organization", "description", "path",
    "visibility", "allow_all_artifact_types", "created_at", "updated_at",
)  # fmt: skip
QUESTIONS = {
    "sweeps": lambda api: [
        fields(each, *SWEEP) for each in api.project("mnist-baselines", TEAM).sweeps()
    ],
    "a sweep": lambda api: fields(api.sweep(f"{PATH}/swp01000"), *SWEEP),
    "the agents of a sweep": lambda api: [
        (each.id, each.name, each.host, each.total_runs, each.created_at, each.state.lower())
        for each in api.sweep(f"{PATH}/swp01000").agents()
    ],
    "the best run of a sweep": lambda api: api.sweep(f"{PATH}/swp01000").best_run().id,
    "the runs of a sweep": lambda api: {run.id for run in api.sweep(f"{PATH}/swp01000").runs},
    "artifact types": lambda api: sorted(each.name for each in api.artifact_types(PATH)),
    "collections": lambda api: sorted(
        (
            each.name,
            each.type,
            sorted(each.aliases),
            each.tags,
            each.description,
            each.project_id,
            each.project_internal_id,
        )
        for each in api.artifact_collections(PATH, "model")
    ),
    "versions": lambda api: [
        fields(each, *VERSION) for each in api.artifacts("model", f"{PATH}/classifier-0")
    ],
    "a version by alias": lambda api: fields(api.artifact(MODEL), *VERSION),
    "a version by number": lambda api: fields(api.artifact(DATA), *VERSION),
    "a linked version": lambda api: fields(api.artifact(LINKED), *VERSION, "linked_at"),
    "where a linked version is from": lambda api: [
        (each.source_artifact.qualified_name, each.source_collection.name, each.source_version)
        for each in [api.artifact(LINKED)]
    ],
    "who logged it": lambda api: api.artifact(MODEL).logged_by().id,
    "who used it": lambda api: sorted(run.id for run in api.artifact(DATA).used_by()),
    "what a run logged": lambda api: sorted(
        each.name
        for each in api.run(f"{PATH}/{api.artifact(MODEL).logged_by().id}").logged_artifacts()
    ),
    "what a run used": lambda api: sorted(
        each.name
        for each in api.run(f"{PATH}/{api.artifact(MODEL).logged_by().id}").used_artifacts()
    ),
    "files of runs": lambda api: sorted(
        (each.id, each.name, each.size, each.mimetype or "", each.md5, each.updated_at)
        for run in api.runs(PATH)
        for each in run.files()
    ),
    "manifest": lambda api: {
        path: (entry.digest, entry.size, entry.ref)
        for path, entry in api.artifact(DATA).manifest.entries.items()
    },
    "files of a version": lambda api: sorted(
        (each.name, each.size, each.digest) for each in api.artifact(DATA).files()
    ),
    "links": lambda api: [each.qualified_name for each in api.artifact(MODEL).linked_artifacts],
    "registries": lambda api: [
        fields(each, *OF_REGISTRY) | {"artifact_types": [*each.artifact_types]}
        for each in api.registries(TEAM)
    ],
    "members of registries": lambda api: [
        [
            *((each.user.username, each.user.email, each.role) for each in registry.user_members()),
            *((each.team.name, each.role) for each in registry.team_members()),
            len(registry.members()),
        ]
        for registry in api.registries(TEAM)
    ],
    "collections of registries": lambda api: sorted(
        each.name for each in api.registries(TEAM).collections()
    ),
    "versions in registries": lambda api: sorted(
        (each.name, *each.aliases) for each in api.registries(TEAM).versions()
    ),
}


@pytest.mark.parametrize("question", QUESTIONS)
def test_both_clients_answer_alike(question, real, api):
    ask = QUESTIONS[question]
    assert ask(api) == ask(real)
