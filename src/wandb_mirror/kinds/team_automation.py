"""An automation that watches a whole team; those of projects and collections are of projects.

Order: upstream's own.   Resumable: no.
Cost: one request for all that a team lists.
Names: the fields are those of a project's automations; ``scope`` names the team.
Gone: one that is not listed any more is marked deleted.
Older servers: before 0.83 there are none.
"""

from __future__ import annotations

from wandb_mirror.kinds.automation import AUTOMATION
from wandb_mirror.kinds.spec import At, Kind

TEAM_AUTOMATION = Kind(
    name="team_automation",
    plural="team_automations",
    about="The automations of each team, those of its projects among them.",
    upstream_type="Trigger",
    shape="connection",
    scope="team",
    path=(At("entity", (("name", "entity"),)), At("triggers")),
    key=("entity", "automation_id"),
    page_size=50,
    when_gone="deleted",
    fields=AUTOMATION.fields,
)
