"""What the machine of a run measured of itself: processor, memory, graphics cards.

Order: by time.   Resumable: by run; those read are not read again until their count moves.
Cost: one request for about 5,000 samples; a run that logs on is read whole each time, because
``events`` takes no window. Upstream thins out what is more than ``samples``, and may itself keep
less: ``sampled_from`` says how many there were.
Gone: what a run does not show any more goes with its next reading; that of a deleted run stays.
Older servers: without ``eventsLineCount`` a run is read until it has ended.
"""

from __future__ import annotations

from wandb_mirror.kinds.history import LIVE_STATES
from wandb_mirror.kinds.spec import IN_PROJECT, At, Field, Kind, Type

SYSTEM_METRIC = Kind(
    name="system_metric",
    plural="system_metrics",
    about="What the machines of runs measured of themselves.",
    upstream_type="Run",
    shape="samples",
    scope="run",
    switched_by="system_metrics",
    path=(IN_PROJECT, At("run", (("name", "run_id"),)), At("events")),
    key=("project_id", "run_id"),
    counted_by="event_line_count",
    live_while=("state", LIVE_STATES),
    page_size=10_000,
    fields=(
        Field("line_count", "eventsLineCount", Type.INTEGER, about="Samples upstream counts."),
    ),
)
