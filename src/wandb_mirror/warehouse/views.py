"""What readers see: views with explicit columns over ``_data``, made anew when names change.

A view names only ``_data`` tables, casts every column and uses functions that DuckDB 1.2 has;
otherwise drivers of that version fail where newer ones do not.
"""

from __future__ import annotations

from collections.abc import Iterable

from wandb_mirror.kinds import STORED
from wandb_mirror.warehouse.engine import literal
from wandb_mirror.warehouse.object_views import object_views
from wandb_mirror.warehouse.tables import COLUMN_TYPES
from wandb_mirror.warehouse.times import JOINED_TIMES, RUNTIME, TIMESTAMP, time_of
from wandb_mirror.warehouse.view_parts import ENTITY, PROJECT, UNQUOTED, View, ViewColumn

RUN_ID = ViewColumn("run_id", "VARCHAR", "r.run_id", "The run's id, unique within its project.")
RUN_NO = ViewColumn("run_no", "INTEGER", "r.run_no", "The run's number in this file, for joins.")
KEY = ViewColumn("key", "VARCHAR", "k.name", "The key as W&B shows it: nesting joined by dots.")
DELETED_AT = ViewColumn(
    "deleted_at", "TIMESTAMP", "r.deleted_at", "When it was found to be gone upstream (UTC)."
)
SYNCED_AT = ViewColumn(
    "synced_at", "TIMESTAMP", "r.synced_at", "When its content was last written here (UTC)."
)
OF_RUNS = "JOIN _data.projects p ON p.project_no = r.project_no"
LIVE = "WHERE r.deleted_at IS NULL"


def own_run_columns() -> list[ViewColumn]:
    """Return the columns of a run itself, with those that the warehouse knows of its history."""
    kind = next(each for each in STORED if each.holds == "run")
    columns = [RUN_ID]
    for field in kind.fields:
        if field.column in ("run_id", "compute_seconds", "history_line_count"):
            continue
        columns.append(
            ViewColumn(field.column, COLUMN_TYPES[field.type], f'r."{field.column}"', field.about)
        )
    columns += [
        ViewColumn(
            "duration_s",
            "DOUBLE",
            "coalesce(r.compute_seconds, date_diff('microsecond', r.created_at, r.heartbeat_at) "
            "/ 1000000.0)",
            "How long it ran, in seconds: as upstream says, else heartbeat minus creation.",
        ),
        ViewColumn("last_step", "BIGINT", "c.last_step", "The largest step stored; NULL if none."),
        ViewColumn(
            "history_rows", "BIGINT", "coalesce(c.history_rows, 0)", "Distinct steps stored."
        ),
        ViewColumn(
            "history_status",
            "VARCHAR",
            "coalesce(c.status, 'none')",
            "How much of its history is here: none, partial, live, selected, complete or failed.",
        ),
    ]
    return columns


def run_columns(url: str) -> list[ViewColumn]:
    """Return every column of a run but those made from its keys."""
    link = f"{literal(url + '/')} || p.entity || '/' || p.project || '/runs/' || r.run_id"
    return [
        *own_run_columns(),
        ViewColumn("url", "VARCHAR", link, "Where people look at it."),
        DELETED_AT,
        SYNCED_AT,
        RUN_NO,
    ]


def main_views(url: str) -> list[View]:
    """Return the views that hold all projects together."""
    return [
        _projects(url),
        View(
            "main",
            "runs",
            "Runs of all projects; those deleted upstream stay, with deleted_at.",
            [ENTITY, PROJECT, *run_columns(url)],
            f"FROM _data.runs r {OF_RUNS} LEFT JOIN _data.cursors c ON c.run_no = r.run_no",
        ),
        View(
            "main",
            "run_tags",
            "A row a tag of a run.",
            [ENTITY, PROJECT, RUN_ID, ViewColumn("tag", "VARCHAR", "t.tag", "The tag."), RUN_NO],
            f"FROM _data.run_tags t JOIN _data.runs r ON r.run_no = t.run_no {OF_RUNS}",
        ),
        _by_key("config"),
        _by_key("summary"),
        _metrics(),
        _metric_stats(),
        _system_metrics(),
        *object_views(url),
        *_books(),
    ]


