"""An agent of a sweep: a process that ran what the sweep said.

Order: upstream's own.   Resumable: by sweep; those read are not read again.
Cost: one request for 20 sweeps that changed, as those do that run. None without changes.
Names: upstream ``name`` is our ``agent``, by which upstream finds it within its sweep.
Gone: an agent that its sweep does not show any more is marked deleted.
Older servers: without ``sweep`` or its ``agents`` there are none.
"""

from __future__ import annotations

from wandb_mirror.kinds.spec import IN_PROJECT, At, Field, Follow, Kind, Type

IN_SWEEP = At("sweep", (("sweepName", "sweep_id"),))

SWEEP_AGENT = Kind(
    name="sweep_agent",
    plural="sweep_agents",
    about="The agents of each sweep.",
    upstream_type="AgentEdge",
    shape="list",
    scope="sweep",
    path=(IN_PROJECT, IN_SWEEP, At("agents"), At("edges")),
    follows=Follow("sweeps"),
    key=("project_id", "sweep_id", "agent"),
    when_gone="deleted",
    fields=(
        Field("agent", "node.name", about="The agent's name, unique within its sweep."),
        Field("agent_id", "node.id", about="Upstream's id."),
        Field("host", "node.host", about="The machine it runs on."),
        Field("state", "node.state", about="running, finished, …", is_lower=True),
        Field(
            "total_runs", "node.totalRuns", Type.INTEGER, about="Its runs, as upstream counts them."
        ),
        Field("created_at", "node.createdAt", Type.TIME, about="When it was started."),
        Field("heartbeat_at", "node.heartbeatAt", Type.TIME, about="When it was last heard of."),
    ),
)
