"""A line that a run wrote to its console. Mirrored only where the settings ask for it.

Order: by number.   Resumable: by line; runs whose count has not moved are not read again, and one
that printed more, or whose reading was cut off, is read on from at least 200 lines before its end,
because the last lines can be written over (progress bars).
Cost: one request for 1,000 lines, or for the ends of five runs.
Gone: a run that counts fewer lines than before, or has another line where reading goes on, is read
from its first line, and the lines that it does not show any more go.
Older servers: those that cannot page through all lines (before 0.77) have none here.
"""

from __future__ import annotations

from wandb_mirror.kinds.spec import IN_PROJECT, At, Field, Follow, Kind, Type

CONSOLE_LINE = Kind(
    name="console_line",
    plural="console_lines",
    about="What runs wrote to the console, line by line.",
    upstream_type="LogLine",
    shape="connection",
    scope="run",
    switched_by="console_lines",
    path=(
        IN_PROJECT,
        At("run", (("name", "run_id"),)),
        At("logLines", constants=(("useImprovedPagination", "true"),)),
    ),
    follows=Follow("runs", by="log_line_count", unless=("log_line_count", frozenset({0}))),
    key=("project_id", "run_id", "line"),
    page_size=1000,
    together=5,
    tail=200,
    when_gone="removed",
    fields=(
        Field("line", "number", about="The line's number, from 0."),
        Field("timestamp", "timestamp", Type.TIME, about="When it was written (UTC)."),
        Field("level", "level", about="error for what went to stderr."),
        Field("label", "label", about="Which of a run's processes wrote it."),
        Field("content", "line", about="What was written."),
    ),
)
