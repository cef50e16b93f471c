"""Ask the published file for runs: a filter, an order, a page."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

from wandb_mirror.errors import BadSettings, NotMirrored
from wandb_mirror.jsontext import loads
from wandb_mirror.query.compile import Catalog, Compiler, Key, quote
from wandb_mirror.query.fields import OWN, PLACES, Source
from wandb_mirror.query.filters import parse_filter
from wandb_mirror.query.order import compile_order
from wandb_mirror.query.published import Published

if TYPE_CHECKING:
    import pyarrow as pa

    from wandb_mirror.query.answer import Answer

STORED = {field.column for field in OWN.values()} - {"duration_s", *PLACES}
"""Columns of a run that its table has as they are; others are made by the view."""
EMPTY = Catalog({}, {})
SHOWN = ("run_id", "name", "state", "username", "run_group", "tags", "created_at", "duration_s")
"""The columns of a list of runs where none are named."""


class RunsOptions(TypedDict, total=False):
    """What ``ask_runs`` takes beside the project."""

    filters: Mapping[str, Any] | None
    order: str | None
    columns: Sequence[str] | None
    limit: int | None
    offset: int
    include_deleted: bool


@dataclass(frozen=True, slots=True)
class RunsQuestion:
    """A question that can be shown as SQL, counted, and answered page by page."""

    published: Published
    project_no: int
    schema: str
    catalog: Catalog
    condition: str
    order: str
    parameters: tuple[Any, ...]
    columns: tuple[str, ...]
    limit: int | None = None
    offset: int = 0

    @property
    def source(self) -> str:
        """Return what the runs are selected from: the view, with what it lacks of the table."""
        view = f"{quote(self.schema)}.runs"
        lacking = (self._asked_names() & STORED).difference(_known(self.published, self.schema))
        if not lacking or self.schema == "main":
            return view
        listed = ", ".join(f"o.{quote(name)}" for name in sorted(lacking))
        return f"(SELECT v.*, {listed} FROM {view} v JOIN _data.runs o ON o.run_no = v.run_no)"

    def _asked_names(self) -> set[str]:
        """Return the columns that the filter and the order speak of."""
        asked = re.findall(r'r\."((?:[^"]|"")+)"', f"{self.condition} {self.order}")
        return {name.replace('""', '"') for name in asked}

    @property
    def sql(self) -> str:
        """Return the SQL; its parameters stand in ``parameters``."""
        listed = ", ".join(f"r.{quote(name)}" for name in self.columns)
        sql = f"SELECT {listed} FROM {self.source} r WHERE {self.condition} ORDER BY {self.order}"
        if self.limit is not None:
            sql += f" LIMIT {int(self.limit)}"
        return f"{sql} OFFSET {int(self.offset)}" if self.offset else sql

    def explain(self) -> str:
        """Return the SQL and its parameters, for people."""
        values = "".join(
            f"\n-- ?{place}: {value!r}" for place, value in enumerate(self.parameters, 1)
        )
        return f"{self.sql};{values}"

    def ask(self) -> Answer:
        """Return the answer."""
        return self.published.ask(self.sql, self.parameters)

    def stream(self) -> pa.RecordBatchReader:
        """Return the answer as Arrow batches."""
        return self.published.stream(self.sql, self.parameters)

    def numbers(self, limit: int | None = None) -> list[int]:
        """Return the runs' numbers in this file in order, whatever the columns; for joins."""
        sql = (
            f"SELECT r.run_no FROM {self._lean_source()} r WHERE {self.condition} "
            f"ORDER BY {self.order}"
        )
        if limit is not None:
            sql += f" LIMIT {int(limit)}"
        return [int(number) for (number,) in self.published.rows(sql, self.parameters)]

    def _lean_source(self) -> str:
        """Return the tables behind the view where they have all that is asked: one join, not three.

        The wide table of a project is ``runs_<project_no>``, with a column ``k<key_no>`` a key.
        """
        names = self._asked_names()
        places = {
            key.column: key.key_no
            for keys in self.catalog.keys.values()
            for key in keys
            if key.column in names
        }
        if names - places.keys() - STORED:
            return self.source
        if not places:
            return f"(FROM _data.runs WHERE project_no = {self.project_no})"
        listed = "".join(f", w.k{number} AS {quote(str(name))}" for name, number in places.items())
        return (
            f"(SELECT o.*{listed} FROM _data.runs o LEFT JOIN _data.runs_{self.project_no} w "
            f"ON w.run_no = o.run_no WHERE o.project_no = {self.project_no})"
        )

    def count(self) -> int:
        """Return how many runs pass the filter, whatever the page."""
        sql = f"SELECT count(*) FROM {self._lean_source()} r WHERE {self.condition}"
        return int(self.published.rows(sql, self.parameters)[0][0])


