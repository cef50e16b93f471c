"""Mirrors of a sandbox, and what their published files hold, made comparable."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from wandb_mirror.mirror.mirror import Mirror
from wandb_mirror.query.published import Published
from wandb_mirror.sandbox import Sandbox, World, generate_world

TEAM = "team"
OF_ONE_SYNC = {"synced_at", "first_at", "last_at", "attempts", "run_no"}
"""Columns that say when and how often something was done, or number it; not what there is."""
NOTICED = {"deleted_at", "inaccessible_since"}
"""Columns that say when something was noticed: whether counts, when does not."""
BOOKS = {"sync_log"}


def make_world(**changes: Any) -> World:
    """Return two projects of three runs of thirty steps, unless told otherwise."""
    return generate_world(
        **{
            "projects": 2,
            "runs": 3,
            "steps": 30,
            "metrics": 3,
            "config_keys": 4,
            "entity": TEAM,
            **changes,
        }
    )


def open_mirror(folder: Path, box: Sandbox, **options: Any) -> Mirror:
    """Return the mirror in ``folder``, of a sandbox and of nothing else on this machine."""
    overrides = {"runs.max_columns": 40, **options.pop("overrides", {})}
    environ = {"WANDB_BASE_URL": box.base_url, "HOME": str(folder.parent / "no-home")}
    key = options.pop("api_key", box.api_key)
    return Mirror.open(folder, environ=environ | {"WANDB_API_KEY": key}, overrides=overrides)


def first_runs(world: World, project: int = 0) -> list[str]:
    """Return the paths of the runs of a project, the oldest first."""
    found = world.projects[project]
    return [f"{TEAM}/{found.name}/{run_id}" for run_id in found.runs]


def own_id(path: str) -> str:
    """Return the last part of a path."""
    return path.rsplit("/", 1)[1]


def rows(mirror: Mirror, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
    """Return the rows of a query on the published file."""
    with mirror.read() as published:
        return published.rows(sql, parameters)


def quoted(name: str) -> str:
    """Return an identifier."""
    return '"' + name.replace('"', '""') + '"'


def snapshot(path: Path) -> dict[str, list[str]]:
    """Return every published view by name: its columns, then its rows, in an order of ours."""
    with Published.open(path) as published:
        found = published.rows(
            "SELECT schema_name, table_name, list(column_name ORDER BY column_name) "
            "FROM duckdb_columns() WHERE database_name = 'mirror' AND schema_name <> '_data' "
            "AND NOT internal GROUP BY ALL"
        )
        tables = {}
        for schema, table, columns in found:
            if table in BOOKS:
                continue
            kept = [column for column in columns if column not in OF_ONE_SYNC]
            listed = ", ".join(
                f"{column} IS NULL" if column in NOTICED else quoted(column) for column in kept
            )
            got = published.rows(f"SELECT {listed} FROM {quoted(schema)}.{quoted(table)}")
            tables[f"{schema}.{table}"] = [repr(kept), *sorted(map(repr, got))]
        return tables


def differences(one: dict[str, list[str]], other: dict[str, list[str]]) -> dict[str, Any]:
    """Return, by table, what only one of two snapshots has; empty where they are equal."""
    return {
        name: (
            sorted(set(one.get(name, ["no table"])) - set(other.get(name, ["no table"])))[:3],
            sorted(set(other.get(name, ["no table"])) - set(one.get(name, ["no table"])))[:3],
        )
        for name in {*one, *other}
        if one.get(name) != other.get(name)
    }


def assert_equal(one: Path, other: Path) -> None:
    """Compare two published files and show where they differ."""
    found, wanted = snapshot(one), snapshot(other)
    assert len(wanted) > 10
    unlike = differences(found, wanted)
    assert not unlike, unlike


def assert_consistent(published: Published) -> None:
    """Check that the history that each run claims is the history that is there."""
    odd = published.rows(
        "SELECT run_id, history_rows, counted FROM runs LEFT JOIN (SELECT entity, project, run_id, "
        "count(DISTINCT step) AS counted FROM metrics GROUP BY ALL) USING (entity, project, run_id)"
        " WHERE history_rows <> coalesce(counted, 0) AND deleted_at IS NULL"
    )
    assert odd == []


def fingerprints(folder: Path) -> dict[str, tuple[int, str]]:
    """Return the DuckDB files of a mirror by name: when they were written, and their bytes."""
    return {
        path.name: (path.stat().st_mtime_ns, hashlib.sha256(path.read_bytes()).hexdigest())
        for path in sorted(folder.glob("*.duckdb*"))
    }


@contextmanager
def written_by_nobody(folder: Path) -> Iterator[None]:
    """Check that the DuckDB files of a mirror are as they were, to the byte and the second."""
    before = fingerprints(folder)
    yield
    assert fingerprints(folder) == before
