"""The members of ``Api`` about artifacts, registries, people and automations."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

from wandb_mirror.api.artifact import Artifact
from wandb_mirror.api.artifact_rows import find_version, parse_artifact_path
from wandb_mirror.api.artifacts import (
    ArtifactCollection,
    ArtifactCollections,
    Artifacts,
    ArtifactType,
    ArtifactTypes,
    find_collection,
)
from wandb_mirror.api.automations import Automation, EntityAutomations, Integrations
from wandb_mirror.api.generations import Generations
from wandb_mirror.api.organizations import Organization, find_organization
from wandb_mirror.api.registries import Registries, Registry, find_registry
from wandb_mirror.api.teams import Team
from wandb_mirror.api.users import User, search_users
from wandb_mirror.errors import BadPath, NotMirrored


class Catalog(ABC):
    """What ``Api`` knows beside projects and runs."""

    settings: dict[str, Any]
    _generations: Generations

    @abstractmethod
    def _entity(self) -> str | None:
        """Return the entity of paths that name none."""

    @abstractmethod
    def _need_entity(self, entity: str | None) -> str:
        """Return the entity that is meant."""

    @abstractmethod
    def _project_path(self, path: str | None) -> tuple[str, str]:
        """Return entity and project of a path."""

    def _artifact_path(self, name: str) -> tuple[str, str, str, str]:
        return parse_artifact_path(name, self._entity(), self.settings["project"])

    def artifact_types(self, project: str | None = None, start: str | None = None) -> ArtifactTypes:
        """Return the types of artifacts in a project."""
        del start
        return ArtifactTypes(self._generations, self._project_path(project))

    def artifact_type(self, type_name: str, project: str | None = None) -> ArtifactType:
        """Return one type of artifacts in a project; raises ``NotMirrored``."""
        found = ArtifactType(self._generations, self._project_path(project), type_name)
        found.load()
        return found

    def artifact_collections(
        self,
        project_name: str,
        type_name: str,
        order: str | None = None,
        per_page: int = 50,
        start: str | None = None,
    ) -> ArtifactCollections:
        """Return the collections of a type in a project."""
        del start
        path = self._project_path(project_name)
        return ArtifactCollections(self._generations, path, type_name, per_page, order=order)

    def artifact_collection(self, type_name: str, name: str) -> ArtifactCollection:
        """Return a collection of a type by its path; raises ``BadPath`` and ``NotMirrored``."""
        entity, project, collection, _ = self._artifact_path(name)
        generation = self._generations.current()
        return find_collection(
            self._generations, generation, entity, project, type_name, collection
        )

    def artifact_collection_exists(self, name: str, type: str) -> bool:
        """Return whether a collection of a type is in the mirror."""
        try:
            self.artifact_collection(type, name)
        except NotMirrored:
            return False
        return True

    def artifacts(
        self,
        type_name: str,
        name: str,
        order: str | None = None,
        per_page: int = 50,
        tags: str | list[str] | None = None,
        start: str | None = None,
    ) -> Artifacts:
        """Return the versions of a collection, those with all of some tags.

        Raises ``BadPath`` and ``NotMirrored``.
        """
        del start
        path = self._artifact_path(name)[:3]
        wanted = [tags] if isinstance(tags, str) else tags or []
        generation = self._generations.current()
        find_collection(self._generations, generation, path[0], path[1], type_name, path[2])
        return Artifacts(
            self._generations, generation, path, type_name, per_page, order=order, tags=wanted
        )

    def artifact_versions(self, type_name: str, name: str, per_page: int = 50) -> Artifacts:
        """Return the versions of a collection: ``artifacts`` by its older name."""
        return self.artifacts(type_name, name, per_page=per_page)

    def artifact(self, name: str, type: str | None = None) -> Artifact:
        """Return a version by ``[entity/]project/collection:alias``.

        Raises ``BadPath``, also where it is of another type, and ``NotMirrored``.
        """
        generation = self._generations.current()
        entity, project, collection, alias = self._artifact_path(name)
        row = find_version(generation, entity, project, collection, alias)
        if type is not None and row["type"] != type:
            raise BadPath(
                f"type {type!r} specified but this artifact is of type {row['type']!r}: {name}"
            )
        return Artifact(self._generations, generation, row, alias)

    def artifact_exists(self, name: str, type: str | None = None) -> bool:
        """Return whether a version is in the mirror, and of a type where one is given."""
        generation = self._generations.current()
        try:
            row = find_version(generation, *self._artifact_path(name))
        except NotMirrored:
            return False
        return type is None or bool(row["type"] == type)

    def registries(
        self,
        organization: str | None = None,
        filter: Mapping[str, Any] | None = None,
        order: str | None = None,
        per_page: int = 100,
        start: str | None = None,
    ) -> Registries:
        """Return the registries of an organization that pass a filter."""
        del start
        wanted = organization or self.settings["organization"]
        return Registries(self._generations, wanted, filter, order, per_page)

    def registry(self, name: str, organization: str | None = None) -> Registry:
        """Return one registry; raises ``NotMirrored``."""
        return find_registry(self._generations, organization or self.settings["organization"], name)

    def organization(self, name: str | None = None) -> Organization:
        """Return an organization; raises ``NotMirrored``."""
        wanted = name or self.settings["organization"]
        return find_organization(self._generations.current(), wanted)

    def team(self, team: str) -> Team:
        """Return a team with its members; raises ``NotMirrored``."""
        return Team(self._generations, team)

    def users(self, username_or_email: str) -> list[User]:
        """Return the users that are known whose name or mail address contains a text."""
        return search_users(self._generations.current(), username_or_email)

    def user(self, username_or_email: str) -> User | None:
        """Return the first user that is known of whom that is so, None where there is none."""
        found = self.users(username_or_email)
        return found[0] if found else None

    def automations(
        self,
        entity: str | None = None,
        name: str | None = None,
        per_page: int = 50,
        start: str | None = None,
    ) -> EntityAutomations:
        """Return the automations of an entity, or those of one name."""
        del start
        return EntityAutomations(self._generations, self._need_entity(entity), name, per_page)

    def automation(self, name: str, entity: str | None = None) -> Automation:
        """Return the only automation of a name; raises ``NotMirrored`` where it is not the only."""
        found = list(self.automations(entity, name))
        if len(found) != 1:
            raise NotMirrored(
                f"{len(found) or 'no'} automations of {self._need_entity(entity)} are named "
                f"{name!r}; Api.automations() lists them"
            )
        return found[0]

    def integrations(
        self, entity: str | None = None, per_page: int = 50, start: str | None = None
    ) -> Integrations:
        """Return the integrations of an entity."""
        del start
        return Integrations(self._generations, self._need_entity(entity), None, per_page)

    def slack_integrations(
        self, entity: str | None = None, per_page: int = 50, start: str | None = None
    ) -> Integrations:
        """Return the channels that automations of an entity post to."""
        del start
        return Integrations(self._generations, self._need_entity(entity), "slack", per_page)

    def webhook_integrations(
        self, entity: str | None = None, per_page: int = 50, start: str | None = None
    ) -> Integrations:
        """Return the addresses that automations of an entity call."""
        del start
        return Integrations(self._generations, self._need_entity(entity), "webhook", per_page)
