"""The outbox: edits that wait to be pushed, and the audit of what became of each.

Nothing here takes the mirror's lock: the transactions of the store are enough, so people edit while
a sync of hours is at work. Each change of what readers are to see moves a counter.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import datetime

import sqlalchemy as sa

from wandb_mirror.edits.cells import Change
from wandb_mirror.edits.edit import SETTLE, Edit, Target, coalesce
from wandb_mirror.edits.spec import Editable
from wandb_mirror.jsontext import clean
from wandb_mirror.kinds.pages import Row
from wandb_mirror.store.books import load_fact, save_fact
from wandb_mirror.store.edit_rows import (
    Cell,
    about,
    delete_edits,
    load_edits,
    save_edits,
    write_edit,
)
from wandb_mirror.store.replies import save_replies
from wandb_mirror.store.tables import edits, pushed
from wandb_mirror.store.waiting import VERSION

Begin = Callable[..., AbstractContextManager[sa.Connection]]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an edit: the edit as it is from now on, and how the audit puts it."""

    edit: Edit
    result: str
    """A word for the audit; "" for what the audit need not know."""
    message: str | None = None
    is_new: bool = False
    """Whether nobody made the edit: it holds what a push found to be gone upstream."""


@dataclass(frozen=True, slots=True)
class Outbox:
    """The edits of one store; every method is one transaction."""

    _writing: Begin
    _reading: Begin

    def queue(self, made: Sequence[tuple[Target, Change]], *, now: datetime) -> int:
        """Take edits in; return how many cells wait because of them."""
        with self._writing("edits queued") as connection:
            return _take_in(connection, made, now)

    def load(self, states: Collection[str] = ()) -> list[Edit]:
        """Return the edits in some states, or all; by path, then by field."""
        with self._reading() as connection:
            wanted = [edits.c.state.in_(states)] if states else [sa.true()]
            return load_edits(connection, wanted)

    def record(
        self,
        outcomes: Iterable[Outcome],
        *,
        now: datetime,
        who: str,
        replies: tuple[Editable, Sequence[Row]] | None = None,
        lost: Sequence[tuple[Target, Change]] = (),
    ) -> None:
        """Write down what became of edits, with the objects that upstream replied.

        An edit of the same cell that was made meanwhile stays; what upstream replied is its base.
        What a push has overwritten, ``lost``, is taken in to be written again.
        """
        with self._writing("edits recorded") as connection:
            sequence = {} if replies is None else save_replies(connection, *replies, now=now)
            listed = list(outcomes)
            targets = dict.fromkeys(each.edit.cell[:3] for each in listed)
            known = {each.cell: each for each in load_edits(connection, about(targets))}
            kept: list[Edit] = []
            for each in listed:
                edit = each.edit
                if edit.state == "done":
                    place = (edit.target.project_id, edit.target.own_key)
                    edit = replace(edit, reply_seq=sequence.get(place, edit.reply_seq))
                found = known.get(edit.cell)
                kept += [edit] if each.is_new and found is None else _rebased(found, edit)
            save_edits(connection, kept, now)
            _audit(connection, [each for each in listed if each.result], now=now, who=who)
            _put_back(connection, lost, now)
            _move_version(connection)

    def discard(self, cells: Sequence[Cell], *, now: datetime, who: str) -> int:
        """Take edits back; return how many. What upstream confirmed is none any more."""
        with self._writing("edits discarded") as connection:
            wanted = set(cells)
            there = [
                each
                for each in load_edits(connection, about(dict.fromkeys(cell[:3] for cell in cells)))
                if each.cell in wanted and each.state != "done"
            ]
            delete_edits(connection, [each.cell for each in there])
            gone = [Outcome(each, "discarded") for each in there]
            _audit(connection, gone, now=now, who=who)
            if there:
                _move_version(connection)
            return len(there)

    def purge(self, kind: str, mark: int) -> int:
        """Let go of edits whose reply the published file shows; return how many."""
        gone = sa.and_(edits.c.kind == kind, edits.c.state == "done", edits.c.reply_seq <= mark)
        with self._reading() as connection:
            if connection.scalar(sa.select(edits.c.field).where(gone).limit(1)) is None:
                return 0
        with self._writing("edits let go") as connection:
            count = connection.execute(edits.delete().where(gone)).rowcount
            _move_version(connection)
            return count

    def load_pending(self) -> list[Row]:
        """Return what is not upstream yet, as ``pending_edits`` shows it."""
        names = ("path", "field", "key", "base", "local", "upstream", "state", "error")
        query = sa.select(*(edits.c[name] for name in names)).where(edits.c.state != "done")
        with self._reading() as connection:
            rows = connection.execute(query.order_by(*(edits.c[name] for name in names[:3])))
            return [{**row, "key": row["key"] or None} for row in rows.mappings()]

    def note(
        self,
        kind: str,
        paths: Sequence[str],
        result: str,
        *,
        now: datetime,
        who: str,
        why: str | None = None,
    ) -> None:
        """Write into the audit what was done to objects otherwise than by an edit."""
        blank = {"kind": kind, "field": "", "key": "", "at": now, "who": clean(who)}
        rows = [
            {**blank, "path": each, "result": result, "message": why and clean(why)}
            for each in paths
        ]
        with self._writing("audit") as connection:
            connection.execute(pushed.insert(), rows)

    def load_audit(self) -> list[Row]:
        """Return what became of edits, and what was deleted, oldest first."""
        with self._reading() as connection:
            rows = connection.execute(sa.select(pushed).order_by(pushed.c.number)).mappings()
            return [dict(row) for row in rows]