def _projects(url: str) -> View:
    kind = next(each for each in STORED if each.holds == "project")
    columns = [
        ViewColumn(field.column, COLUMN_TYPES[field.type], f'p."{field.column}"', field.about)
        for field in kind.fields
    ]
    columns += [
        ViewColumn(
            "inaccessible_since",
            "TIMESTAMP",
            "p.inaccessible_since",
            "Since when upstream shows it no more to the key in use; what was mirrored is kept.",
        ),
        ViewColumn(
            "url",
            "VARCHAR",
            f"{literal(url + '/')} || p.entity || '/' || p.project",
            "Where people look at it.",
        ),
        ViewColumn("synced_at", "TIMESTAMP", "p.synced_at", SYNCED_AT.about),
    ]
    first = {"entity": 0, "project": 1}
    columns.sort(key=lambda each: first.get(each.name, 2))
    return View("main", "projects", kind.about, columns, "FROM _data.projects p")


def _by_key(source: str) -> View:
    return View(
        "main",
        f"run_{source}",
        f"A row a leaf of a run's {source}.",
        [
            ENTITY,
            PROJECT,
            RUN_ID,
            KEY,
            ViewColumn("value", "VARCHAR", "v.value", "The value as JSON."),
            ViewColumn("number", "DOUBLE", "v.number", "The value where it is a number."),
            ViewColumn("text", "VARCHAR", "v.text", "Any other value as text, strings unquoted."),
            RUN_NO,
        ],
        f"FROM _data.run_{source} v JOIN _data.runs r ON r.run_no = v.run_no {OF_RUNS} "
        "JOIN _data.keys k ON k.key_no = v.key_no",
    )


def _metrics() -> View:
    return View(
        "main",
        "metrics",
        "Every value that runs logged, a row a value; runs deleted upstream are left out.",
        [
            ENTITY,
            PROJECT,
            RUN_ID,
            ViewColumn("step", "BIGINT", "h.step", "The step it was logged at."),
            ViewColumn("timestamp", "TIMESTAMP", time_of(TIMESTAMP), "When (UTC)."),
            ViewColumn("runtime", "DOUBLE", RUNTIME, "Seconds since the run began."),
            KEY,
            ViewColumn("value", "DOUBLE", "h.value", "The number, NaN and infinities included."),
            ViewColumn("text", "VARCHAR", UNQUOTED.format("h.json"), "What is no number, as text."),
            ViewColumn(
                "json", "VARCHAR", "h.json", "Lossless JSON of what a DOUBLE does not say exactly."
            ),
            RUN_NO,
        ],
        f"FROM _data.history h JOIN _data.runs r ON r.run_no = h.run_no {OF_RUNS} "
        f"JOIN _data.keys k ON k.key_no = h.key_no {JOINED_TIMES} {LIVE}",
    )


def _system_metrics() -> View:
    return View(
        "main",
        "system_metrics",
        "What runs' machines measured of themselves, a row a value; runs deleted upstream are left "
        "out.",
        [
            ENTITY,
            PROJECT,
            RUN_ID,
            ViewColumn("timestamp", "TIMESTAMP", time_of("h.timestamp"), "When (UTC)."),
            ViewColumn("runtime", "DOUBLE", "h.runtime", "Seconds since the run began."),
            KEY,
            ViewColumn("value", "DOUBLE", "h.value", "The number measured."),
            ViewColumn(
                "sampled_from",
                "BIGINT",
                "c.line_count",
                "Samples upstream counts of the run; it may have thinned them out to fewer here.",
            ),
            RUN_NO,
        ],
        f"FROM _data.samples h JOIN _data.runs r ON r.run_no = h.run_no {OF_RUNS} "
        "JOIN _data.keys k ON k.key_no = h.key_no "
        f"JOIN _data.sample_counts c ON c.run_no = h.run_no {LIVE}",
    )


