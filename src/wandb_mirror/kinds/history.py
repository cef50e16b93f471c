"""The history of a run: what it logged, step by step.

Order: by step.   Resumable: by run, from the step after the last one stored.
Cost: one request for about 1,000 steps of a run, fewer steps where rows are wide.
Names: ``minStep`` is inclusive, ``maxStep`` exclusive; every row comes when ``samples`` is at least
the number of rows in the window, which ``maxStep - minStep`` always is. Rows are JSON text.
Exports: ``parquetHistory`` names Parquet files behind signed URLs, in no order, written minutes to
hours after the rows, and the ``_step`` of each row that is in none (``liveData``). Long histories
are read from there first.
Gone: steps that a rewound run has lost go; the history of a deleted run stays.
Older servers: without ``minStep`` and ``maxStep`` rows come from ``sampledHistory``, metric by
metric as ``historyKeys`` lists them, each with as many ``samples`` as its window has steps; without
that all at once, with more ``samples`` than any run has rows. Such a run is read whole whenever it
has changed, and is ``partial`` where fewer rows or values come than upstream counts.
``historyKeys.lastStep`` says where history ends; ``historyLineCount`` how many lines were logged.
History lives in the warehouse alone: its columns are the metrics themselves.
"""

from __future__ import annotations

from wandb_mirror.kinds.spec import IN_PROJECT, At, Field, Kind, Type

LIVE_STATES = frozenset({"running", "pending", "preempting"})
"""The states in which a run may still log; ``preempted`` runs come back as ``pending``."""

HISTORY = Kind(
    name="history",
    plural="history",
    about="What runs logged, step by step.",
    upstream_type="Run",
    shape="steps",
    scope="run",
    switched_by="history",
    path=(IN_PROJECT, At("run", (("name", "run_id"),)), At("history")),
    sampled=At("sampledHistory"),
    exports=At("parquetHistory", constants=(("liveKeys", '["_step"]'),)),
    key=("project_id", "run_id"),
    counted_by="history_line_count",
    live_while=("state", LIVE_STATES),
    page_size=1000,
    fields=(
        Field(
            "line_count",
            "historyLineCount",
            Type.INTEGER,
            about="Lines upstream had when the run was read.",
        ),
        Field(
            "keys", "historyKeys", Type.JSON, about="Upstream's index of metrics, with lastStep."
        ),
    ),
)
