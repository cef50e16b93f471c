"""The integers that stand for projects, runs and keys, assigned here and never reused."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

import pyarrow as pa

from wandb_mirror.warehouse.engine import Database


class Numbers:
    """Looks numbers up and assigns new ones, inside the caller's transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._projects: dict[str, int] = {}
        self._keys: dict[tuple[int, str], dict[str, int]] = {}

    def forget_cached(self) -> None:
        """Drop what was assigned in a transaction that was rolled back."""
        self._projects.clear()
        self._keys.clear()

    def project(self, project_id: str) -> int:
        """Return a project's number."""
        if project_id in self._projects:
            return self._projects[project_id]
        database = self._database
        number = database.value(
            "SELECT project_no FROM _data.project_numbers WHERE project_id = ?", [project_id]
        )
        if number is None:
            number = self._next("project_numbers", "project_no")
            database.run("INSERT INTO _data.project_numbers VALUES (?, ?)", [number, project_id])
        self._projects[project_id] = number
        return int(number)

    def runs_of(self, named: Iterable[tuple[str, str]]) -> dict[tuple[str, str], int]:
        """Return the numbers of runs by project and run, looked up together."""
        by_project: dict[str, list[str]] = {}
        for project_id, run_id in named:
            by_project.setdefault(project_id, []).append(run_id)
        return {
            (project_id, run_id): number
            for project_id, run_ids in by_project.items()
            for run_id, number in self.runs(self.project(project_id), run_ids).items()
        }

    def runs(self, project_no: int, run_ids: Collection[str]) -> dict[str, int]:
        """Return the numbers of a project's runs."""
        wanted = list(dict.fromkeys(run_ids))
        found = dict(
            self._database.rows(
                "SELECT run_id, run_no FROM _data.run_numbers JOIN "
                "(SELECT unnest($1::VARCHAR[]) AS run_id) USING (run_id) WHERE project_no = $2",
                [wanted, project_no],
            )
        )
        new = [run_id for run_id in wanted if run_id not in found]
        if new:
            first = self._next("run_numbers", "run_no")
            assigned = {run_id: first + place for place, run_id in enumerate(new)}
            self._database.run(
                "INSERT INTO _data.run_numbers (run_no, project_no, run_id) "
                "SELECT unnest($1::INTEGER[]), $2, unnest($3::VARCHAR[])",
                [list(assigned.values()), project_no, new],
            )
            found.update(assigned)
        return found

    def keys(self, project_no: int, source: str, paths: Iterable[str]) -> dict[str, int]:
        """Return the numbers of keys, by path as a JSON array; may hold more than was asked for."""
        known = self._keys.get((project_no, source))
        if known is None:
            known = dict(
                self._database.rows(
                    "SELECT path, key_no FROM _data.keys WHERE project_no = ? AND source = ?",
                    [project_no, source],
                )
            )
            self._keys[(project_no, source)] = known
        new = [path for path in dict.fromkeys(paths) if path not in known]
        if new:
            self._add_keys(project_no, source, new, known)
        return known

    def _add_keys(
        self, project_no: int, source: str, new: Sequence[str], known: dict[str, int]
    ) -> None:
        first = self._next("keys", "key_no")
        assigned = {path: first + place for place, path in enumerate(new)}
        rows = {
            "key_no": pa.array(list(assigned.values()), pa.int32()),
            "project_no": pa.array([project_no] * len(new), pa.int32()),
            "source": pa.array([source] * len(new), pa.string()),
            "path": pa.array(list(assigned), pa.string()),
        }
        self._database.insert("_data.keys", pa.table(rows))
        known.update(assigned)

    def _next(self, table: str, column: str) -> int:
        highest = self._database.value(f"SELECT max({column}) FROM _data.{table}")
        return 1 if highest is None else int(highest) + 1