def _metric_stats() -> View:
    columns = [
        ("count", "BIGINT", "Numeric values."),
        ("nan_count", "BIGINT", "Those of them that are not finite."),
        ("first", "DOUBLE", "The numeric value at the smallest step."),
        ("last", "DOUBLE", "The numeric value at the largest step."),
        ("min", "DOUBLE", "The least finite value."),
        ("min_step", "BIGINT", "The step of the least finite value."),
        ("max", "DOUBLE", "The greatest finite value."),
        ("max_step", "BIGINT", "The step of the greatest finite value."),
        ("mean", "DOUBLE", "The mean of the finite values."),
    ]
    return View(
        "main",
        "metric_stats",
        "A row a metric of a run; runs deleted upstream are left out.",
        [
            ENTITY,
            PROJECT,
            RUN_ID,
            KEY,
            *(ViewColumn(name, kind, f'm."{name}"', about) for name, kind, about in columns),
            RUN_NO,
        ],
        f"FROM _data.metric_stats m JOIN _data.runs r ON r.run_no = m.run_no {OF_RUNS} "
        f"JOIN _data.keys k ON k.key_no = m.key_no {LIVE}",
    )


def _books() -> Iterable[View]:
    log = [
        ("sync_id", "VARCHAR", "The sync's id."),
        ("started_at", "TIMESTAMP", "When it began (UTC)."),
        ("finished_at", "TIMESTAMP", "When it ended (UTC)."),
        ("status", "VARCHAR", "done, skips, interrupted, failed or running."),
        ("requests", "BIGINT", "Requests it made."),
        ("retries", "BIGINT", "Those of them that were tries again."),
        ("throttled", "BIGINT", "How often upstream asked to go slower."),
        ("bytes", "BIGINT", "Bytes received."),
        ("rows", "BIGINT", "Rows and values that changed."),
    ]
    errors = [
        ("kind", "VARCHAR", "The kind of the object."),
        ("key", "VARCHAR", "Its path."),
        ("error", "VARCHAR", "Why it could not be read the last time."),
        ("attempts", "BIGINT", "How often it was tried."),
        ("first_at", "TIMESTAMP", "When it first could not be read (UTC)."),
        ("last_at", "TIMESTAMP", "When it last could not be read (UTC)."),
    ]
    edits = [
        ("path", "VARCHAR", "The object that was edited."),
        ("field", "VARCHAR", "The field."),
        ("key", "VARCHAR", "The tag, or the key of config or summary."),
        ("base", "VARCHAR", "What it was for who edited it, as JSON; NULL where it was not there."),
        ("local", "VARCHAR", "What they made of it, as JSON; NULL where it is to go."),
        ("upstream", "VARCHAR", "In a conflict, what somebody else made of it, as JSON."),
        ("state", "VARCHAR", "pending, sent, done, conflict or refused."),
        ("error", "VARCHAR", "Why it is not upstream, and what to do."),
    ]
    for name, about, columns in (
        ("pending_edits", "What was edited here and is not in this file yet, a row a cell.", edits),
        ("sync_log", "A row a sync, as of the last publication.", log),
        ("sync_errors", "What could not be read; it is tried again by every sync.", errors),
        ("columns", "A row a key of metrics, and a row a column of a wide table.", COLUMNS),
    ):
        listed = [ViewColumn(each, kind, f'b."{each}"', text) for each, kind, text in columns]
        yield View("main", name, about, listed, f"FROM _data.{name} b")


COLUMNS = [
    ("schema_name", "VARCHAR", "The schema of the table."),
    ("table_name", "VARCHAR", "The table, or metrics for a key of it."),
    ("column_name", "VARCHAR", "The column, or the key."),
    ("key", "VARCHAR", "The key's path as a JSON array."),
    ("type", "VARCHAR", "The column's type."),
    ("misfits", "BIGINT", "Values that do not fit the type: NULL in the column, whole elsewhere."),
    ("has_json", "BOOLEAN", "Whether some values are lists, nulls or objects."),
    ("description", "VARCHAR", "What it is."),
    ("source", "VARCHAR", "config, summary or metric."),
]
