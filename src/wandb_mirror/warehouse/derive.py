"""Make anew what readers see, for the runs that changed: names, statistics, wide tables, views."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from wandb_mirror.settings import Settings
from wandb_mirror.warehouse.engine import Database, literal, quote
from wandb_mirror.warehouse.facts import Facts
from wandb_mirror.warehouse.names import name_keys, name_schemas
from wandb_mirror.warehouse.stats import refresh_stats
from wandb_mirror.warehouse.tables import ARROW_TYPES, FIXED
from wandb_mirror.warehouse.times import time_of
from wandb_mirror.warehouse.view_parts import View, ViewColumn
from wandb_mirror.warehouse.views import (
    LIVE,
    OF_RUNS,
    RUN_ID,
    RUN_NO,
    main_views,
    run_columns,
)
from wandb_mirror.warehouse.wide import Wide


class Deriver:
    """Makes what is derived, inside the caller's transaction."""

    def __init__(self, database: Database, facts: Facts, settings: Settings, url: str) -> None:
        self._database = database
        self._facts = facts
        self._settings = settings
        self._url = url

    def refresh(self) -> None:
        """Bring everything derived in step with the rows, and nothing more than needed."""
        name_keys(self._database)
        changed, filled = self._stale_runs("history"), self._stale_runs("filled")
        for project_no in changed | filled:
            run_nos, there = changed.get(project_no, []), filled.get(project_no, [])
            refresh_stats(self._database, sorted([*run_nos, *there]))
            self._wide(project_no).refresh_history(run_nos, there)
        for project_no, run_nos in self._stale_runs("row").items():
            self._wide(project_no).refresh_runs(run_nos)
        self._database.run("DELETE FROM _data.stale")
        name_schemas(self._database)
        views = self._views()
        self._fill_columns(views)
        self._make(views)

    def make_main_views(self) -> None:
        """Make the views that depend on no data, in a file that has none yet."""
        self._make(main_views(self._url))

    def _wide(self, project_no: int) -> Wide:
        names = [column.name for column in run_columns(self._url)]
        return Wide(self._database, self._settings, project_no, names)

    def _stale_runs(self, part: str) -> dict[int, list[int]]:
        """Return the runs that changed, by project."""
        found: dict[int, list[int]] = {}
        for project_no, run_no in self._database.rows(
            "SELECT DISTINCT n.project_no, n.run_no FROM _data.stale s "
            "JOIN _data.run_numbers n USING (run_no) WHERE s.part = ? ORDER BY ALL",
            [part],
        ):
            found.setdefault(project_no, []).append(run_no)
        return found

    def _views(self) -> list[View]:
        """Return every view there should be."""
        views = main_views(self._url)
        there = {
            name
            for (name,) in self._database.rows(
                "SELECT table_name FROM duckdb_tables() WHERE schema_name = '_data' "
                "AND database_name = current_database()"
            )
        }
        for project_no, schema in self._database.rows(
            "SELECT project_no, schema_name FROM _data.schemas ORDER BY schema_name"
        ):
            if f"runs_{project_no}" in there:
                views.append(self._runs_view(project_no, schema))
            if f"history_{project_no}" in there:
                views.append(self._history_view(project_no, schema))
        return views

    def _paths(self, project_no: int) -> dict[int, tuple[str, str]]:
        return {
            key_no: (path, source)
            for key_no, path, source in self._database.rows(
                "SELECT key_no, path, source FROM _data.keys WHERE project_no = ?", [project_no]
            )
        }

    def _wide_columns(self, project_no: int, table_name: str) -> list[ViewColumn]:
        """Return the columns of a wide table that are made from keys."""
        paths = self._paths(project_no)
        columns = []
        for place in self._wide(project_no).places(table_name):
            path, source = paths[place.key_no]
            columns.append(
                ViewColumn(
                    place.column_name,
                    place.type,
                    f"w.k{place.key_no}",
                    f"The {source} {path}.",
                    key=path,
                    source=source,
                    misfits=place.misfits,
                    has_json=place.has_json,
                )
            )
        return columns

    def _runs_view(self, project_no: int, schema: str) -> View:
        return View(
            schema,
            "runs",
            f"Runs of {schema}: their own columns, then config and summary by key.",
            [*run_columns(self._url), *self._wide_columns(project_no, "runs")],
            f"FROM _data.runs r {OF_RUNS} LEFT JOIN _data.cursors c ON c.run_no = r.run_no "
            f"LEFT JOIN _data.runs_{project_no} w ON w.run_no = r.run_no "
            f"WHERE r.project_no = {project_no}",
        )

    def _history_view(self, project_no: int, schema: str) -> View:
        own = [
            RUN_ID,
            ViewColumn("_step", "BIGINT", "w.step", "The step."),
            ViewColumn("_timestamp", "DOUBLE", "w.timestamp", "When, in epoch seconds as logged."),
            ViewColumn("_runtime", "DOUBLE", "w.runtime", "Seconds since the run began."),
            ViewColumn("logged_at", "TIMESTAMP", time_of("w.timestamp"), "When (UTC)."),
        ]
        return View(
            schema,
            "history",
            f"History of {schema}, a row a step, a column a metric.",
            [*own, *self._wide_columns(project_no, "history"), RUN_NO],
            f"FROM _data.history_{project_no} w JOIN _data.runs r ON r.run_no = w.run_no {LIVE}",
        )

    def _fill_columns(self, views: Sequence[View]) -> None:
        """Write down every key of ``metrics`` and every column of a wide table."""
        rows = [
            {
                "schema_name": view.schema,
                "table_name": view.name,
                "column_name": each.name,
                "key": each.key,
                "type": each.type,
                "misfits": each.misfits,
                "has_json": each.has_json,
                "description": each.about,
                "source": each.source,
            }
            for view in views
            if view.schema != "main"
            for each in view.columns
        ]
        self._database.run("DELETE FROM _data.columns")
        types = FIXED["columns"]
        schema = pa.schema([(name, ARROW_TYPES[types[name]]) for name in types])
        self._database.insert("_data.columns", pa.Table.from_pylist(rows, schema))
        self._database.run(
            "INSERT INTO _data.columns SELECT s.schema_name, 'metrics', k.name, k.path, 'DOUBLE', "
            "coalesce(t.others, 0), false, 'A metric that runs logged.', 'metric' "
            "FROM _data.keys k JOIN _data.schemas s USING (project_no) LEFT JOIN "
            "(SELECT key_no, sum(others) AS others FROM _data.metric_stats GROUP BY key_no) t "
            "USING (key_no) WHERE k.source = 'metric'"
        )

    def _make(self, views: Sequence[View]) -> None:
        """Make the views that are new or different, and drop those that should not be there."""
        known = self._facts.find("view ")
        wanted = {f"view {quote(view.schema)}.{quote(view.name)}": view for view in views}
        statements = [
            f"DROP VIEW IF EXISTS {name.removeprefix('view ')}"
            for name in sorted(known.keys() - wanted.keys())
        ]
        made: dict[str, str | None] = dict.fromkeys(known.keys() - wanted.keys())
        for name, view in wanted.items():
            text = view_sql(view)
            if known.get(name) != text:
                statements += [f"CREATE SCHEMA IF NOT EXISTS {quote(view.schema)}", text]
                statements += _comments(view)
                made[name] = text
        self._database.run_all(statements)
        self._facts.save(made)
        schemas = {view.schema for view in views} | {"main", "_data"}
        for (schema,) in self._database.rows(
            "SELECT schema_name FROM duckdb_schemas() WHERE NOT internal "
            "AND database_name = current_database()"
        ):
            if schema not in schemas:
                self._database.run(f"DROP SCHEMA {quote(schema)} CASCADE")


def _comments(view: View) -> list[str]:
    """Return the statements that describe a view and its columns."""
    name = f"{quote(view.schema)}.{quote(view.name)}"
    return [
        f"COMMENT ON VIEW {name} IS {literal(view.about)}",
        *(
            f"COMMENT ON COLUMN {name}.{quote(each.name)} IS {literal(each.about)}"
            for each in view.columns
        ),
    ]


def view_sql(view: View) -> str:
    """Return the statement that makes a view."""
    columns = ", ".join(
        f"CAST({each.expression} AS {each.type}) AS {quote(each.name)}" for each in view.columns
    )
    name = f"{quote(view.schema)}.{quote(view.name)}"
    return f"CREATE OR REPLACE VIEW {name} AS SELECT {columns} {view.tail}"
