"""Which generation of the published file an answer comes from.

A listing keeps the generation that it began with for as long as it lives; whatever begins later
sees the newest. A file that was replaced stays readable for those who have it open.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa

from wandb_mirror.api.contents import Shelf
from wandb_mirror.desk.desk import Desk
from wandb_mirror.errors import NotMirrored
from wandb_mirror.query.published import Published

Row = dict[str, Any]


class Generation:
    """One generation of the published file, for as long as something of it is held."""

    def __init__(self, published: Published, *, include_deleted: bool) -> None:
        self.published = published
        self.include_deleted = include_deleted

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[Row]:
        """Return the rows of a query of ours as dicts, times as upstream writes them."""
        return _as_rows(self.published.table(sql, parameters))

    def about(self, numbers: Sequence[int], sql: str) -> list[Row]:
        """Return the rows of a query of ours that names ``chosen``; see ``Published.join``."""
        return _as_rows(self.published.join(sql, numbers))

    def one(self, sql: str, parameters: Sequence[Any] = ()) -> Row | None:
        """Return the first row of a query of ours, None where there is none."""
        found = self.rows(sql, parameters)
        return found[0] if found else None

    @cached_property
    def views(self) -> frozenset[str]:
        """The views that this file has; one that an older program published lacks some."""
        return frozenset(
            name
            for (name,) in self.published.rows(
                "SELECT table_name FROM information_schema.tables "
                "WHERE table_catalog = 'mirror' AND table_schema = 'main'"
            )
        )

    @cached_property
    def app_url(self) -> str:
        """Where people look at things, ending in a slash; empty where nothing is mirrored yet."""
        found = self.one("SELECT entity, project, url FROM main.projects LIMIT 1")
        if found is None:
            return ""
        return str(found["url"]).removesuffix(f"{found['entity']}/{found['project']}")

    @cached_property
    def user_names(self) -> dict[str, str]:
        """The shown names of the users that are known, by username."""
        return dict(self.published.rows("SELECT username, name FROM main.users"))

    @cached_property
    def user_emails(self) -> dict[str, str | None]:
        """The mail addresses of the users that are known, by username."""
        return dict(self.published.rows("SELECT username, email FROM main.users"))

    def find_project(self, entity: str, project: str) -> Row | None:
        """Return a project's row, the one that is still visible where two had its name."""
        return self.one(
            "SELECT * FROM main.projects WHERE entity = ? AND project = ? "
            "ORDER BY inaccessible_since IS NOT NULL LIMIT 1",
            [entity, project],
        )

    def need_project(self, entity: str, project: str) -> Row:
        """Return a project's row; raises ``NotMirrored`` where it is not here."""
        row = self.find_project(entity, project)
        if row is None:
            raise NotMirrored(
                f"Project {project} not found: {entity}/{project} is not in this mirror; "
                f"'wandb-mirror sync {entity}/{project}' fetches it"
            )
        return row

    def live(self, view: str, condition: str, parameters: Sequence[Any] = ()) -> list[Row]:
        """Return the rows of a view that upstream still shows, unless others are asked for.

        Raises ``NotMirrored`` where the file lacks the view.
        """
        if view not in self.views:
            raise NotMirrored(
                f"{view.replace('_', ' ')} are not in this mirror: the program that published it "
                "did not know them; 'wandb-mirror sync' fetches them"
            )
        rows = self.rows(f"SELECT * FROM main.{view} WHERE {condition}", parameters)
        if self.include_deleted:
            return rows
        marks = ("deleted_at", "inaccessible_since")
        return [row for row in rows if all(row.get(mark) is None for mark in marks)]


def _as_rows(table: pa.Table) -> list[Row]:
    """Return a table as dicts, times as upstream writes them."""
    times = [field.name for field in table.schema if pa.types.is_timestamp(field.type)]
    rows: list[Row] = table.to_pylist()
    for row in rows:
        for name in times:
            if row[name] is not None:
                row[name] = write_time(row[name])
    return rows


def write_time(time: datetime) -> str:
    """Return a naive UTC time as upstream writes it: ISO 8601 with Z."""
    return f"{time.isoformat()}Z"


@dataclass(slots=True)
class Generations:
    """The published file of one mirror: the generation that is newest now."""

    path: Path
    include_deleted: bool
    desk: Desk
    """Where edits are made, and shown until the published file has them."""
    shelf: Shelf
    """Where the bytes of files are."""
    makers: Mapping[str, Callable[..., Any]] = field(default_factory=dict, repr=False)
    """What makes an object of each sort: runs lead to artifacts and artifacts to runs, and their
    modules cannot import each other."""
    _current: Generation | None = field(default=None, init=False, repr=False)
    _edits_version: int = field(default=0, init=False, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)

    def make(self, sort: str, generation: Generation, *arguments: Any) -> Any:
        """Return an object of a sort in a generation; see ``makers``."""
        return self.makers[sort](self, generation, *arguments)

    def current(self) -> Generation:
        """Return the newest generation, edits and all; raises ``NotMirrored``, ``CorruptFile``."""
        with self._lock:
            version = self.desk.look().version
            if (
                self._current is None
                or version != self._edits_version
                or not self._current.published.is_newest
            ):
                published = Published.open(self.path)
                self.desk.lay(published)
                self._edits_version = version
                self._current = Generation(published, include_deleted=self.include_deleted)
            return self._current
