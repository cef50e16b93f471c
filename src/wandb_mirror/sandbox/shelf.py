"""How sweeps, artifacts and registries of a world change."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import TYPE_CHECKING, Any

from wandb_mirror.sandbox.artifacts import (
    COMMITTED,
    DELETED,
    LATEST,
    Artifact,
    Collection,
    Content,
    Membership,
    as_entries,
)
from wandb_mirror.sandbox.objects import Entity, Organization, Project, Run
from wandb_mirror.sandbox.sweeps import Sweep

if TYPE_CHECKING:
    from collections.abc import Callable

REGISTRY_PREFIX = "wandb-registry-"


class Shelf:
    """Beside its runs, what the projects of a world hold."""

    def __init__(self, change: Callable[[], AbstractContextManager[datetime]]) -> None:
        self._change = change
        self.artifacts: dict[int, Artifact] = {}
        self.collections: dict[int, Collection] = {}
        self.organizations: dict[str, Organization] = {}
        self.protected_aliases: set[str] = set()
        """Aliases that this key may not move."""
        self._memberships = 0
        self._sweeps = 0

    def create_organization(
        self, name: str, entity: Entity, teams: Sequence[Entity] = ()
    ) -> Organization:
        """Put teams under one roof; ``entity`` will own its registries."""
        with self._change():
            made = Organization(len(self.organizations) + 1, name, entity, list(teams))
            self.organizations[name] = made
            for each in (entity, *teams):
                each.organization = made
        return made

    def create_sweep(self, project: Project, sweep_id: str | None = None, **values: Any) -> Sweep:
        """Add a sweep; ``config`` is YAML text."""
        with self._change() as now:
            self._sweeps += 1
            name = sweep_id or f"sweep{self._sweeps:03d}"
            created_at = values.pop("created_at", now)
            values.setdefault("updated_at", created_at)
            config = values.pop("config", "method: random\nparameters: {}\n")
            made = Sweep(project, self._sweeps, name, config, created_at, **values)
            project.sweeps[name] = made
        return made

    def edit_sweep(self, sweep: Sweep, **values: Any) -> None:
        """Change fields of a sweep."""
        with self._change() as now:
            for name, value in values.items():
                setattr(sweep, name, value)
            sweep.updated_at = now

    def delete_sweep(self, sweep: Sweep) -> None:
        """Delete a sweep; its runs stay."""
        with self._change():
            del sweep.project.sweeps[sweep.sweep_id]

    def restore_sweep(self, sweep: Sweep) -> None:
        """Undelete a sweep."""
        with self._change():
            sweep.project.sweeps[sweep.sweep_id] = sweep

    def create_collection(
        self,
        project: Project,
        name: str,
        artifact_type: str,
        *,
        is_sequence: bool = True,
        **values: Any,
    ) -> Collection:
        """Add a collection without versions."""
        with self._change() as now:
            created_at = values.pop("created_at", now)
            made = Collection(
                project,
                len(self.collections) + 1,
                name,
                artifact_type,
                is_sequence,
                created_at,
                created_at,
                **values,
            )
            self.collections[made.number] = made
            project.collections[name] = made
        return made

    def log_artifact(
        self,
        project: Project,
        name: str,
        artifact_type: str,
        files: Mapping[str, Content | str],
        *,
        run: Run | None = None,
        aliases: Sequence[str] = (),
        **values: Any,
    ) -> Artifact:
        """Add a version to a sequence, which is made where it is missing; it becomes the latest."""
        sequence = project.collections.get(name)
        if sequence is None:
            created_at = values.get("created_at")
            made_at = {} if created_at is None else {"created_at": created_at}
            sequence = self.create_collection(project, name, artifact_type, **made_at)
        if isinstance(values.get("metadata"), Mapping):
            values["metadata"] = json.dumps(values["metadata"])
        with self._change() as now:
            created_at = values.pop("created_at", now)
            made = Artifact(
                len(self.artifacts) + 1,
                sequence,
                as_entries(files),
                created_at,
                created_at,
                run or project.owner,
                **values,
            )
            self.artifacts[made.number] = made
            self._join(made, sequence, (LATEST, *aliases), created_at)
            if run is not None:
                run.outputs.append(made)
        return made

    def use_artifact(self, artifact: Artifact, run: Run) -> None:
        """Note that a run used a version."""
        with self._change():
            if run not in artifact.used_by:
                artifact.used_by.append(run)
                run.inputs.append(artifact)

    def link(
        self, artifact: Artifact, portfolio: Collection, aliases: Sequence[str] = ()
    ) -> Membership:
        """Put a version into a portfolio, once."""
        found = artifact.membership_in(portfolio)
        with self._change() as now:
            if found is None:
                return self._join(artifact, portfolio, (LATEST, *aliases), now)
            self._take_aliases(portfolio, found, aliases)
        return found

    def unlink(self, artifact: Artifact, portfolio: Collection) -> None:
        """Take a version out of a portfolio."""
        with self._change() as now:
            artifact.memberships = [
                each for each in artifact.memberships if each.collection is not portfolio
            ]
            portfolio.memberships = [
                each for each in portfolio.memberships if each.artifact is not artifact
            ]
            portfolio.updated_at = now

    def _join(
        self, artifact: Artifact, collection: Collection, aliases: Sequence[str], now: datetime
    ) -> Membership:
        self._memberships += 1
        indexes = [each.version_index for each in collection.memberships]
        made = Membership(
            self._memberships, collection, artifact, max(indexes, default=-1) + 1, now
        )
        collection.memberships.append(made)
        artifact.memberships.append(made)
        self._take_aliases(collection, made, aliases)
        collection.updated_at = max(collection.updated_at, now)
        return made

    @staticmethod
    def _take_aliases(collection: Collection, place: Membership, aliases: Sequence[str]) -> None:
        """Give aliases to a version: whichever had them in this collection loses them."""
        for each in collection.memberships:
            each.aliases = [alias for alias in each.aliases if alias not in aliases]
        place.aliases += dict.fromkeys(aliases)

    def add_aliases(self, place: Membership, aliases: Sequence[str]) -> None:
        """Name a version of a collection."""
        with self._change():
            self._take_aliases(place.collection, place, aliases)

    def remove_aliases(self, place: Membership, aliases: Sequence[str]) -> None:
        """Take names of a version away."""
        with self._change():
            place.aliases = [alias for alias in place.aliases if alias not in aliases]

    def edit_artifact(self, artifact: Artifact, **values: Any) -> None:
        """Change description, metadata (JSON text), tags or ttl of a version."""
        with self._change() as now:
            for name, value in values.items():
                setattr(artifact, name, value)
            artifact.updated_at = now

    def delete_artifact(self, artifact: Artifact) -> None:
        """Delete a version: it is asked for by its id alone from now on."""
        with self._change() as now:
            artifact.state = DELETED
            artifact.updated_at = now
            for each in artifact.memberships:
                each.aliases = []

    def restore_artifact(self, artifact: Artifact) -> None:
        """Undelete a version; its aliases are gone."""
        self.edit_artifact(artifact, state=COMMITTED)

    def edit_collection(self, collection: Collection, **values: Any) -> None:
        """Change name, type, description or tags of a collection."""
        with self._change() as now:
            if name := values.get("name"):
                del collection.project.collections[collection.name]
                collection.project.collections[name] = collection
            for field, value in values.items():
                setattr(collection, field, value)
            collection.updated_at = now

    def delete_collection(self, collection: Collection) -> None:
        """Delete a collection; the versions of a sequence go with it."""
        with self._change() as now:
            collection.is_deleted = True
            del collection.project.collections[collection.name]
            for each in collection.memberships if collection.is_sequence else ():
                each.artifact.state = DELETED
                each.artifact.updated_at = now

    def restore_collection(self, collection: Collection) -> None:
        """Undelete a collection and its versions."""
        with self._change():
            collection.is_deleted = False
            collection.project.collections[collection.name] = collection
            for each in collection.memberships if collection.is_sequence else ():
                each.artifact.state = COMMITTED
