"""Views that depend on no data are made beside everything else, and nothing is lost by that."""

from __future__ import annotations

import threading

import duckdb
import pytest

from wandb_mirror.errors import DiskFull
from wandb_mirror.settings import Settings, WarehouseSettings
from wandb_mirror.warehouse.derive import Deriver
from wandb_mirror.warehouse.engine import Database
from wandb_mirror.warehouse.warehouse import Warehouse


@pytest.fixture
def opened(tmp_path):
    def open_warehouse(on_commit=lambda label: None):
        return Warehouse.open(
            tmp_path / "warehouse.duckdb",
            settings=Settings(),
            published=tmp_path / "wandb.duckdb",
            url="https://wandb.ai",
            pair_id="pair",
            store_seq=0,
            on_commit=on_commit,
        )

    return open_warehouse


def described(path):
    """Return each view's text, and what its columns are said to be."""
    with duckdb.connect(path, read_only=True) as file:
        views = file.execute(
            "SELECT view_name, sql, comment FROM duckdb_views() WHERE NOT internal"
        )
        found = sorted(views.fetchall())
        columns = file.execute(
            "SELECT table_name, column_name, comment FROM duckdb_columns() "
            "WHERE schema_name = 'main' AND NOT internal"
        )
        return found, sorted(columns.fetchall())


def test_views_made_beside_are_those_that_publishing_makes(opened, tmp_path):
    with opened() as warehouse:
        warehouse.publish()
    one = described(tmp_path / "wandb.duckdb")
    for each in tmp_path.iterdir():
        each.unlink()
    with opened() as warehouse:
        warehouse.prepare()
        warehouse.publish()
    assert described(tmp_path / "wandb.duckdb") == one
    assert len(one[0]) > 30
    assert all(comment for *_, comment in one[1])


def test_a_file_that_has_its_views_gets_none_made_beside(opened, monkeypatch):
    with opened() as warehouse:
        warehouse.publish()
    monkeypatch.setattr(Deriver, "make_main_views", pytest.fail)
    with opened() as warehouse:
        warehouse.prepare()
        warehouse.publish()


def test_what_fails_beside_is_raised_by_publishing_and_tried_again(opened, monkeypatch, tmp_path):
    def fail(deriver):
        raise DiskFull("no room")

    with monkeypatch.context() as broken, opened() as warehouse:
        broken.setattr(Deriver, "make_main_views", fail)
        warehouse.prepare()
        with pytest.raises(DiskFull):
            warehouse.publish()
    assert not (tmp_path / "wandb.duckdb").exists()
    with opened() as warehouse:
        warehouse.publish()
    assert len(described(tmp_path / "wandb.duckdb")[0]) > 30


def test_a_warehouse_is_closed_after_what_goes_on_beside_it(opened, monkeypatch):
    goes_on, made = threading.Event(), Deriver.make_main_views

    def wait(deriver):
        assert goes_on.wait(10)
        made(deriver)

    monkeypatch.setattr(Deriver, "make_main_views", wait)
    warehouse = opened()
    warehouse.prepare()
    closing = threading.Thread(target=warehouse.close)
    closing.start()
    closing.join(0.1)
    assert closing.is_alive()
    goes_on.set()
    closing.join(10)
    assert not closing.is_alive()
    with opened() as again:  # what was made beside is in the file
        assert again._facts.find("view ")


def test_memory_is_not_cut_back_while_another_thread_is_at_work(tmp_path):
    database = Database(tmp_path / "w.duckdb", WarehouseSettings())

    def cached():
        database.value("SELECT sum(a) FROM t")
        database.trim()
        return database.value(
            "SELECT memory_usage_bytes FROM duckdb_memory() WHERE tag = 'BASE_TABLE'"
        )

    database.run("CREATE TABLE t AS SELECT random() AS a FROM range(5_000_000)")
    database.run("CHECKPOINT w")
    twin = database.twin()
    assert cached() > 30_000_000
    twin.close()
    assert cached() < 20_000_000
    database.close()
