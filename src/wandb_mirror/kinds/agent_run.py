"""A run that an agent of a sweep ran.

Order: by creation.   Resumable: by agent; those read are not read again.
Cost: one request for 20 agents of which upstream counts other runs than before; a page holds 1,000.
None without changes.
Gone: a run that its agent does not show any more goes with the agent's next reading; those of an
agent that is gone stay.
Older servers: without ``runs`` of an ``agent`` nobody says which runs are whose.
"""

from __future__ import annotations

from wandb_mirror.kinds.spec import IN_PROJECT, At, Field, Follow, Kind
from wandb_mirror.kinds.sweep_agent import IN_SWEEP

AGENT_RUN = Kind(
    name="agent_run",
    plural="agent_runs",
    about="Which runs each agent of a sweep ran.",
    upstream_type="Run",
    shape="connection",
    scope="agent",
    path=(IN_PROJECT, IN_SWEEP, At("agent", (("agentName", "agent"),)), At("runs")),
    follows=Follow(
        "sweep_agents", by="total_runs", unless=("total_runs", frozenset({0})), keeps=True
    ),
    key=("project_id", "sweep_id", "agent", "run_id"),
    order="+created_at",
    page_size=1000,
    fields=(Field("run_id", "name", about="The run's id."),),
)
