"""A run.

Order: by creation, which never moves.
Resumable: the listing is walked anew, the heavy pages are not.
Cost: one request for 1,000 runs to look for changes, one for 100 changed runs to read them whole.
Names, settled here once: upstream ``id`` is our ``storage_id``; upstream ``name`` (``a1b2cdef``)
is our ``run_id``; upstream ``displayName`` is our ``name``. Filters speak the upstream names.
Gone: a run that a complete listing does not show is marked deleted; deletions are told from the
listing alone, and only where it holds as many runs as upstream counts.
Older servers: what they lack is NULL; without filters or orders the listing is walked by cursor,
without ``updatedAt`` it is compared whole every time.
``config`` arrives as ``{"lr": {"value": 0.1, "desc": null}, "_wandb": {...}}`` and is kept so.
"""

from __future__ import annotations

from wandb_mirror.kinds.spec import IN_PROJECT, At, Field, Kind, Type

RUN = Kind(
    name="run",
    plural="runs",
    about="A run: one execution that was logged.",
    upstream_type="Run",
    shape="connection",
    scope="project",
    path=(IN_PROJECT, At("runs")),
    node_path=(IN_PROJECT, At("run", (("name", "run_id"),))),
    holds="run",
    key=("project_id", "run_id"),
    order="+created_at",
    seek="created_at",
    counted_by="run_count",
    stamped_by="updated_at",
    heard_by="heartbeat_at",
    shows_row="summary",
    restless=(
        "storage_id",
        "state",
        "heartbeat_at",
        "compute_seconds",
        "history_line_count",
        "event_line_count",
        "log_line_count",
    ),
    page_size=1000,
    detail_size=100,
    when_gone="deleted",
    remembered=("name", "state", "run_group", "job_type", "notes", "description", "tags"),
    fields=(
        Field("run_id", "name", about="The run's id, unique within its project."),
        Field("storage_id", "id", about="The id that mutations take."),
        Field("name", "displayName", about="The name people see."),
        Field(
            "state", "state", about="running, finished, failed, crashed, killed, …", is_lower=True
        ),
        Field("username", "user.username", about="Who started it."),
        Field("run_group", "group", about="The group it was logged into."),
        Field("job_type", "jobType", about="The job type it was logged with."),
        Field("sweep_id", "sweepName", about="The sweep it belongs to."),
        Field("notes", "notes", about="Notes people wrote."),
        Field("description", "description", about="The older twin of the notes."),
        Field("tags", "tags", Type.JSON, about="Its tags, a JSON array in upstream's order."),
        Field("git_commit", "commit", about="The git commit it ran from."),
        Field("host", "host", about="The machine it ran on."),
        Field(
            "read_only", "readOnly", Type.BOOLEAN, about="Whether upstream takes no edits of it."
        ),
        Field("created_at", "createdAt", Type.TIME, about="When it was started."),
        Field("heartbeat_at", "heartbeatAt", Type.TIME, about="When it last gave a sign of life."),
        Field("updated_at", "updatedAt", Type.TIME, about="When upstream last changed it."),
        Field("compute_seconds", "computeSeconds", Type.REAL, about="How long it ran, in seconds."),
        Field(
            "history_line_count",
            "historyLineCount",
            Type.INTEGER,
            about="History rows, as upstream counts them.",
        ),
        Field(
            "event_line_count",
            "eventsLineCount",
            Type.INTEGER,
            about="Samples of its machine, as upstream counts them.",
        ),
        Field(
            "log_line_count",
            "logLineCount",
            Type.INTEGER,
            about="Lines it wrote to the console, as upstream counts them.",
        ),
        Field(
            "config",
            "config",
            Type.JSON_TEXT,
            about="Its config as upstream holds it.",
            is_heavy=True,
            is_private=True,
        ),
        Field("summary", "summaryMetrics", Type.JSON_TEXT, about="Its summary.", is_heavy=True),
        Field(
            "system_metrics",
            "systemMetrics",
            Type.JSON_TEXT,
            about="The last sample of the machine's own metrics.",
            is_heavy=True,
        ),
    ),
)
