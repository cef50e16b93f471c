"""An integration: where automations send messages, a Slack channel or a webhook.

Order: upstream's own.   Resumable: no.
Cost: one request for all that an entity lists.
Secrets (``accessTokenRef``, ``secretRef``) are never asked for; of a webhook's address what stands
behind ``?`` is not kept, and a part of its path that looks like a key is ``[redacted]``.
Gone: an integration that is not listed any more goes.
Older servers: what they lack is NULL.
"""

from __future__ import annotations

from wandb_mirror.kinds.spec import At, Field, Kind, Type

INTEGRATION = Kind(
    name="integration",
    plural="integrations",
    about="Where automations send messages.",
    upstream_type="Integration",
    shape="connection",
    scope="team",
    path=(At("entity", (("name", "entity"),)), At("integrations")),
    key=("entity", "integration_id"),
    page_size=100,
    fields=(
        Field("integration_id", "id", about="The integration's id."),
        Field("form", "__typename", about="SlackIntegration or GenericWebhookIntegration."),
        Field("webhook_name", "name", on="GenericWebhookIntegration", about="A webhook's name."),
        Field(
            "webhook_address",
            "urlEndpoint",
            Type.WEBHOOK,
            on="GenericWebhookIntegration",
            about="A webhook's address without what stands behind the question mark or is a key.",
        ),
        Field("slack_team", "teamName", on="SlackIntegration", about="A Slack workspace."),
        Field("slack_channel", "channelName", on="SlackIntegration", about="A Slack channel."),
    ),
)
