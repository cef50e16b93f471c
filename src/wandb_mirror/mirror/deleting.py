"""Delete upstream what somebody names, at once; the mirror keeps what it has, marked deleted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from fnmatch import fnmatchcase
from typing import Any

from wandb_mirror.edits.catalog import DELETIONS
from wandb_mirror.errors import NotMirrored, OnlyUpstream, Refused
from wandb_mirror.kinds.artifact import ARTIFACT
from wandb_mirror.kinds.pages import Row
from wandb_mirror.kinds.run import RUN
from wandb_mirror.kinds.run_file import RUN_FILE
from wandb_mirror.kinds.spec import Kind
from wandb_mirror.mirror.connect import check_server
from wandb_mirror.mirror.edits import who
from wandb_mirror.mirror.mirror import Mirror
from wandb_mirror.mirror.objects import load_object
from wandb_mirror.mirror.paths import ObjectPath, parse_object
from wandb_mirror.push.documents import deletion_document
from wandb_mirror.store.store import Store
from wandb_mirror.upstream.client import Client

FILES_TOGETHER = 500


def delete_object(mirror: Mirror, path: str, *, deletes_aliases: bool = False) -> None:
    """Delete a run or a version of an artifact upstream.

    Raises ``BadPath``, ``NotMirrored``, ``OnlyUpstream`` for a link or another kind of object,
    ``WrongServer``, ``Refused`` with upstream's reason (a version with aliases, unless
    ``deletes_aliases``), and what a sync raises.
    """
    place = parse_object(path)
    with mirror.read() as published:
        row = load_object(published, place)
    if row.get("deleted_at") is not None:
        raise NotMirrored(f"{path} was deleted upstream already")
    if place.kind == "run":
        _delete(mirror, RUN, path, {"run_id": row["run_id"]}, row)
    elif place.kind == "artifact" and not row["is_link"]:
        where = {"artifact_id": row["artifact_id"]}
        _delete(mirror, ARTIFACT, path, where, row, deleteAliases=deletes_aliases)
    else:
        what = "a link" if place.kind == "artifact" else f"a {place.kind}"
        raise OnlyUpstream(f"{path}: {what} is not deleted from here; use wandb.Api, then sync")


def _delete(
    mirror: Mirror, kind: Kind, path: str, where: Mapping[str, Any], row: Row, **more: Any
) -> None:
    """Delete one object, and mark every row that is of it."""
    deletion = DELETIONS[kind.plural]
    with _reaching(mirror) as (client, store):
        found = [
            each
            for rows in store.load_rows(kind, where=where)
            for each in rows
            if each[deletion.id_column] == row[deletion.id_column]
        ]
        with _audited(mirror, store, kind, [path]):
            client.execute(*deletion_document(deletion, [row[deletion.id_column]], **more))
        _mark(mirror, store, kind, found)
    mirror.publish()


def delete_run_files(mirror: Mirror, path: str, pattern: str) -> int:
    """Delete the files of a run whose names match a glob; return how many.

    Raises ``BadPath``, ``NotMirrored`` where none does, ``WrongServer``, and what a sync raises.
    """
    place = parse_object(path)
    with mirror.read() as published:
        run = load_object(published, ObjectPath("run", place.parts))
    deletion = DELETIONS[RUN_FILE.plural]
    with _reaching(mirror) as (client, store):
        runs = [
            each
            for rows in store.load_rows(RUN, where={"run_id": run["run_id"]})
            for each in rows
            if each["storage_id"] == run["storage_id"]
        ]
        keys = {each["project_id"] for each in runs}
        found = [
            each
            for rows in store.load_rows(RUN_FILE, where={"run_id": run["run_id"]})
            for each in rows
            if each["project_id"] in keys
            and each["deleted_at"] is None
            and fnmatchcase(each["name"], pattern)
        ]
        if not found:
            raise NotMirrored(f"{path} has no file that matches {pattern!r}")
        for start in range(0, len(found), FILES_TOGETHER):
            some = found[start : start + FILES_TOGETHER]
            ids = [each[deletion.id_column] for each in some]
            with _audited(mirror, store, RUN_FILE, [f"{path}/{each['name']}" for each in some]):
                client.execute(*deletion_document(deletion, ids))
            _mark(mirror, store, RUN_FILE, some)
    mirror.publish()
    return len(found)


@contextmanager
def _reaching(mirror: Mirror) -> Iterator[tuple[Client, Store]]:
    """Open upstream and the store; raises ``WrongServer``."""
    with closing(mirror.connect()) as connection, Store.open(mirror.store_path) as store:
        check_server(store, connection.base_url, mirror.folder)
        yield connection.upstream.client, store


@contextmanager
def _audited(mirror: Mirror, store: Store, kind: Kind, paths: Sequence[str]) -> Iterator[None]:
    """Write down who asks for a deletion before it is sent, and afterwards what became of it.

    One that has no outcome there may have happened: asking again is safe, and a sync tells.
    """

    def note(result: str, why: str | None = None) -> None:
        store.outbox.note(kind.plural, paths, result, now=mirror.now(), who=who(), why=why)

    note("deletion asked for")
    try:
        yield
    except Refused as error:
        note("refused", str(error))
        raise Refused(f"{error}; if it is gone already, the next sync marks it") from error
    note("deleted")


def _mark(mirror: Mirror, store: Store, kind: Kind, rows: Sequence[Row]) -> None:
    for row in rows:
        store.mark_deleted(kind, tuple(row[name] for name in kind.key), now=mirror.now())
