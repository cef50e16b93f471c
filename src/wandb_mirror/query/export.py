"""A project as files: a folder a table, partitioned by entity and project as Hive does.

``DIR/metrics/entity=team/project=vision/data.parquet``: every tool that knows Hive's layout reads
the tables of many projects as one, with ``entity`` and ``project`` as columns.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote as quote_part

from wandb_mirror.errors import NotMirrored
from wandb_mirror.query.compile import quote
from wandb_mirror.query.published import Published

OPTIONS = {
    "parquet": "FORMAT parquet, COMPRESSION zstd",
    "csv": "FORMAT csv, HEADER true",
}
"""Format to what DuckDB's COPY is told."""


def export_project(
    published: Published, entity: str, project: str, folder: Path, file_format: str
) -> Iterator[tuple[str, Path]]:
    """Write a project's tables, and yield each with its file.

    Each file is replaced at once: who reads meanwhile sees the old one or the new one. Raises
    ``NotMirrored`` for a project that is not here.
    """
    known = published.rows(
        "SELECT 1 FROM main.projects WHERE entity = ? AND project = ?", [entity, project]
    )
    if not known:
        raise NotMirrored(
            f"project {entity}/{project} is not in this mirror; "
            f"'wandb-mirror sync {entity}/{project}' fetches it"
        )
    place = Path(
        f"entity={quote_part(entity, safe=' ')}", f"project={quote_part(project, safe=' ')}"
    )
    for table, sql in _tables(published, entity, project):
        file = folder / table / place / f"data.{file_format}"
        file.parent.mkdir(parents=True, exist_ok=True)
        fresh = file.with_suffix(".tmp")
        published.copy(sql, fresh, OPTIONS[file_format])
        os.replace(fresh, file)  # noqa: PTH105  (replaces on every system)
        yield table, file


def _tables(published: Published, entity: str, project: str) -> Iterator[tuple[str, str]]:
    """Yield the tables that hold something of a project, and how it is selected.

    Those of the project's own schema stand in for what ``main`` has under the same names.
    """
    wanted = f"entity = {_text(entity)} AND project = {_text(project)}"
    wide = published.rows(
        "SELECT t.table_schema, t.table_name FROM information_schema.tables t "
        "JOIN _data.schemas s ON s.schema_name = t.table_schema "
        "JOIN _data.projects p ON p.project_no = s.project_no WHERE t.table_catalog = 'mirror' "
        "AND p.entity = ? AND p.project = ? AND p.inaccessible_since IS NULL ORDER BY ALL",
        [entity, project],
    )
    for schema, name in wide:
        yield name, f"SELECT * EXCLUDE (run_no) FROM {quote(schema)}.{quote(name)}"
    views = published.rows(
        "SELECT table_name, list(column_name) FROM information_schema.columns "
        "WHERE table_catalog = 'mirror' AND table_schema = 'main' GROUP BY 1 ORDER BY 1"
    )
    for name, columns in views:
        if name in {each for _, each in wide}:
            continue
        if {"entity", "project"} <= set(columns):
            left_out = ", ".join(
                each for each in ("entity", "project", "run_no") if each in columns
            )
            yield name, f"SELECT * EXCLUDE ({left_out}) FROM main.{quote(name)} WHERE {wanted}"
        elif "artifact_id" in columns:
            ids = f"SELECT artifact_id FROM main.artifacts WHERE {wanted}"
            yield name, f"SELECT * FROM main.{quote(name)} WHERE artifact_id IN ({ids})"


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
