"""Registries (``wandb.apis.public.registries``): projects that collections are linked into."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from wandb_mirror.api.artifact import Artifact
from wandb_mirror.api.artifacts import ArtifactCollection
from wandb_mirror.api.generations import Generation, Generations, Row
from wandb_mirror.api.organizations import find_organization
from wandb_mirror.api.pages import Held
from wandb_mirror.api.refusals import ACCOUNTS, EDITS, refused
from wandb_mirror.api.teams import Team
from wandb_mirror.api.users import User, make_user
from wandb_mirror.errors import NotMirrored
from wandb_mirror.query.row_filters import filter_rows, sort_rows

PREFIX = "wandb-registry-"
VISIBILITY = {"PRIVATE": "organization", "RESTRICTED": "restricted"}
"""The real client's words; it takes any other access for the organization's."""
COLLECTION_NAMES = {"name": "collection", "tag": "tags"}
VERSION_NAMES = {
    "linked_at": "joined_at",
    "acm_created_at": "joined_at",
    "artifact_created_at": "created_at",
    "artifact_size": "size_bytes",
    "size": "size_bytes",
    "alias": "aliases",
    "tag": "tags",
}


@dataclass(frozen=True, slots=True)
class UserMember:
    """A user's role in a registry."""

    user: User
    role: str
    kind: str = "User"


@dataclass(frozen=True, slots=True)
class TeamMember:
    """A team's role in a registry."""

    team: Team
    role: str
    kind: str = "Entity"


class Registry:
    """A registry of an organization."""

    save = refused(EDITS)
    create = refused(EDITS)
    delete = refused(EDITS)
    add_members = refused(ACCOUNTS)
    remove_members = refused(ACCOUNTS)
    update_member = refused(ACCOUNTS)

    def __init__(self, generations: Generations, generation: Generation, row: Row) -> None:
        self._generations = generations
        self._generation = generation
        self.name = str(row["registry"]).removeprefix(PREFIX)
        self.organization = row["organization"]
        self.description = row["description"]
        self.visibility = VISIBILITY.get(row["visibility"], "organization")
        self.created_at = row["created_at"]
        self.updated_at = row["updated_at"]
        self.id = row["registry_id"]
        self.internal_id = row["project_id"]
        self.entity = row["entity"]
        """The organization's entity, which owns the project behind it."""
        self.allow_all_artifact_types = row["allow_all_artifact_types"]

    @property
    def full_name(self) -> str:
        """The name of the project behind it."""
        return f"{PREFIX}{self.name}"

    @property
    def path(self) -> list[str]:
        """Entity and full name."""
        return [self.entity, self.full_name]

    @property
    def artifact_types(self) -> list[str]:
        """The types of what it holds."""
        rows = self._generation.live(
            "artifact_types", "entity = ? AND project = ? ORDER BY type", self.path
        )
        return list(dict.fromkeys(row["type"] for row in rows))

    def load(self) -> None:
        """Do nothing: it is there."""

    def collections(
        self,
        filter: Mapping[str, Any] | None = None,
        order: str | None = None,
        per_page: int = 100,
        start: str | None = None,
    ) -> Collections:
        """Return its collections that pass a filter."""
        del start
        return Collections(self._generations, [self], filter, order, per_page)

    def versions(
        self,
        filter: Mapping[str, Any] | None = None,
        order: str | None = None,
        per_page: int = 100,
        start: str | None = None,
    ) -> Versions:
        """Return the versions in its collections that pass a filter."""
        del start
        return self.collections().versions(filter, order, per_page)

    def members(self) -> list[UserMember | TeamMember]:
        """Return the users and the teams that have a role in it."""
        return [*self.user_members(), *self.team_members()]

    def user_members(self) -> list[UserMember]:
        """Return the users that have a role in it."""
        return [
            UserMember(
                make_user(self._generation, row | {"user_id": row["member_id"]}), row["role"]
            )
            for row in self._member_rows("username IS NOT NULL")
        ]

    def team_members(self) -> list[TeamMember]:
        """Return the teams that have a role in it; raises ``NotMirrored`` for one not here."""
        return [
            TeamMember(Team(self._generations, row["team"]), row["role"])
            for row in self._member_rows("team IS NOT NULL")
        ]

    def _member_rows(self, condition: str) -> list[Row]:
        return self._generation.live(
            "registry_members",
            f"entity = ? AND project = ? AND {condition} ORDER BY username, team",
            [self.entity, self.full_name],
        )

    def __repr__(self) -> str:
        """Return its organization and name."""
        return f"<Registry {self.organization}/{self.name}>"


