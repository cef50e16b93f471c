"""Paths as people write them: ``entity``, ``entity/project``, ``entity/project/run``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import get_close_matches

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
    """One object: the word for its kind, and the parts that name it."""

    kind: str
    parts: tuple[str, ...]

    def __str__(self) -> str:
        """Return the path as people write it."""
        if self.kind == "artifact":
            return "/".join(self.parts[:3]) + f":{self.parts[3]}"
        return "/".join(self.parts)


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


WORDS = {
    "sweep": "sweep:ENTITY/PROJECT/SWEEP",
    "artifact": "artifact:ENTITY/PROJECT/COLLECTION:ALIAS",
    "collection": "collection:ENTITY/PROJECT/COLLECTION",
    "report": "report:ENTITY/PROJECT/ID-OR-TITLE",
    "automation": "automation:ENTITY/PROJECT/ID-OR-NAME",
    "integration": "integration:ENTITY/ID-OR-NAME",
    "registry": "registry:ORGANIZATION/NAME",
    "team": "team:NAME",
    "user": "user:NAME-OR-MAIL",
}
"""The words that stand before the path of what is neither a project nor a run."""


def parse_object(text: str) -> ObjectPath:
    """Read the path of any object: a word before it says of which kind, where it is no run.

    A colon behind two slashes is a version's, as W&B writes it: no run's id holds one.
    """
    if re.fullmatch(r"[^/:]+/[^/]+/[^/:]+:[^/]*", text):
        text = f"artifact:{text}"
    word, colon, rest = text.partition(":")
    if not colon or "/" in word:
        if text.count("/") == 1 and not colon:
            return ObjectPath("project", parse_project(text))
        return ObjectPath("run", parse_run(text))
    if word not in WORDS:
        near = get_close_matches(word, WORDS, 1)
        hint = f"did you mean {WORDS[near[0]]}?" if near else f"words are {', '.join(WORDS)}"
        raise BadPath(f"{text!r}: there is no kind {word!r}; {hint}")
    parts = _split(rest)
    wanted = WORDS[word].count("/") + 1
    if word in ("report", "automation", "integration") and len(parts) > wanted:
        parts = [*parts[: wanted - 1], "/".join(parts[wanted - 1 :])]  # names may hold anything
    if word == "automation" and len(parts) == 2:  # noqa: PLR2004
        parts.insert(1, "")  # one that watches a whole team is of no project
    if len(parts) != wanted:
        raise BadPath(f"{text!r} is no {word}; write {WORDS[word]}")
    if word == "artifact":
        name, _, alias = parts[-1].partition(":")
        parts = [*parts[:-1], name, alias or "latest"]
    return ObjectPath(word, tuple(parts))


def _split(text: str) -> list[str]:
    """Return the parts of a path, none of them empty."""
    parts = text.strip().strip("/").split("/")
    if not all(parts):
        raise BadPath(f"{text!r} is not a path; write ENTITY/PROJECT or ENTITY/PROJECT/RUN")
    return parts
