"""A sweep: a search over configs.

Order: upstream's own.   Resumable: no, a listing is short.
Cost: one request for 20 lists, four projects with all that they list; a page
holds 100.
Names: upstream ``name`` is our ``sweep_id``; ``name`` is the display name. Runs name their sweep in
``runs.sweep_id``. ``config`` arrives as YAML text and is kept as JSON beside the text.
``agents`` says what of them moved; ``sweep_agents`` and ``agent_runs`` are read where it did.
Gone: a sweep that a complete listing does not show is marked deleted.
Older servers: without ``createdAt``, ``runCountExpected`` and the like these columns are NULL.
"""

from __future__ import annotations

from wandb_mirror.kinds.spec import IN_PROJECT, At, Field, Kind, Type

SWEEP = Kind(
    name="sweep",
    plural="sweeps",
    about="A sweep: a search over configs.",
    upstream_type="Sweep",
    shape="connection",
    scope="project",
    path=(IN_PROJECT, At("sweeps")),
    key=("project_id", "sweep_id"),
    page_size=100,
    when_gone="deleted",
    remembered=("name", "state", "description"),
    fields=(
        Field("sweep_id", "name", about="The sweep's id, unique within its project."),
        Field("storage_id", "id", about="The id that mutations take."),
        Field("name", "displayName", about="The name people see."),
        Field("state", "state", about="pending, running, finished, …", is_lower=True),
        Field("method", "method", about="How it searches: grid, random, bayes."),
        Field("description", "description", about="What people wrote about it."),
        Field("best_loss", "bestLoss", Type.REAL, about="The best value of its metric so far."),
        Field("run_count", "runCount", Type.INTEGER, about="Its runs, as upstream counts them."),
        Field(
            "expected_runs",
            "runCountExpected",
            Type.INTEGER,
            about="Runs it will have when done; NULL where nobody knows.",
        ),
        Field(
            "agents",
            "agents",
            Type.JSON,
            selection="{ edges { node { name state totalRuns heartbeatAt } } }",
            about="Its agents in short: tells what changed.",
        ),
        Field("created_at", "createdAt", Type.TIME, about="When it was made."),
        Field("updated_at", "updatedAt", Type.TIME, about="When upstream last changed it."),
        Field("config", "config", Type.YAML, about="Its config; NULL where its YAML is broken."),
        Field("config_yaml", "config", about="Its config as upstream holds it, YAML text."),
    ),
)
