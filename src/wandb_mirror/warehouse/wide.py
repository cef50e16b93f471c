"""Wide tables, for people and BI tools: a column a key, made for the runs that changed.

Columns of the tables themselves are called after key numbers; the names that upstream sends occur
in views alone.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from wandb_mirror.settings import Settings
from wandb_mirror.warehouse.engine import Database
from wandb_mirror.warehouse.places import Census, Place, give_places
from wandb_mirror.warehouse.stats import in_parts
from wandb_mirror.warehouse.tables import IN_RUNS
from wandb_mirror.warehouse.turning import from_json, pivot

ROWS_TOGETHER = 5_000
"""Runs whose rows of the table of runs are made by one statement."""
WHOLE = "(regexp_matches(v.value, '^-?[0-9]+$') AND TRY_CAST(v.value AS BIGINT) IS NOT NULL)"
"""The condition that a number of config or summary is an integer that a BIGINT holds."""
HISTORY_TYPES = {"run_no": IN_RUNS, "step": "BIGINT", "timestamp": "DOUBLE", "runtime": "DOUBLE"}
HISTORY_COLUMNS = ", ".join(f"{name} {kind}" for name, kind in HISTORY_TYPES.items())
HISTORY_OWN = ("run_id", "_step", "_timestamp", "_runtime", "logged_at")


class Wide:
    """The wide tables of one project."""

    def __init__(
        self, database: Database, settings: Settings, project_no: int, run_columns: Sequence[str]
    ) -> None:
        self._database = database
        self._settings = settings
        self._project_no = project_no
        self._run_columns = run_columns

    def refresh_runs(self, run_nos: Sequence[int]) -> None:
        """Make the rows of some runs anew, with the columns that config and summary now have."""
        census = self._census_of("config") + self._census_of("summary")
        known = self.places("runs")
        places = self._give("runs", census, known, self._run_columns)
        table = f"_data.runs_{self._project_no}"
        if self._shape("run_no INTEGER", "runs", places, known, run_nos):
            run_nos = [
                number
                for (number,) in self._database.rows(
                    "SELECT run_no FROM _data.runs WHERE project_no = ?", [self._project_no]
                )
            ]
        for start in range(0, len(run_nos), ROWS_TOGETHER):
            part = run_nos[start : start + ROWS_TOGETHER]
            self._fill_runs(table, ", ".join(map(str, part)), places)

    def _fill_runs(self, table: str, listed: str, places: Sequence[Place]) -> None:
        self._database.run(f"DELETE FROM {table} WHERE run_no IN ({listed})")
        numbers = [each for each in places if each.type == "DOUBLE"]
        integers = [each for each in places if each.type == "BIGINT"]
        texts = [each for each in places if each.type in ("VARCHAR", "BOOLEAN")]
        source = (
            "(SELECT run_no, key_no, number, text, value FROM _data.run_{0} "
            f"WHERE run_no IN ({listed}))"
        )
        both = f"({source.format('config')} UNION ALL {source.format('summary')})"
        parts = [f"(SELECT DISTINCT run_no FROM _data.runs WHERE run_no IN ({listed})) r"]
        parts += pivot(both, "number", numbers, "n") + pivot(both, "value", integers, "i")
        parts += pivot(both, "value", texts, "t")
        columns = [f'n."{each.key_no}"' for each in numbers]
        columns += [f'TRY_CAST(i."{each.key_no}" AS BIGINT)' for each in integers]
        columns += [from_json(each) for each in texts]
        names = ", ".join(
            ["run_no", *(f"k{each.key_no}" for each in [*numbers, *integers, *texts])]
        )
        selected = ", ".join(["r.run_no", *columns])
        self._database.run(
            f"INSERT INTO {table} ({names}) SELECT {selected} FROM {' '.join(parts)}"
        )

    def fill_early(self, source: str, columns: Mapping[int, str], run_nos: Collection[int]) -> bool:
        """Fill in the whole history of some runs from rows that lie as the table has them.

        False where a metric has no column of numbers and may not get one before places are given:
        then ``refresh_history`` has to know of the runs.
        """
        table = f"_data.history_{self._project_no}"
        there = self._there("history")
        missing = [key_no for key_no in columns if f"k{key_no}" not in there]
        taken = len(there.keys() - HISTORY_TYPES.keys())
        if taken + len(missing) > self._settings.history.max_columns or any(
            there.get(f"k{key_no}", "DOUBLE") != "DOUBLE" for key_no in columns
        ):
            return False
        if there:
            for key_no in missing:
                self._database.run(f"ALTER TABLE {table} ADD COLUMN k{key_no} DOUBLE")
            listed = ", ".join(map(str, run_nos))
            self._database.run(f"DELETE FROM {table} WHERE run_no IN ({listed})")
        else:
            listed = ", ".join([HISTORY_COLUMNS, *(f"k{key_no} DOUBLE" for key_no in columns)])
            self._database.run(f"CREATE TABLE {table} ({listed})")
        names = ", ".join([*HISTORY_TYPES, *(f"k{key_no}" for key_no in columns)])
        selected = ", ".join([*HISTORY_TYPES, *columns.values()])
        self._database.run(f"INSERT INTO {table} ({names}) SELECT {selected} FROM {source}")
        return True

    def refresh_history(self, run_nos: Sequence[int], filled: Sequence[int] = ()) -> None:
        """Make the rows of some runs' history anew, with the columns that metrics now have.

        The rows of those ``filled`` early are there already.
        """
        census = self._census_of_metrics()
        known = self.places("history")
        places = self._give("history", census, known, HISTORY_OWN)
        table = f"_data.history_{self._project_no}"
        if self._shape(HISTORY_COLUMNS, "history", places, known, [*run_nos, *filled]):
            run_nos = [
                number
                for (number,) in self._database.rows(
                    "SELECT c.run_no FROM _data.cursors c JOIN _data.run_numbers n USING (run_no) "
                    "WHERE n.project_no = ? ORDER BY c.run_no",
                    [self._project_no],
                )
            ]
        for part in in_parts(self._database, run_nos):
            self._fill_history(table, ", ".join(map(str, part)), places)
            self._database.trim()

    def _fill_history(self, table: str, listed: str, places: Sequence[Place]) -> None:
        self._database.run(f"DELETE FROM {table} WHERE run_no IN ({listed})")
        numbers = [each for each in places if each.type == "DOUBLE"]
        texts = [each for each in places if each.type != "DOUBLE"]
        of_runs = f"WHERE run_no IN ({listed}))"
        source = f"(SELECT run_no, step, key_no, value, json FROM _data.history {of_runs}"
        parts = [f"(SELECT run_no, step, timestamp, runtime FROM _data.steps {of_runs} r"]
        on = "run_no, step"
        parts += pivot(source, "value", numbers, "n", on) + pivot(source, "json", texts, "t", on)
        columns = [f'n."{each.key_no}"' for each in numbers]
        columns += [from_json(each) for each in texts]
        names = ", ".join(
            [
                "run_no, step, timestamp, runtime",
                *(f"k{each.key_no}" for each in [*numbers, *texts]),
            ]
        )
        selected = ", ".join(["r.run_no, r.step, r.timestamp, r.runtime", *columns])
        self._database.run(
            f"INSERT INTO {table} ({names}) SELECT {selected} FROM {' '.join(parts)} "
            "ORDER BY r.run_no, r.step"
        )

    def places(self, table_name: str) -> list[Place]:
        """Return the places given in a wide table, in the order of their names."""
        return [
            Place(*row)
            for row in self._database.rows(
                "SELECT key_no, column_name, type, misfits, has_json FROM _data.places "
                "WHERE project_no = ? AND table_name = ? ORDER BY column_name",
                [self._project_no, table_name],
            )
        ]

    def _give(
        self,
        table_name: str,
        census: Sequence[Census],
        known: Sequence[Place],
        own_columns: Sequence[str],
    ) -> list[Place]:
        """Give places and write down which."""
        section = self._settings.runs if table_name == "runs" else self._settings.history
        places = give_places(
            census,
            known,
            limit=section.max_columns,
            pins=section.pins,
            own_columns=own_columns,
        )
        self._database.run(
            "DELETE FROM _data.places WHERE project_no = ? AND table_name = ?",
            [self._project_no, table_name],
        )
        if places:
            self._database.run(
                "INSERT INTO _data.places SELECT ?, ?, unnest(?), unnest(?), unnest(?), unnest(?), "
                "unnest(?)",
                [
                    self._project_no,
                    table_name,
                    [each.key_no for each in places],
                    [each.column_name for each in places],
                    [each.type for each in places],
                    [each.misfits for each in places],
                    [each.has_json for each in places],
                ],
            )
        return places

    def _there(self, name: str) -> dict[str, str]:
        """Return the columns that a wide table has, and their types."""
        return dict(
            self._database.rows(
                "SELECT column_name, data_type FROM duckdb_columns() WHERE schema_name = '_data' "
                "AND database_name = current_database() AND table_name = ?",
                [f"{name}_{self._project_no}"],
            )
        )

    def _shape(
        self,
        own: str,
        name: str,
        places: Sequence[Place],
        known: Sequence[Place],
        run_nos: Sequence[int],
    ) -> bool:
        """Bring a wide table to its columns; True where all runs must be filled in again.

        A type that moved up concerns every run; a new place only the runs that have its key,
        which mostly are ``run_nos``, the ones that changed.
        """
        table = f"_data.{name}_{self._project_no}"
        there = self._there(name)
        if not there:
            columns = ", ".join([own, *(f"k{each.key_no} {each.type}" for each in places)])
            self._database.run(f"CREATE TABLE {table} ({columns})")
            return True
        is_moved = False
        for each in places:
            old = there.get(f"k{each.key_no}")
            if old == each.type:
                continue
            if old is not None:
                self._database.run(f"ALTER TABLE {table} DROP COLUMN k{each.key_no}")
                is_moved = True
            self._database.run(f"ALTER TABLE {table} ADD COLUMN k{each.key_no} {each.type}")
        for column in there.keys() - {f"k{each.key_no}" for each in places}:
            if column[0] == "k":  # filled early, and then the place was another's
                self._database.run(f"ALTER TABLE {table} DROP COLUMN {column}")
        new = {each.key_no for each in places} - {each.key_no for each in known}
        return is_moved or self._others_have(name, sorted(new), run_nos)

    def _others_have(self, name: str, key_nos: Sequence[int], run_nos: Sequence[int]) -> bool:
        """Tell whether runs that did not change have one of the keys."""
        if not key_nos:
            return False
        keys, runs = ", ".join(map(str, key_nos)), ", ".join(map(str, run_nos)) or "-1"
        tables = ("run_config", "run_summary") if name == "runs" else ("metric_stats",)
        return any(
            self._database.value(
                f"SELECT 1 FROM _data.{table} WHERE key_no IN ({keys}) "
                f"AND run_no NOT IN ({runs}) LIMIT 1"
            )
            for table in tables
        )

    def _census_of(self, source: str) -> list[Census]:
        """Count what the values of config or summary keys are."""
        return [
            Census(key_no, f"{source}.{name}", *counts)
            for key_no, name, *counts in self._database.rows(
                f"""
                SELECT k.key_no, k.name, count(*),
                  count(*) FILTER (WHERE v.number IS NULL AND v.value IN ('true', 'false')),
                  count(*) FILTER (WHERE v.number IS NULL AND v.value[1] = '"'),
                  count(*) FILTER (WHERE v.number IS NOT NULL AND {WHOLE}),
                  count(*) FILTER (WHERE v.number IS NOT NULL AND NOT {WHOLE}),
                  count(*) FILTER (WHERE v.number IS NULL AND v.value[1] IN ('[', '{{')),
                  count(*) FILTER (WHERE v.value = 'null')
                FROM _data.run_{source} v JOIN _data.keys k USING (key_no)
                WHERE k.project_no = ? GROUP BY ALL
                """,
                [self._project_no],
            )
        ]

    def _census_of_metrics(self) -> list[Census]:
        """Count what the values of metrics are, from their statistics."""
        return [
            Census(*row)
            for row in self._database.rows(
                """
                SELECT k.key_no, k.name, count(*), sum(s.booleans), sum(s.texts), 0, sum(s.count),
                  sum(s.others) - sum(s.texts) - sum(s.booleans)
                FROM _data.metric_stats s JOIN _data.keys k USING (key_no)
                WHERE k.project_no = ? GROUP BY ALL
                """,
                [self._project_no],
            )
        ]
