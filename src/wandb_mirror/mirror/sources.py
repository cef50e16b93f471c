"""Whose files: those of one object, or of all that the settings choose."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from wandb_mirror.blobs.digest import Digest
from wandb_mirror.blobs.files import FileOf
from wandb_mirror.errors import BadSettings
from wandb_mirror.kinds.artifact_file import ARTIFACT_FILE
from wandb_mirror.kinds.pages import ScopeOf
from wandb_mirror.kinds.run_file import RUN_FILE
from wandb_mirror.kinds.spec import Kind
from wandb_mirror.mirror.objects import load_object
from wandb_mirror.mirror.paths import ObjectPath, parse_object, parse_run
from wandb_mirror.query.published import Published
from wandb_mirror.settings import FilesSettings


@dataclass(frozen=True, slots=True)
class Source:
    """An object whose files are wanted."""

    label: str
    kind: Kind
    scope: ScopeOf
    files: Sequence[FileOf]


def find_artifact(published: Published, path: str, pattern: str = "*") -> Source:
    """Return a version's files; raises ``BadPath`` and ``NotMirrored``."""
    place = parse_object(f"artifact:{path.removeprefix('artifact:')}")
    row = load_object(published, ObjectPath("artifact", place.parts))
    label = "/".join(place.parts[:3]) + f":{row['version']}"
    return _version(published, label, row["artifact_id"], lambda name: fnmatchcase(name, pattern))


def _version(
    published: Published, label: str, artifact_id: str, wants: Callable[[str], bool]
) -> Source:
    rows = published.rows(
        "SELECT path, size_bytes, digest, digest_algorithm, reference FROM artifact_files "
        "WHERE artifact_id = ? ORDER BY path",
        [artifact_id],
    )
    files = [
        FileOf(name, size, None if ref else Digest.read(digest, algorithm), ref)
        for name, size, digest, algorithm, ref in rows
        if wants(name)
    ]
    return Source(label, ARTIFACT_FILE, ScopeOf(artifact_id=artifact_id), files)


def find_run(published: Published, path: str, pattern: str = "*") -> Source:
    """Return a run's files; raises ``BadPath`` and ``NotMirrored``."""
    entity, project, run_id = parse_run(path)
    load_object(published, ObjectPath("run", (entity, project, run_id)))
    return _run(published, (entity, project, run_id), lambda name: fnmatchcase(name, pattern))


def _run(published: Published, path: tuple[str, str, str], wants: Callable[[str], bool]) -> Source:
    rows = published.rows(
        "SELECT name, size_bytes, md5 FROM run_files WHERE entity = ? AND project = ? "
        "AND run_id = ? AND deleted_at IS NULL ORDER BY name",
        list(path),
    )
    files = [FileOf(name, size, Digest.read(md5)) for name, size, md5 in rows if wants(name)]
    entity, project, run_id = path
    scope = ScopeOf(entity=entity, project=project, run_id=run_id)
    return Source("/".join(path), RUN_FILE, scope, files)


def find_chosen(published: Published, chosen: FilesSettings) -> Iterator[Source]:
    """Yield what the settings choose; raises ``BadSettings`` where they choose nothing."""
    if not chosen.types and not chosen.run_files:
        raise BadSettings(
            "nothing to download is named; write 'wandb-mirror download "
            "ENTITY/PROJECT/COLLECTION:ALIAS', or choose with files.types and files.run_files"
        )
    versions = published.rows(
        "SELECT a.entity || '/' || a.project || '/' || a.collection || ':' || a.version, "
        "a.artifact_id, a.type, list(l.alias) FROM artifacts a LEFT JOIN artifact_aliases l "
        "USING (entity, project, collection, version, artifact_id) "
        "WHERE a.deleted_at IS NULL AND NOT a.is_link GROUP BY ALL ORDER BY ALL"
    )
    for label, artifact_id, kind, aliases in versions:
        if _matches(kind, chosen.types) and (
            not chosen.aliases or any(_matches(alias, chosen.aliases) for alias in aliases)
        ):
            yield _version(
                published, label, artifact_id, lambda name: _matches(name, chosen.patterns)
            )
    runs = published.rows(
        "SELECT DISTINCT f.entity, f.project, f.run_id FROM run_files f JOIN runs r "
        "USING (entity, project, run_id) WHERE r.deleted_at IS NULL ORDER BY ALL"
    )
    for path in runs if chosen.run_files else ():
        source = _run(published, path, lambda name: _matches(name, chosen.run_files))
        if source.files:
            yield source


def _matches(name: str | None, globs: Sequence[str]) -> bool:
    return name is not None and any(fnmatchcase(name, glob) for glob in globs)
