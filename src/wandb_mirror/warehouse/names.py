"""Names for keys, columns and schemas: the first come keeps a name, others get ``~2``, for good."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from wandb_mirror.jsontext import loads
from wandb_mirror.warehouse.engine import Database


def show_path(path: str) -> str:
    """Return a path, given as a JSON array, as W&B shows it: parts joined by dots."""
    return ".".join(loads(path))


def fold(name: str) -> str:
    """Return what DuckDB compares identifiers by: ASCII letters alone are folded."""
    return "".join(chr(ord(each) + 32) if "A" <= each <= "Z" else each for each in name)


def free_name(wanted: str, taken: Collection[str], *, is_folded: bool) -> str:
    """Return ``wanted``, or it with the first ``~n`` that is free."""
    key = fold if is_folded else str
    name, number = wanted, 1
    while key(name) in taken:
        number += 1
        name = f"{wanted}~{number}"
    return name


def name_keys(database: Database) -> None:
    """Give every new key its name, those of one publication in the order of code points."""
    new = database.rows(
        "SELECT project_no, source, path, key_no FROM _data.keys WHERE name IS NULL"
    )
    for scope in sorted({(project_no, source) for project_no, source, _, _ in new}):
        project_no, source = scope
        taken = {
            name
            for (name,) in database.rows(
                "SELECT name FROM _data.keys "
                "WHERE project_no = ? AND source = ? AND name IS NOT NULL",
                [project_no, source],
            )
        }
        named: list[tuple[int, str]] = []
        here = [(path, key_no) for number, kind, path, key_no in new if (number, kind) == scope]
        for path, key_no in sorted(here, key=lambda each: (show_path(each[0]), each[0])):
            name = free_name(show_path(path), taken, is_folded=False)
            taken.add(name)
            named.append((key_no, name))
        _write_names(database, named)


def _write_names(database: Database, named: Iterable[tuple[int, str]]) -> None:
    pairs = list(named)
    database.run(
        "UPDATE _data.keys SET name = n.name FROM "
        "(SELECT unnest(?) AS key_no, unnest(?) AS name) n WHERE keys.key_no = n.key_no",
        [[key_no for key_no, _ in pairs], [name for _, name in pairs]],
    )


def name_schemas(database: Database) -> None:
    """Give every project its schema, ``entity/project``; a live project owns the plain name."""
    projects = database.rows(
        "SELECT project_no, entity || '/' || project, s.schema_name "
        "FROM _data.projects LEFT JOIN _data.schemas s USING (project_no) "
        "WHERE entity IS NOT NULL AND project IS NOT NULL "
        "ORDER BY inaccessible_since IS NOT NULL, s.schema_name IS NULL, project_no"
    )
    taken: set[str] = set()
    chosen: list[tuple[int, str]] = []
    for project_no, plain, old in projects:
        keeps = old is not None and old.split("~")[0] == plain and fold(plain) in taken
        name = old if keeps and fold(old) not in taken else free_name(plain, taken, is_folded=True)
        taken.add(fold(name))
        chosen.append((project_no, name))
    database.run("DELETE FROM _data.schemas")
    if chosen:
        database.run(
            "INSERT INTO _data.schemas SELECT unnest(?), unnest(?)",
            [[number for number, _ in chosen], [name for _, name in chosen]],
        )
