"""Save a page of rows: what differs from what is there is written, all under one number."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from wandb_mirror.jsontext import clean
from wandb_mirror.kinds.pages import Row, Saved
from wandb_mirror.kinds.spec import Kind
from wandb_mirror.store.books import drop_removals, next_seq
from wandb_mirror.store.conditions import Key, with_keys
from wandb_mirror.store.digest import digest_light
from wandb_mirror.store.engine import upsert
from wandb_mirror.store.past import remember
from wandb_mirror.store.tables import KIND_TABLES


def save_rows(
    connection: sa.Connection, kind: Kind, rows: Sequence[Row], *, now: datetime, is_whole: bool
) -> Saved:
    """Write those rows that differ from what is there, or are not there, or were marked as gone.

    A row is compared by the columns it carries, and only those are written. Only a whole row
    settles ``light_digest``: after a light one the next walk reads the object whole.
    """
    is_settled = is_whole or not kind.has_heavy_fields
    incoming = {tuple(row[name] for name in kind.key): row for row in map(clean_row, rows)}
    digests = {
        tuple(clean(row[name]) for name in kind.key): digest_light(kind, row)
        for row in (rows if is_settled else ())
    }
    there = _load_there(connection, kind, incoming)
    changed = {key: row for key, row in incoming.items() if _differs(there.get(key), row)}
    if changed:
        seq = next_seq(connection)
        books = {
            "changed_seq": seq,
            "synced_at": now,
            "deleted_at": None,
            "inaccessible_since": None,
            **({"checked_at": now} if is_settled else {}),
        }
        _write(
            connection,
            kind,
            [row | books | {"light_digest": digests.get(key)} for key, row in changed.items()],
        )
        remember(connection, kind, list(changed.values()), seq=seq, at=now)
        drop_removals(connection, kind.plural, [key for key in changed if key not in there])
    if is_settled:
        unchanged = {key: digests[key] for key in incoming if key not in changed}
        _note_checked(connection, kind, unchanged, now)
    own_keys = tuple(key[-1] for key in changed)
    return Saved(len(changed), len(incoming) - len(changed), own_keys)


def clean_row(row: Row) -> Row:
    """Return a row that any engine can hold: no lone surrogates, and NaN, as in SQLite, is None."""
    return {name: _clean_value(value) for name, value in row.items()}


def _clean_value(value: Any) -> Any:
    if type(value) is str:
        return value if value.isascii() else clean(value)
    if type(value) is float and math.isnan(value):
        return None
    return value


def _load_there(
    connection: sa.Connection, kind: Kind, incoming: Mapping[Key, Row]
) -> dict[Key, sa.RowMapping]:
    """Return what is stored of the incoming rows, in the columns that they carry."""
    table = KIND_TABLES[kind.plural]
    carried = {name for row in incoming.values() for name in row}
    wanted = [*sorted(carried), "deleted_at", "inaccessible_since"]
    there: dict[Key, sa.RowMapping] = {}
    for condition in with_keys(kind, list(incoming)):
        query = sa.select(*(table.c[name] for name in wanted)).where(condition)
        for row in connection.execute(query).mappings():
            there[tuple(row[name] for name in kind.key)] = row
    return there


def _differs(old: sa.RowMapping | None, row: Row) -> bool:
    if old is None or old["deleted_at"] is not None or old["inaccessible_since"] is not None:
        return True
    return any(old[name] != value for name, value in row.items())


def _write(connection: sa.Connection, kind: Kind, rows: Sequence[Row]) -> None:
    """Insert rows or replace the columns they carry, those that carry the same ones together."""
    table = KIND_TABLES[kind.plural]
    alike: dict[tuple[str, ...], list[Row]] = {}
    for row in rows:
        alike.setdefault(tuple(row), []).append(row)
    for columns, group in alike.items():
        connection.execute(upsert(table, columns), group)


def _note_checked(
    connection: sa.Connection, kind: Kind, digests: Mapping[Key, str], now: datetime
) -> None:
    """Note that these objects were read whole and found unchanged; that is no change."""
    if not digests:
        return
    table = KIND_TABLES[kind.plural]
    bound = [f"key_{place}" for place in range(len(kind.key))]
    there = (
        table.c[name] == sa.bindparam(part) for name, part in zip(kind.key, bound, strict=True)
    )
    connection.execute(
        table.update().where(*there),
        [
            {**dict(zip(bound, key, strict=True)), "checked_at": now, "light_digest": digest}
            for key, digest in digests.items()
        ],
    )