def _take_in(
    connection: sa.Connection, made: Sequence[tuple[Target, Change]], now: datetime
) -> int:
    """Take edits in; return how many cells wait because of them."""
    targets = dict.fromkeys((each.kind, each.project_id, each.own_key) for each, _ in made)
    before = {each.cell: each for each in load_edits(connection, about(targets))}
    after: dict[Cell, Edit | None] = {}
    known_as = {each.cell[:3]: each.target for each in before.values()}
    for asked, given in made:
        change = _cleaned(given)
        # one that was renamed here is the same object under its old path
        target = known_as.get((asked.kind, asked.project_id, asked.own_key), asked)
        cell = _cell_of(target, change)
        known = after[cell] if cell in after else before.get(cell)
        after[cell] = coalesce(known, target, change)
    kept = {
        cell: edit
        for cell, edit in after.items()
        if _spell(edit, now) != _spell(before.get(cell), now)
    }
    delete_edits(connection, [cell for cell, edit in kept.items() if edit is None])
    version = _move_version(connection) if kept else 0
    there = [edit for edit in kept.values() if edit is not None]
    save_edits(connection, [replace(edit, revision=version) for edit in there], now)
    return sum(edit is not None for edit in after.values())


def _put_back(
    connection: sa.Connection, lost: Sequence[tuple[Target, Change]], now: datetime
) -> None:
    """Take in what a push has overwritten.

    Where the cell is edited here too, it is a conflict: no one can tell which is meant.
    """
    if not lost:
        return
    targets = dict.fromkeys((each.kind, each.project_id, each.own_key) for each, _ in lost)
    known = {each.cell: each for each in load_edits(connection, about(targets))}
    new: list[tuple[Target, Change]] = []
    clashes: list[Edit] = []
    for target, change in lost:
        own = known.get(_cell_of(target, change))
        if own is None or own.state == "done":
            new.append((target, change))
        else:
            why = f"a push overwrote what somebody else wrote here; {SETTLE} {target.path}"
            clashes.append(replace(own, state="conflict", upstream=change.local, error=why))
    save_edits(connection, clashes, now)
    _take_in(connection, new, now)


def _cell_of(target: Target, change: Change) -> Cell:
    return (target.kind, target.project_id, target.own_key, change.field, change.key)


def _spell(edit: Edit | None, now: datetime) -> Row | None:
    """Return an edit to compare it by: Python takes 1 and true for equal."""
    return None if edit is None else write_edit(edit, now)


def _cleaned(change: Change) -> Change:
    """Return a change whose key any database can hold."""
    return replace(change, key=clean(change.key))


def _rebased(known: Edit | None, outcome: Edit) -> list[Edit]:
    """Return what is kept of an outcome whose cell was edited again, or discarded, meanwhile."""
    if known is None:
        return [outcome] if outcome.state == "done" else []
    if known.revision == outcome.revision:
        return [outcome]
    if outcome.state == "done":
        return [replace(known, base=outcome.local, state="pending", sent=())]
    if outcome.state == "sent":
        return [replace(known, sent=(*known.sent, outcome.local))]
    return []


def _audit(
    connection: sa.Connection, outcomes: Sequence[Outcome], *, now: datetime, who: str
) -> None:
    names = ("kind", "path", "field", "key", "base", "local", "upstream")
    rows = [
        {
            **{name: value for name, value in write_edit(each.edit, now).items() if name in names},
            "at": now,
            "who": clean(who),
            "result": each.result,
            "message": None if each.message is None else clean(each.message),
        }
        for each in outcomes
    ]
    if rows:
        connection.execute(pushed.insert(), rows)


def _move_version(connection: sa.Connection) -> int:
    version = int(load_fact(connection, VERSION) or 0) + 1
    save_fact(connection, VERSION, str(version))
    return version
