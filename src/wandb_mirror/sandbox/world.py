"""Everything a sandbox holds, and how it changes.

Every change takes the world's lock, moves its clock by a tick and its version by one; replies are
cached by version.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

from wandb_mirror.sandbox.arrangements import Arrangements
from wandb_mirror.sandbox.exports import ExportFiles
from wandb_mirror.sandbox.history import LoggedHistory
from wandb_mirror.sandbox.objects import Entity, Project, Run, User, wrap_config
from wandb_mirror.sandbox.shelf import Shelf
from wandb_mirror.sandbox.streams import take_stream
from wandb_mirror.sandbox.tickets import Tickets

EDITABLE = frozenset(
    {
        "display_name", "state", "heartbeat_at", "config", "summary", "system_metrics", "tags",
        "notes", "description", "group", "job_type", "commit", "host", "sweep_name", "user",
        "events", "console", "created_at",
    }
)  # fmt: skip

ID_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
ID_LENGTH = 8
SCATTER = 1_234_567_890_121
"""Shares no factor with the number of ids, so that none comes twice."""


class World:
    """Users, entities and projects; ``lock`` is held by whoever reads or changes them."""

    def __init__(self, *, seed: int = 0, now: datetime | None = None) -> None:
        self.seed = seed
        self.now = now or datetime(2024, 6, 1, 12, tzinfo=UTC)
        self.tick = timedelta(seconds=1)
        self.edits_move_updated_at = True
        self.version = 0
        self.lock = threading.RLock()
        self.api_key = sha256(f"sandbox {seed}".encode()).hexdigest()[:40]
        self.users: list[User] = []
        self.entities: dict[str, Entity] = {}
        self.projects: list[Project] = []
        self.exports = ExportFiles()
        self.tickets = Tickets(seed)
        self.shelf = Shelf(self._change)
        self.arrangements = Arrangements(self._change)
        self._run_count = 0

    @property
    def viewer(self) -> User:
        """The user whose key opens the sandbox."""
        return self.users[0]

    def project(self, entity: str, name: str) -> Project:
        """Return a project; raises ``KeyError``."""
        found = self.find_project(entity, name)
        if found is None:
            raise KeyError(f"{entity}/{name}")
        return found

    def find_project(self, entity: str | None, name: str | None) -> Project | None:
        """Return a project that is visible, or None."""
        for project in self.projects:
            if project.name == name and project.entity == entity and not project.is_hidden:
                return project
        return None

    def run(self, path: str) -> Run:
        """Return the run of ``entity/project/run_id``, deleted or not; raises ``KeyError``."""
        entity, project, run_id = path.split("/", 2)
        return self.project(entity, project).runs[run_id]

    def add_user(self, username: str, *, name: str, teams: Sequence[str] = ()) -> User:
        """Add a user with a personal entity, as a member of ``teams``."""
        with self._change():
            user = User(len(self.users) + 1, username, name, f"{username}@example.com", username)
            self.users.append(user)
            self._entity(username, is_team=False).members.append(user)
            for team in teams:
                self._entity(team, is_team=True).members.append(user)
        return user

    def add_entity(self, name: str) -> Entity:
        """Add an entity that owns projects, or return it."""
        with self._change():
            return self._entity(name, is_team=True)

    def _entity(self, name: str, *, is_team: bool) -> Entity:
        if name not in self.entities:
            self.entities[name] = Entity(len(self.entities) + 1, name, is_team)
        return self.entities[name]

    def create_project(self, entity: str, name: str, **values: Any) -> Project:
        """Add a project; ``values`` are its other fields."""
        with self._change() as now:
            self._entity(entity, is_team=True)
            created_at = values.pop("created_at", now)
            project = Project(
                len(self.projects) + 1,
                entity,
                name,
                created_at,
                created_at,
                values.pop("owner", self.viewer),
                **values,
            )
            self.projects.append(project)
        return project

    def rename_project(self, project: Project, name: str) -> None:
        """Give a project another name; its internal id stays, its runs' storage ids change."""
        with self._change() as now:
            project.name = name
            project.updated_at = now

    def edit_project(self, project: Project, **values: Any) -> None:
        """Change description or access of a project."""
        with self._change() as now:
            for name, value in values.items():
                setattr(project, name, value)
            project.updated_at = now

    def hide_project(self, project: Project) -> None:
        """Take the viewer's access away: the project is answered as null."""
        with self._change():
            project.is_hidden = True

    def show_project(self, project: Project) -> None:
        """Give access back."""
        with self._change():
            project.is_hidden = False

    def create_run(self, project: Project, run_id: str | None = None, **values: Any) -> Run:
        """Add a run; ``values`` are fields of ``Run``, ``config`` and ``summary`` also as dicts."""
        with self._change() as now:
            self._run_count += 1
            run_id = run_id or _run_id(self.seed, self._run_count)
            if run_id in project.runs:
                raise ValueError(f"{run_id} exists, or was deleted: ids are never used again")
            created_at = values.pop("created_at", now)
            values.setdefault("user", self.viewer)
            values.setdefault("display_name", run_id)
            values.setdefault("heartbeat_at", created_at)
            values.setdefault("updated_at", values["heartbeat_at"] or created_at)
            run = Run(project, self._run_count, run_id, created_at, **_as_text(values))
            project.runs[run_id] = run
        return run

    def log(self, run: Run | str, row: Mapping[str, Any] | str, *, step: int | None = None) -> None:
        """Log one row, a dict or JSON text, and take it into the summary."""
        with self._change() as now:
            run = self._find(run)
            history = run.history = LoggedHistory.copy_of(run.history)
            values = json.loads(row) if isinstance(row, str) else dict(row)
            last = -1 if history.last_step is None else history.last_step
            step = int(values.get("_step", last + 1)) if step is None else step
            seconds = int((now - run.created_at).total_seconds())
            head = {"_step": step, "_timestamp": now.timestamp(), "_runtime": seconds}
            history.append(step, _with_head(head, row))
            run.summary = json.dumps({**run.summary_values, **head, **values})
            run.heartbeat_at = run.updated_at = now

    def finish(self, run: Run | str, state: str = "finished") -> None:
        """End a run."""
        with self._change() as now:
            run = self._find(run)
            run.state = state
            run.heartbeat_at = run.updated_at = now

    def stream(self, run: Run, request: Mapping[str, Any]) -> None:
        """Take what the client of a run streams; raises ``StreamProblem``."""
        with self._change() as now:
            take_stream(run, request, now)

    def upload(self, run: Run | str, name: str, content: bytes) -> None:
        """Take a file of a run."""
        with self._change():
            self._find(run).uploads[name] = content

    def remove_upload(self, run: Run | str, name: str) -> None:
        """Delete a file of a run; raises ``KeyError``."""
        with self._change():
            del self._find(run).uploads[name]

    def crash(self, run: Run | str) -> None:
        """Give up a run that was not heard of for long: no time moves but the state."""
        with self._change():
            run = self._find(run)
            run.state = "crashed"
            run.forgotten_lines = 0

    def edit(self, run: Run | str, **values: Any) -> Run:
        """Change fields of a run as people do in the UI; a config dict holds user values."""
        if unknown := values.keys() - EDITABLE:
            raise ValueError(f"not editable: {', '.join(sorted(unknown))}")
        with self._change() as now:
            run = self._find(run)
            for name, value in _as_text(values).items():
                setattr(run, name, value)
            self._touch(run, now)
        return run

    def delete(self, run: Run | str) -> None:
        """Delete a run; its id is never used again."""
        with self._change() as now:
            self._find(run).deleted_at = now

    def restore(self, run: Run | str) -> None:
        """Undelete a run."""
        with self._change() as now:
            run = self._find(run)
            run.deleted_at = None
            self._touch(run, now)

    def move_run(self, run: Run | str, project: Project) -> None:
        """Move a run to another project: the same id and creation, another storage id."""
        with self._change() as now:
            run = self._find(run)
            del run.project.runs[run.run_id]
            project.runs[run.run_id] = run
            run.project = project
            self._touch(run, now)

    def rewind(self, run: Run | str, step: int) -> None:
        """Forget what a run logged after ``step``; it runs again."""
        with self._change() as now:
            run = self._find(run)
            history = run.history = LoggedHistory.copy_of(run.history)
            history.rewind(step)
            run.state = "running"
            run.heartbeat_at = run.updated_at = now

    def _touch(self, run: Run, now: datetime) -> None:
        """Move ``updated_at``, on a server where an edit does that."""
        if self.edits_move_updated_at:
            run.updated_at = now

    def _find(self, run: Run | str) -> Run:
        return self.run(run) if isinstance(run, str) else run

    @contextmanager
    def _change(self) -> Iterator[datetime]:
        """Hold the lock, move the clock and the version; gives the time of the change."""
        with self.lock:
            self.now += self.tick
            try:
                yield self.now
            finally:  # a change that fails may have begun
                self.version += 1


def _run_id(seed: int, number: int) -> str:
    """Return a run id as W&B makes them, of eight characters; each number has its own."""
    rest = (number * SCATTER + seed) % len(ID_DIGITS) ** ID_LENGTH
    digits = []
    for _ in range(ID_LENGTH):
        rest, digit = divmod(rest, len(ID_DIGITS))
        digits.append(ID_DIGITS[digit])
    return "".join(digits)


def _as_text(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return values with config and summary as JSON text."""
    texts = dict(values)
    if isinstance(values.get("config"), Mapping):
        texts["config"] = json.dumps(wrap_config(values["config"]))
    if isinstance(values.get("summary"), Mapping):
        texts["summary"] = json.dumps(values["summary"])
    return texts


def _with_head(head: Mapping[str, Any], row: Mapping[str, Any] | str) -> str:
    """Return a line: the row's text, after what every row begins with."""
    text = row if isinstance(row, str) else json.dumps(row)
    own = json.loads(text)
    start = json.dumps({key: value for key, value in head.items() if key not in own})
    if own.keys() == set() or start == "{}":
        return start if not own else text
    return f"{start[:-1]}, {text.lstrip()[1:]}"