def ask_runs(
    published: Published, entity: str, project: str, **options: Unpack[RunsOptions]
) -> RunsQuestion:
    """Return the question for a project's runs.

    Raises ``BadFilter`` for a filter or an order that cannot be read, ``NotMirrored`` for a project
    that is not here, ``BadSettings`` for a column that there is not.
    """
    tree = parse_filter(options.get("filters"))
    project_no, schema = published.keep(
        ("project", entity, project), lambda: _find_project(published, entity, project)
    )
    if schema is None:
        return _ask_nothing(published, project_no, f"{entity}/{project}", **options)
    catalog = published.keep(
        ("catalog", project_no),
        lambda: load_catalog(published, project_no, schema, (entity, project)),
    )
    compiler = Compiler(catalog)
    condition = compiler.condition(tree)
    if not options.get("include_deleted", False):
        condition = f"r.deleted_at IS NULL AND ({condition})"
    return RunsQuestion(
        published,
        project_no,
        schema,
        catalog,
        condition,
        compile_order(options.get("order"), catalog),
        tuple(compiler.parameters),
        _choose_columns(published, schema, options.get("columns")),
        options.get("limit"),
        options.get("offset", 0),
    )


def _ask_nothing(
    published: Published, project_no: int, path: str, **options: Unpack[RunsOptions]
) -> RunsQuestion:
    """Return the question for a project without runs; raises ``NotMirrored`` where it has some."""
    [(run_count,)] = published.rows(
        "SELECT run_count FROM _data.projects WHERE project_no = ?", [project_no]
    )
    if run_count != 0:
        raise NotMirrored(
            f"project {path} is mirrored, but its runs are not yet; "
            f"fetch them with 'wandb-mirror sync {path}'"
        )
    known = {name for name, *_ in published.rows("DESCRIBE main.runs")}
    columns = tuple(name for name in options.get("columns") or SHOWN if name in known)
    order = compile_order(options.get("order"), EMPTY)
    return RunsQuestion(published, project_no, "main", EMPTY, "false", order, (), columns)


def _find_project(published: Published, entity: str, project: str) -> tuple[int, str | None]:
    """Return a project's number and its schema, where it has one."""
    found = published.rows(
        "SELECT p.project_no, max(c.schema_name) FROM _data.projects p "
        "LEFT JOIN _data.schemas s ON s.project_no = p.project_no "
        "LEFT JOIN _data.columns c ON c.schema_name = s.schema_name AND c.table_name = 'runs' "
        "WHERE p.entity = ? AND p.project = ? GROUP BY ALL "
        "ORDER BY max(p.inaccessible_since) NULLS FIRST",
        [entity, project],
    )
    if not found:
        names = [
            f"{each}/{name}"
            for each, name in published.rows("SELECT entity, project FROM projects")
        ]
        near = get_close_matches(f"{entity}/{project}", names, n=1)
        hint = f"did you mean {near[0]}?" if near else f"it holds {', '.join(names) or 'none'}"
        raise NotMirrored(
            f"project {entity}/{project} is not in this mirror; {hint} "
            f"'wandb-mirror sync {entity}/{project}' fetches it"
        )
    return int(found[0][0]), found[0][1]


def load_catalog(
    published: Published, project_no: int, schema: str, place: tuple[str, str]
) -> Catalog:
    """Return what keys a project's runs have."""
    columns = {
        (source, path): (name, kind, not misfits and not has_json)
        for source, path, name, kind, misfits, has_json in published.rows(
            "SELECT source, key, column_name, type, misfits, has_json FROM _data.columns "
            "WHERE schema_name = ? AND table_name = 'runs' AND key IS NOT NULL",
            [schema],
        )
    }
    keys: dict[tuple[Source, str], list[Key]] = {}
    prefixes: dict[tuple[Source, str], list[int]] = {}
    for key_no, source, path in published.rows(
        "SELECT key_no, source, path FROM _data.keys WHERE project_no = ?", [project_no]
    ):
        parts = loads(path)
        name, kind, is_trusted = columns.get((source, path), (None, None, False))
        key = Key(key_no, len(parts), name if is_trusted else None, kind)
        shown = ".".join(parts)
        keys.setdefault((source, shown), []).append(key)
        pieces = shown.split(".")
        for length in range(1, len(pieces)):
            prefixes.setdefault((source, ".".join(pieces[:length])), []).append(key_no)
    return Catalog(keys, prefixes, place, project_no)


def _known(published: Published, schema: str) -> list[str]:
    """Return the columns of a project's runs."""
    return published.keep(
        ("columns of runs", schema),
        lambda: [
            name
            for (name,) in published.rows(
                "SELECT column_name FROM _data.columns "
                "WHERE schema_name = ? AND table_name = 'runs'",
                [schema],
            )
        ],
    )


def _choose_columns(
    published: Published, schema: str, wanted: Sequence[str] | None
) -> tuple[str, ...]:
    """Return the columns to show; raises ``BadSettings`` for one that there is not."""
    if wanted is None:
        return SHOWN
    known = _known(published, schema)
    folded = {name.lower(): name for name in known}
    chosen = []
    for name in wanted:
        if name in known or name.lower() in folded:
            chosen.append(name if name in known else folded[name.lower()])
            continue
        near = get_close_matches(name, known, n=1)
        raise BadSettings(
            f"no column {name}"
            + (f"; did you mean {near[0]}?" if near else "")
            + f" 'wandb-mirror sql' shows all: DESCRIBE {quote(schema)}.runs"
        )
    return tuple(chosen)
