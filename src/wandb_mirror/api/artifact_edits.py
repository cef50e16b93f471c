"""What of a version can be edited: the part of ``wandb.Artifact`` that saves."""

from __future__ import annotations

from datetime import timedelta
from functools import cached_property
from typing import Any

from wandb_mirror.api.artifact_rows import load_marks
from wandb_mirror.api.generations import Generation, Generations, Row
from wandb_mirror.api.saving import Saver
from wandb_mirror.edits.checks import AS_THE_TEAM_SAYS, FOR_EVER
from wandb_mirror.errors import BadEdit
from wandb_mirror.query.columns import parse


class ArtifactEdits:
    """What saves, mixed into ``Artifact``.

    Description, metadata, tags and ttl are those of the version that was logged, wherever it is
    linked to; aliases are those of the collection that this one was found in.
    """

    _generations: Generations
    _generation: Generation
    _row: Row
    is_link: Any
    version: Any

    def _begin_edits(self) -> None:
        self.description: str | None = self._row["description"]
        self.metadata: dict[str, Any] = (
            parse(self._row["metadata"]) if self._row["metadata"] else {}
        )
        self._ttl_seconds: int | None = self._row.get("ttl_seconds", self._row["ttl_s"])

    @cached_property
    def _version(self) -> Saver:
        """What it was read as, in all collections."""
        own_key = [self._row["artifact_id"]]
        saver = Saver(
            self._generations, self._generation, "artifacts", "t.artifact_id = ?", own_key
        )
        metadata = parse(self._row["metadata"]) if self._row["metadata"] else {}
        description, ttl = (
            self._row["description"],
            self._row.get("ttl_seconds", self._row["ttl_s"]),
        )
        saver.note(description=description, metadata=metadata, ttl=ttl, tags=self._load_tags())
        return saver

    @cached_property
    def _aliases(self) -> Saver:
        """What it was called when it was read, in its collection."""
        saver = Saver(
            self._generations,
            self._generation,
            "artifact_collections",
            "p.entity = ? AND p.project = ? AND t.collection = ?",
            [self._row[name] for name in ("entity", "project", "collection")],
        )
        saver.note(aliases=self._load_aliases())
        return saver

    @cached_property
    def aliases(self) -> list[str]:
        """Its aliases in this collection; one that is added is taken from another version."""
        return self._load_aliases()

    def _load_aliases(self) -> list[str]:
        return load_marks(self._generation, "artifact_aliases", "alias", self._row)

    @cached_property
    def tags(self) -> list[str]:
        """Its tags."""
        return self._load_tags()

    def _load_tags(self) -> list[str]:
        return load_marks(self._generation, "artifact_tags", "tag", self._row)

    @property
    def ttl(self) -> timedelta | None:
        """How long it is kept; None for ever, or where its team says."""
        seconds = self._ttl_seconds
        return None if seconds is None or seconds < 0 else timedelta(seconds=seconds)

    @ttl.setter
    def ttl(self, ttl: Any) -> None:
        """Keep it for a time, for ever (None), or as its team says (``ArtifactTTL.INHERIT``)."""
        if self.is_link:
            raise BadEdit(f"{self!r} is a link; set the ttl of its source_artifact")
        if ttl is None:
            self._ttl_seconds = FOR_EVER
        elif isinstance(ttl, timedelta):
            self._ttl_seconds = int(ttl.total_seconds())
        elif getattr(ttl, "name", ttl) == "INHERIT":
            self._ttl_seconds = AS_THE_TEAM_SAYS
        else:
            raise BadEdit(f"a ttl is a timedelta, None, or ArtifactTTL.INHERIT, not {ttl!r}")

    def save(self, project: str | None = None, settings: object = None) -> None:
        """Queue what was edited, and nothing else; 'wandb-mirror push' sends it.

        It is seen at once by whoever reads this mirror. Raises ``BadEdit``.
        """
        del project, settings
        values = {
            "description": self.description,
            "metadata": self.metadata,
            "tags": list(self.tags),
            "ttl": self._ttl_seconds,
        }
        aliases = list(dict.fromkeys(self.aliases))
        moved = self._aliases.find_moved("aliases", self.version, aliases)
        self._version.queue([*self._version.find_edited(values), *moved])
        self._version.note(**values)
        self._aliases.note(aliases=aliases)
