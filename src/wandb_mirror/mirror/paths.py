"""Paths as people write them: ``entity``, ``entity/project``, ``entity/project/run``."""

from __future__ import annotations

from dataclasses import dataclass

from wandb_mirror.errors import BadPath


@dataclass(frozen=True, slots=True)
class Target:
    """What a sync is asked for: a project, or all of an entity's projects."""

    entity: str
    project: str | None = None

    def __str__(self) -> str:
        """Return the target as people write it."""
        return self.entity if self.project is None else f"{self.entity}/{self.project}"


@dataclass(frozen=True, slots=True)
class ObjectPath:
    """One object: its kind's word and its place."""

    kind: str
    entity: str
    project: str
    own_key: str | None = None


def parse_target(text: str) -> Target:
    """Read ``entity`` or ``entity/project``."""
    parts = _split(text)
    if len(parts) > 2:  # noqa: PLR2004
        raise BadPath(f"{text!r} is not a project; write ENTITY or ENTITY/PROJECT")
    return Target(*parts)


def parse_project(text: str) -> tuple[str, str]:
    """Read ``entity/project``."""
    parts = _split(text)
    if len(parts) != 2:  # noqa: PLR2004
        raise BadPath(f"{text!r} is not a project; write ENTITY/PROJECT")
    return parts[0], parts[1]


def parse_run(text: str) -> tuple[str, str, str]:
    """Read ``entity/project/run``, also as ``…/runs/run`` and ``entity/project:run``."""
    parts = _split(text.replace(":", "/", 1) if text.count("/") == 1 else text)
    if len(parts) == 4 and parts[2] == "runs":  # noqa: PLR2004
        del parts[2]
    if len(parts) != 3:  # noqa: PLR2004
        raise BadPath(f"{text!r} is not a run; write ENTITY/PROJECT/RUN")
    return parts[0], parts[1], parts[2]


def _split(text: str) -> list[str]:
    """Return the parts of a path, none of them empty."""
    parts = text.strip().strip("/").split("/")
    if not all(parts):
        raise BadPath(f"{text!r} is not a path; write ENTITY/PROJECT or ENTITY/PROJECT/RUN")
    return parts
