"""Reports, people, automations and integrations: both clients say the same, and no secret stays."""

from __future__ import annotations

import pytest

from mirror.making import TEAM
from wandb_mirror import Api
from wandb_mirror.sandbox.people import PLANTED

# the real client talks to a process of its own over a Unix socket, which is no network
pytestmark = [pytest.mark.sdk, pytest.mark.enable_socket]

PATH = f"{TEAM}/mnist-baselines"


@pytest.fixture
def api(mirror):
    """Return the mirror's ``Api``; here the other client needs its sockets."""
    return Api(mirror=mirror.folder)


def fields(thing, *names):
    return {name: getattr(thing, name) for name in names}


OF_TEAM = (
    "name", "id", "available", "photo_url", "read_only", "read_only_admin", "is_team", "is_paid",
    "entity_type", "private_only", "storage_bytes", "code_saving_enabled", "default_access",
)  # fmt: skip
OF_MEMBER = ("username", "id", "name", "email", "account_type", "pending", "admin", "photo_url")
OF_USER = ("id", "username", "name", "email", "admin", "entity", "flags", "deleted_at", "teams")
QUESTIONS = {
    "reports": lambda api: [
        fields(
            each, "id", "name", "display_name", "description", "spec", "updated_at", "created_at"
        )
        for each in api.reports(PATH)
    ],
    "who wrote them": lambda api: [each.user for each in api.reports(PATH)],
    "a team": lambda api: fields(api.team(TEAM), *OF_TEAM),
    "members": lambda api: sorted(
        tuple(fields(each, *OF_MEMBER).values()) for each in api.team(TEAM).members
    ),
    "the viewer": lambda api: fields(api.viewer, *OF_USER),
    "an organization": lambda api: (
        fields(api.organization(TEAM), "id", "name"),
        fields(api.organization(TEAM).org_entity, "id", "name", "entity_type"),
    ),
    "a project": lambda api: (
        fields(api.project("mnist-baselines", TEAM), "id", "name", "is_benchmark", "created_at"),
        api.project("mnist-baselines", TEAM).owner.username,
    ),
    "automations": lambda api: [
        (each.name, each.id, each.enabled, each.description, each.scope.name)
        for each in api.automations(TEAM)
    ],
    "what has to happen": lambda api: [
        getattr(each.event.event_type, "value", each.event.event_type)
        for each in api.automations(TEAM)
    ],
    "what is done": lambda api: [
        getattr(each.action.action_type, "value", each.action.action_type)
        for each in api.automations(TEAM)
    ],
    "Slack": lambda api: [
        fields(each, "id", "team_name", "channel_name")
        for each in api.slack_integrations(entity=TEAM)
    ],
    "webhooks": lambda api: [
        (each.id, each.name, each.url_endpoint.partition("?")[0])
        for each in api.webhook_integrations(TEAM)
    ],
}


@pytest.mark.parametrize("question", QUESTIONS)
def test_both_clients_answer_alike(question, real, api):
    ask = QUESTIONS[question]
    assert ask(api) == ask(real)


OURS = {"Node", "Listing", "FirstPages"}
"""The documents in which a sync asks for people, as those of the real client are not called."""


def test_no_secret_is_asked_for_or_kept(mirror, served):
    ours = [each for each in served.requests if each.operation in OURS]
    assert {each.operation for each in ours} == OURS
    for each in ours:
        for word in ("apiKey", "accessTokenRef", "secretRef"):
            assert word not in each.document
    for path in mirror.folder.rglob("*"):
        if path.is_file():
            assert PLANTED.encode() not in path.read_bytes(), path
