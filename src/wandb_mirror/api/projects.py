"""Projects (``wandb.apis.public.projects``)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wandb_mirror.api.artifacts import ArtifactCollections, ArtifactTypes
from wandb_mirror.api.attrs import Attrs, frame
from wandb_mirror.api.generations import Generation, Generations, Row
from wandb_mirror.api.pages import Pages
from wandb_mirror.api.saving import Saver
from wandb_mirror.api.sweeps import Sweeps
from wandb_mirror.api.users import User, name_user


class Project(Attrs):
    """A project; nothing of it is read before it is asked for."""

    def __init__(
        self, generations: Generations, entity: str, name: str, row: Row | None = None
    ) -> None:
        super().__init__({})
        self._generations = generations
        self._generation = generations.current()
        self.name = name
        self.entity = entity
        self._is_loaded = False
        if row is not None:
            self._take(row)

    def _take(self, row: Row) -> None:
        self._is_loaded = True
        self._attrs = {
            "id": row["storage_id"],
            "internalId": row["project_id"],
            "name": row["project"],
            "entityName": row["entity"],
            "description": row["description"],
            "access": row["access"],
            "createdAt": row["created_at"],
            "updatedAt": row["updated_at"],
            "runCount": row["run_count"],
            "readOnly": row["read_only"],
            "isBenchmark": row["is_benchmark"],
            "username": row["username"],
        }

    def _load(self) -> None:
        """Read the row; raises ``NotMirrored``."""
        self._take(self._generation.need_project(self.entity, self.name))

    def __getattr__(self, name: str) -> Any:
        """Return a field of upstream's, in either spelling; reads the project first."""
        if not name.startswith("_") and not self._is_loaded:
            self._load()
        return super().__getattr__(name)

    @property
    def id(self) -> str:
        """The id that mutations take."""
        if not self._is_loaded:
            self._load()
        return str(self._attrs["id"])

    @property
    def owner(self) -> User | None:
        """Who made it, None where upstream does not say."""
        username = self.username
        return None if username is None else name_user(self._generation, username)

    user = owner

    @property
    def path(self) -> list[str]:
        """Entity and name."""
        return [self.entity, self.name]

    @property
    def url(self) -> str:
        """Where people look at it."""
        return f"{self._generation.app_url}{self.entity}/{self.name}/workspace"

    def _place(self) -> tuple[str, str]:
        return self.entity, self.name

    def artifacts_types(self, per_page: int = 50) -> ArtifactTypes:
        """Return the types of artifacts in it."""
        return ArtifactTypes(self._generations, self._place(), per_page)

    def collections(
        self,
        filters: Mapping[str, Any] | None = None,
        order: str | None = None,
        per_page: int = 50,
    ) -> ArtifactCollections:
        """Return the collections of artifacts in it that pass a filter."""
        return ArtifactCollections(
            self._generations, self._place(), None, per_page, filters=filters, order=order
        )

    def sweeps(
        self,
        per_page: int = 50,
        filters: dict[str, Any] | None = None,
        order: str | None = None,
    ) -> Sweeps:
        """Return its sweeps that pass a filter, the newest first; ``order`` means nothing."""
        del order
        return Sweeps(self._generations, self._place(), per_page, filters)

    def save(self) -> None:
        """Queue a new ``description``; 'wandb-mirror push' sends it. Raises ``BadEdit``."""
        saver = Saver(
            self._generations,
            self._generation,
            "projects",
            "p.entity = ? AND p.project = ?",
            [self.entity, self.name],
        )
        if not self._is_loaded:
            self._load()
        saver.note(description=self._attrs["description"])
        saver.save({"description": self.description})
        self._attrs["description"] = self.description

    def to_html(self, height: int = 420, hidden: bool = False) -> str:
        """Return an iframe of the project's page."""
        return frame(self.url, height, hidden=hidden, name="project")

    def _repr_html_(self) -> str:
        return self.to_html()

    def __repr__(self) -> str:
        """Return its path."""
        return f"<Project {'/'.join(self.path)}>"


class Projects(Pages[Project]):
    """The projects of an entity that are mirrored, the oldest first."""

    length = None

    def __init__(self, generations: Generations, entity: str, per_page: int = 200) -> None:
        super().__init__(per_page)
        self.entity = entity
        self._generations = generations
        self._generation: Generation = generations.current()

    def _from(self) -> str:
        live = "" if self._generation.include_deleted else " AND inaccessible_since IS NULL"
        return f"FROM main.projects WHERE entity = ?{live}"

    def _read(self, offset: int, limit: int) -> list[Project]:
        rows = self._generation.rows(
            f"SELECT * {self._from()} ORDER BY created_at, project LIMIT {limit} OFFSET {offset}",
            [self.entity],
        )
        return [Project(self._generations, self.entity, row["project"], row) for row in rows]

    def _count(self) -> int:
        found = self._generation.one(f"SELECT count(*) AS n {self._from()}", [self.entity])
        return int(found["n"]) if found else 0

    def __repr__(self) -> str:
        """Return whose projects they are."""
        return f"<Projects {self.entity}>"
