"""Migrations lead to the tables made from the kinds, from a checkout and from a wheel."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from wandb_mirror.store.engine import HEAD, find_migrations
from wandb_mirror.store.store import Store
from wandb_mirror.store.tables import KIND_TABLES, metadata

ROOT = Path(__file__).parents[1]
MIGRATIONS = ROOT / "migrations"


@pytest.fixture
def engine():
    engine = sa.create_engine("sqlite://")
    yield engine
    engine.dispose()


def migrate(connection, step, revision):
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    step(config, revision)


def describe(connection):
    query = "SELECT name, sql FROM sqlite_master WHERE tbl_name != 'alembic_version' ORDER BY name"
    return connection.exec_driver_sql(query).all()


def test_migrations_lead_to_the_tables_made_from_the_kinds(engine):
    with engine.begin() as connection:
        migrate(connection, command.upgrade, "head")
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
        assert {*KIND_TABLES, "alembic_version"} <= set(sa.inspect(connection).get_table_names())


def test_a_new_store_is_what_migrations_lead_to(tmp_path, engine):
    with engine.begin() as migrated:
        migrate(migrated, command.upgrade, "head")
        with Store.open(tmp_path / "store.sqlite") as store, store._engine.connect() as made:
            assert named_parts(made) == named_parts(migrated)
            version = made.exec_driver_sql("SELECT version_num FROM alembic_version").scalars()
            assert version.all() == [HEAD]
            migrate(made, command.upgrade, "head")  # it finds nothing to do


def named_parts(connection):
    """Return tables with their columns, keys and indexes, whatever order they were made in."""
    inspector = sa.inspect(connection)
    return {
        table: (
            [{**each, "type": str(each["type"])} for each in inspector.get_columns(table)],
            inspector.get_pk_constraint(table),
            sorted(inspector.get_indexes(table), key=lambda each: each["name"]),
            inspector.get_unique_constraints(table),
            inspector.get_check_constraints(table),
            inspector.get_foreign_keys(table),
        )
        for table in inspector.get_table_names()
    }


def test_the_newest_revision_is_the_one_the_program_knows():
    script = ScriptDirectory(str(MIGRATIONS))
    assert script.get_heads() == [HEAD]


def test_a_migration_is_found_by_the_revision_its_file_begins_with():
    script = ScriptDirectory(str(MIGRATIONS))
    for revision in script.walk_revisions():
        assert Path(revision.path).name.partition("_")[0] == revision.revision


def test_a_checkout_uses_the_migrations_beside_src():
    assert find_migrations() == MIGRATIONS


def test_every_constraint_and_index_has_a_name(engine):
    with engine.begin() as connection:
        migrate(connection, command.upgrade, "head")
        inspector = sa.inspect(connection)
        for table in metadata.tables:
            assert inspector.get_pk_constraint(table)["name"] == f"pk_{table}"
            assert all(index["name"] for index in inspector.get_indexes(table))


def test_going_down_and_up_again_ends_at_the_same_tables(engine):
    with engine.begin() as connection:
        migrate(connection, command.upgrade, "head")
        before = describe(connection)
        migrate(connection, command.downgrade, "base")
        assert describe(connection) == []
        migrate(connection, command.upgrade, "head")
        assert describe(connection) == before


def test_migrations_import_nothing_of_ours_but_the_tables():
    found = {}
    for file in MIGRATIONS.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("wandb_mirror"):
                found[file.name] = (node.module, [alias.name for alias in node.names])
            if isinstance(node, ast.Import):
                assert not [each for each in node.names if each.name.startswith("wandb_mirror")]
    assert found == {"env.py": ("wandb_mirror.store.tables", ["metadata"])}


PROGRAM = """
import sys
from pathlib import Path
from wandb_mirror.store.engine import find_migrations
from wandb_mirror.store.store import Store
with Store.open(Path(sys.argv[1])) as store:
    print(find_migrations())
    print(store.load_changed_seq(), len(store.pair_id))
"""


def test_a_store_is_made_by_what_the_wheel_holds(tmp_path):
    built = subprocess.run(
        [
            *(sys.executable, "-m", "build", "--wheel", "--no-isolation"),
            *("--outdir", str(tmp_path / "dist"), str(ROOT)),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stdout + built.stderr
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    unpacked = tmp_path / "100% unpacked"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(unpacked)
    path = tmp_path / "mirror" / "store.sqlite"
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(path)],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(unpacked)},
    )
    found, counts = done.stdout.splitlines()
    assert Path(found) == (unpacked / "wandb_mirror" / "migrations").resolve()
    assert counts == "0 32"
    names = {each.name for each in (unpacked / "wandb_mirror" / "migrations").rglob("*.py")}
    assert names >= {"env.py", *(each.name for each in (MIGRATIONS / "versions").glob("*.py"))}
