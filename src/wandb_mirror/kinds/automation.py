"""An automation: what happens when something happens.

Order: upstream's own.   Resumable: no.
Cost: one request for 20 lists, four projects with all that they list.
Gone: an automation that a project does not list any more is marked deleted.
Older servers: an action of a kind that they do not know makes ``action`` NULL.
Secrets that a webhook sends are named by upstream and never shown.
"""

from __future__ import annotations

from wandb_mirror.kinds.spec import IN_PROJECT, At, Field, Kind, Type

AUTOMATION = Kind(
    name="automation",
    plural="automations",
    about="Automations: what happens when something happens.",
    upstream_type="Trigger",
    shape="list",
    scope="project",
    path=(IN_PROJECT, At("triggers")),
    key=("project_id", "automation_id"),
    when_gone="deleted",
    fields=(
        Field("automation_id", "id", about="The automation's id."),
        Field("name", "name", about="Its name."),
        Field("description", "description", about="What people wrote about it."),
        Field("is_enabled", "enabled", Type.BOOLEAN, about="Whether it is on."),
        Field("created_at", "createdAt", Type.TIME, about="When it was made."),
        Field("updated_at", "updatedAt", Type.TIME, about="When upstream last changed it."),
        Field(
            "scope",
            "scope",
            Type.JSON,
            selection="{ __typename ... on Project { id project: name } "
            "... on Entity { id entity: name } ... on ArtifactSequence { id collection: name } "
            "... on ArtifactPortfolio { id collection: name } }",
            about="What it watches: a project, a collection, an entity; as JSON.",
        ),
        Field(
            "event",
            "triggeringCondition",
            Type.JSON,
            selection="{ __typename ... on FilterEventTriggeringCondition { eventType filter } }",
            about="What has to happen, as JSON.",
        ),
        Field(
            "action",
            "triggeredAction",
            Type.JSON,
            selection="{ __typename ... on GenericWebhookTriggeredAction { integration { id } "
            "requestPayload } ... on NotificationTriggeredAction { integration { id } title "
            "message severity } }",
            about="What is done then, as JSON.",
        ),
    ),
)