class Registries(Held[Registry]):
    """The registries of an organization that pass a filter."""

    def __init__(
        self,
        generations: Generations,
        organization: str | None,
        filters: Mapping[str, Any] | None = None,
        order: str | None = None,
        per_page: int = 100,
    ) -> None:
        self.organization = organization
        self._generations = generations
        generation = generations.current()
        names = {"name": "registry"}
        rows = [
            {**row, "registry": str(row["registry"]).removeprefix(PREFIX)}
            for row in generation.live("registries", "true ORDER BY organization, registry")
            if organization is None or row["organization"] == organization
        ]
        if organization is not None and not rows:
            find_organization(generation, organization)
        found = sort_rows(filter_rows(rows, filters, names), order, names)
        super().__init__([Registry(generations, generation, row) for row in found], per_page)

    @property
    def length(self) -> int:
        """How many there are."""
        return len(self)

    def collections(
        self,
        filter: Mapping[str, Any] | None = None,
        order: str | None = None,
        per_page: int = 100,
        start: str | None = None,
    ) -> Collections:
        """Return the collections of all of them that pass a filter."""
        del start
        return Collections(self._generations, list(self), filter, order, per_page)

    def versions(
        self,
        filter: Mapping[str, Any] | None = None,
        order: str | None = None,
        per_page: int = 100,
        start: str | None = None,
    ) -> Versions:
        """Return the versions in all of them that pass a filter."""
        del start
        return self.collections().versions(filter, order, per_page)


class Collections(Held[ArtifactCollection]):
    """Collections of registries."""

    def __init__(
        self,
        generations: Generations,
        registries: list[Registry],
        filters: Mapping[str, Any] | None,
        order: str | None,
        per_page: int,
    ) -> None:
        self._generations = generations
        generation = self._generation = generations.current()
        projects = [each.full_name for each in registries]
        rows = generation.live(
            "artifact_collections",
            "list_contains(?, project) ORDER BY entity, project, collection",
            [projects],
        )
        found = sort_rows(filter_rows(rows, filters, COLLECTION_NAMES), order, COLLECTION_NAMES)
        super().__init__(
            [ArtifactCollection(generations, generation, row) for row in found], per_page
        )

    def versions(
        self,
        filter: Mapping[str, Any] | None = None,
        order: str | None = None,
        per_page: int = 100,
        start: str | None = None,
    ) -> Versions:
        """Return the versions in these collections that pass a filter."""
        del start
        places = [(each.entity, each.project, each._row["collection"]) for each in self]
        return Versions(self._generations, places, filter, order, per_page)


class Versions(Held[Artifact]):
    """Versions in collections of registries."""

    def __init__(
        self,
        generations: Generations,
        places: list[tuple[str, str, str]],
        filters: Mapping[str, Any] | None,
        order: str | None,
        per_page: int,
    ) -> None:
        generation = generations.current()
        rows = [
            row
            for place in places
            for row in generation.live(
                "artifacts",
                "entity = ? AND project = ? AND collection = ? ORDER BY version_index",
                place,
            )
        ]
        found = sort_rows(filter_rows(rows, filters, VERSION_NAMES), order, VERSION_NAMES)
        super().__init__([Artifact(generations, generation, row) for row in found], per_page)

    @property
    def length(self) -> int:
        """How many there are."""
        return len(self)


def find_registry(generations: Generations, organization: str | None, name: str) -> Registry:
    """Return a registry; raises ``NotMirrored``."""
    wanted = {"name": name.removeprefix(PREFIX)}
    for registry in Registries(generations, organization, wanted):
        return registry
    raise NotMirrored(
        f"registry {name!r} is not in this mirror; 'wandb-mirror sync' fetches the registries of "
        "the organizations it takes"
    )
