"""Reports, members with their keys, automations and integrations: objects and how they are made.

Everything secret is planted: it begins with ``PLANTED``, so that a test can find it where it has no
business.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import TYPE_CHECKING, Any

from wandb_mirror.sandbox.objects import Entity, Project, User, encode_id

if TYPE_CHECKING:
    from wandb_mirror.sandbox.world import World

PLANTED = "planted-secret"
REPORT = "runs"
"""The type of view that is a report; drafts are ``runs/draft``."""


@dataclass(slots=True, eq=False)
class Report:
    """A page about runs; W&B calls it a view."""

    number: int
    project: Project
    title: str
    spec: str
    """JSON text."""
    user: User | None
    created_at: datetime
    updated_at: datetime
    description: str | None = None
    type: str = REPORT

    @property
    def storage_id(self) -> str:
        """The id that mutations take."""
        return encode_id("View", self.number)


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody's place in a team."""

    user: User
    role: str

    @property
    def api_key(self) -> str:
        """What a team's admin would be shown."""
        return f"{PLANTED}-member-{self.user.number}"


@dataclass(slots=True, eq=False)
class Integration:
    """A Slack channel or a webhook of an entity."""

    number: int
    entity: Entity
    typename: str
    name: str
    """The webhook's name, the Slack workspace's."""
    target: str
    """The webhook's address, the Slack channel's name."""
    access_token_ref: str | None = None
    secret_ref: str | None = None

    @property
    def storage_id(self) -> str:
        """The opaque id."""
        return encode_id("Integration", self.typename, self.number)


@dataclass(frozen=True, slots=True)
class Event:
    """What has to happen."""

    typename = "FilterEventTriggeringCondition"
    event_type: str
    filter: str
    """JSON text."""


@dataclass(frozen=True, slots=True)
class Action:
    """What is done then."""

    typename: str
    integration: Integration | None = None
    title: str | None = None
    message: str | None = None
    payload: str | None = None


@dataclass(slots=True, eq=False)
class Automation:
    """What happens when something happens; W&B calls it a trigger."""

    number: int
    name: str
    scope: Any
    """A project, a collection or an entity."""
    event: Event
    action: Action
    created_at: datetime
    updated_at: datetime
    description: str | None = None
    is_enabled: bool = True
    created_by: User | None = None

    @property
    def storage_id(self) -> str:
        """The id that mutations take."""
        return encode_id("Trigger", self.number)


def members_of(entity: Entity) -> list[Member]:
    """Return the members of an entity; the first runs it, the others in turn write or watch."""
    roles = ("member", "viewer")
    return [
        Member(user, "admin" if place == 0 else roles[place % len(roles)])
        for place, user in enumerate(entity.members)
    ]


def add_reports(world: World, project: Project, count: int, source: Random) -> None:
    """Add reports with the sets of runs that they show, and one draft."""
    for number in range(count):
        created_at = project.created_at + timedelta(days=number)
        spec = {
            "version": 5,
            "blocks": [
                {"type": "heading", "level": 1, "children": [{"text": f"Findings {number}"}]},
                {
                    "type": "panel-grid",
                    "metadata": {
                        "runSets": [
                            {
                                "id": f"set{number}",
                                "name": "Run set",
                                "project": {"name": project.name, "entityName": project.entity},
                                "filters": {"op": "OR", "filters": []},
                                "selections": {"root": 1, "bounds": [], "tree": []},
                            }
                        ]
                    },
                },
            ],
            "width": source.choice(("readable", "fluid")),
        }
        world.arrangements.create_report(
            project,
            f"Findings {number}: ünïcode & more",
            json.dumps(spec),
            description="What we saw." if number % 2 else "",
            created_at=created_at,
            user=world.users[number % len(world.users)],
        )
    if count:
        world.arrangements.create_report(
            project, "Draft", "{}", type="runs/draft", created_at=project.created_at
        )


def add_automations(world: World, team: str) -> None:
    """Add a webhook and a Slack channel to a team, and automations that use them."""
    arranged, entity = world.arrangements, world.entities[team]
    webhook = arranged.create_integration(
        entity,
        "GenericWebhookIntegration",
        "deploy",
        f"https://hooks.example.com/deploy?token={PLANTED}-url",
        access_token_ref=f"{PLANTED}-token",
        secret_ref=f"{PLANTED}-hook",
    )
    slack = arranged.create_integration(entity, "SlackIntegration", "example", "#training")
    for project in [each for each in world.projects if each.entity == team]:
        for collection in [each for each in project.collections.values() if each.type == "model"]:
            arranged.create_automation(
                f"deploy {collection.name}",
                collection,
                Event("ADD_ARTIFACT_ALIAS", _wrapped({"alias": {"$regex": "production"}})),
                Action("GenericWebhookTriggeredAction", webhook, payload='{"event": "deploy"}'),
                description="When somebody says so.",
            )
        arranged.create_automation(
            f"tell of {project.name}",
            project,
            Event("CREATE_ARTIFACT", _wrapped({})),
            Action("NotificationTriggeredAction", slack, title="Low loss", message="Look at it."),
            is_enabled=False,
        )


def _wrapped(conditions: dict[str, Any]) -> str:
    """Return an event's filter as it travels: JSON text in a JSON object."""
    return json.dumps({"filter": json.dumps(conditions)})
