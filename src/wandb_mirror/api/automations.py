"""Automations and integrations (``wandb.apis.public.automations``, ``…integrations``)."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any

from wandb_mirror.api.generations import Generations, Row
from wandb_mirror.api.pages import Held
from wandb_mirror.jsontext import loads

SCOPE_NAMES = ("project", "collection", "entity")
"""Under which a scope's name is kept, each for one sort of scope."""
ACTION_TYPES = {
    "NotificationTriggeredAction": "NOTIFICATION",
    "GenericWebhookTriggeredAction": "GENERIC_WEBHOOK",
    "QueueJobTriggeredAction": "QUEUE_JOB",
    "NoOpTriggeredAction": "NO_OP",
    "ARIATriggeredAction": "ARIA",
}


class Automation:
    """A saved automation: when ``event`` happens in ``scope``, ``action`` is done.

    ``event``, ``action`` and ``scope`` are what upstream sends, answering to dots, under the real
    client's names where it has others.
    """

    def __init__(self, row: Row) -> None:
        self.id: str = row["id"]
        self.name: str = row["name"]
        self.description: str | None = row.get("description")
        self.enabled: bool = row["enabled"]
        self.created_at: str | None = row.get("created_at")
        self.updated_at: str | None = row.get("updated_at")
        self.event = _parsed(row["event"])
        self.action = _parsed(row["action"])
        self.scope = _parsed(row["scope"])
        if isinstance(self.scope, SimpleNamespace):
            self.scope.name = next(
                (value for key, value in vars(self.scope).items() if key in SCOPE_NAMES), None
            )
        if isinstance(self.action, SimpleNamespace):
            typename = getattr(self.action, "typename__", None)
            self.action.action_type = ACTION_TYPES.get(str(typename))

    def __repr__(self) -> str:
        """Return its name and whether it is on."""
        return f"Automation(id={self.id!r}, name={self.name!r}, enabled={self.enabled!r})"


def _parsed(text: str | None) -> Any:
    """Return JSON as namespaces; text that is no JSON as it is."""
    if text is None:
        return None
    try:
        return _namespace(loads(text))
    except ValueError:
        return text


def _namespace(value: Any) -> Any:
    if isinstance(value, dict):
        return SimpleNamespace(**{_snake(key): _namespace(inner) for key, inner in value.items()})
    if isinstance(value, list):
        return [_namespace(inner) for inner in value]
    return value


def _snake(name: str) -> str:
    """Return upstream's name as the real client spells it: ``event_type``, ``typename__``."""
    if name == "__typename":
        return "typename__"
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()


class EntityAutomations(Held[Automation]):
    """The automations of an entity, or those of one name."""

    def __init__(
        self,
        generations: Generations,
        entity: str,
        name: str | None = None,
        per_page: int = 50,
    ) -> None:
        rows = generations.current().live("automations", "entity = ? ORDER BY name, id", [entity])
        found = [row for row in rows if name is None or row["name"] == name]
        super().__init__([Automation(row) for row in found], per_page)


class SlackIntegration:
    """A channel that automations post to."""

    def __init__(self, row: Row) -> None:
        self.id: str = row["id"]
        self.channel_name: str | None = row["name"]
        team, _, _ = str(row["target"]).rpartition(f"/{row['name']}")
        self.team_name: str | None = team or None

    def __repr__(self) -> str:
        """Return where it posts."""
        return f"SlackIntegration(team_name={self.team_name!r}, channel_name={self.channel_name!r})"


class WebhookIntegration:
    """An address that automations call."""

    def __init__(self, row: Row) -> None:
        self.id: str = row["id"]
        self.name: str | None = row["name"]
        self.url_endpoint: str | None = row["target"]

    def __repr__(self) -> str:
        """Return what it calls."""
        return f"WebhookIntegration(name={self.name!r}, url_endpoint={self.url_endpoint!r})"


Integration = SlackIntegration | WebhookIntegration


class Integrations(Held[Integration]):
    """The integrations of an entity, of one kind or of both."""

    def __init__(
        self, generations: Generations, entity: str, kind: str | None = None, per_page: int = 50
    ) -> None:
        rows = generations.current().live("integrations", "entity = ? ORDER BY name, id", [entity])
        found = [
            SlackIntegration(row) if is_slack else WebhookIntegration(row)
            for row in rows
            for is_slack in ["slack" in str(row["kind"]).lower()]
            if kind is None or is_slack is (kind == "slack")
        ]
        super().__init__(found, per_page)
