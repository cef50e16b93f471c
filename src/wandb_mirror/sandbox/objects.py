"""The users, projects and runs of a sandbox world.

Config, summary and system metrics are JSON text, exactly as they travel.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar

from wandb_mirror.sandbox.history import History, LoggedHistory

if TYPE_CHECKING:
    from wandb_mirror.sandbox.artifacts import Artifact, Collection
    from wandb_mirror.sandbox.sweeps import Sweep

STATES = ("running", "finished", "crashed", "failed", "killed", "pending", "preempted")


def encode_id(*parts: object) -> str:
    """Return an opaque id: base64, as W&B's are."""
    return b64encode(":".join(map(str, parts)).encode("utf-8", "surrogatepass")).decode()


def decode_id(text: str) -> list[str]:
    """Return the parts of an opaque id; an empty list where it is none."""
    try:
        return b64decode(text, validate=True).decode("utf-8", "surrogatepass").split(":")
    except ValueError:
        return []


@dataclass(slots=True, eq=False)
class User:
    """Somebody with a key."""

    typename: ClassVar = "User"
    number: int
    username: str
    name: str
    email: str
    entity: str
    is_admin: bool = False
    created_at: datetime = datetime(2023, 1, 1, tzinfo=UTC)

    @property
    def storage_id(self) -> str:
        """The opaque id."""
        return encode_id("User", self.number)


@dataclass(slots=True, eq=False)
class Entity:
    """A user or a team that owns projects."""

    typename: ClassVar = "Entity"
    number: int
    name: str
    is_team: bool
    members: list[User] = field(default_factory=list)
    organization: Organization | None = None

    @property
    def form(self) -> str:
        """What upstream calls the type of an entity."""
        if self.organization is not None and self.organization.entity is self:
            return "organization"
        return "team" if self.is_team else "user"

    @property
    def storage_id(self) -> str:
        """The opaque id."""
        return encode_id("Entity", self.number)


@dataclass(slots=True, eq=False)
class Organization:
    """Teams under one roof; its registries are projects of an entity of its own."""

    number: int
    name: str
    entity: Entity
    teams: list[Entity] = field(default_factory=list)

    @property
    def storage_id(self) -> str:
        """The opaque id."""
        return encode_id("Organization", self.number)


@dataclass(slots=True, eq=False)
class Project:
    """A project and its runs, the deleted ones included, in the order they were made."""

    typename: ClassVar = "Project"
    number: int
    entity: str
    name: str
    created_at: datetime
    updated_at: datetime | None
    owner: User | None
    description: str | None = None
    access: str = "PRIVATE"
    is_hidden: bool = False
    is_read_only: bool = False
    """Whether the viewer may look and not edit."""
    runs: dict[str, Run] = field(default_factory=dict)
    sweeps: dict[str, Sweep] = field(default_factory=dict)
    collections: dict[str, Collection] = field(default_factory=dict)
    """Of artifacts, by name."""
    allows_all_types: bool = True
    """Whether a registry takes artifacts of every type."""

    @property
    def storage_id(self) -> str:
        """The id that mutations take; it changes with the name."""
        return encode_id("Project", "v1", self.name, self.entity)

    @property
    def internal_id(self) -> str:
        """The id that stays when the project is renamed."""
        return encode_id("ProjectInternalId", self.number)

    @property
    def live_runs(self) -> list[Run]:
        """The runs that were not deleted."""
        return [run for run in self.runs.values() if run.deleted_at is None]


@dataclass(slots=True, eq=False)
class Run:
    """A run; ``run_id`` is what W&B calls its name."""

    typename: ClassVar = "Run"
    project: Project
    number: int
    run_id: str
    created_at: datetime
    display_name: str | None = None
    user: User | None = None
    state: str = "finished"
    heartbeat_at: datetime | None = None
    updated_at: datetime | None = None
    config: str | None = "{}"
    summary: str | None = "{}"
    system_metrics: str | None = None
    tags: list[str] | None = None
    notes: str | None = None
    description: str | None = None
    group: str | None = None
    job_type: str | None = None
    commit: str | None = None
    host: str | None = None
    sweep_name: str | None = None
    history: History = field(default_factory=LoggedHistory)
    events: list[str] = field(default_factory=list)
    console: list[str] = field(default_factory=list)
    """What it printed, as its client streamed it."""
    uploads: dict[str, bytes] = field(default_factory=dict)
    """The files its client uploaded, by name."""
    inputs: list[Artifact] = field(default_factory=list)
    outputs: list[Artifact] = field(default_factory=list)
    forgotten_lines: int = 0
    """Lines of an earlier run with this id, that its client still counts."""
    is_stopped: bool = False
    deleted_at: datetime | None = None
    _parsed: dict[str, Any] = field(default_factory=dict, repr=False)

    @property
    def storage_id(self) -> str:
        """The id that mutations take; it changes with the names of project and entity."""
        return encode_id("Run", "v1", self.run_id, self.project.name, self.project.entity)

    @property
    def path(self) -> str:
        """``entity/project/run_id``."""
        return f"{self.project.entity}/{self.project.name}/{self.run_id}"

    @property
    def compute_seconds(self) -> int:
        """How long the run ran."""
        if self.heartbeat_at is None:
            return 0
        return max(0, int((self.heartbeat_at - self.created_at).total_seconds()))

    @property
    def config_values(self) -> Mapping[str, Any]:
        """The parsed config, in its wire form."""
        return self._parse(self.config)

    @property
    def summary_values(self) -> Mapping[str, Any]:
        """The parsed summary."""
        return self._parse(self.summary)

    def _parse(self, text: str | None) -> Mapping[str, Any]:
        """Return parsed JSON; a text is parsed once, and a broken one holds nothing."""
        if text is None:
            return {}
        if text not in self._parsed:
            if len(self._parsed) > 1:
                self._parsed.clear()
            try:
                self._parsed[text] = json.loads(text)
            except ValueError:
                self._parsed[text] = {}
        value = self._parsed[text]
        return value if isinstance(value, dict) else {}


def wrap_config(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return user values in the wire form of a config."""
    return {key: {"value": value, "desc": None} for key, value in values.items()}
