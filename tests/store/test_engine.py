"""Opening: private, safe against power cuts, patient, and clear about what is wrong."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
import threading
import time

import pytest
import sqlalchemy as sa

from fakes.storing import LATER, NOW, SCOPE, make_row
from wandb_mirror.errors import CorruptFile, DiskFull, Locked, StoreTooNew
from wandb_mirror.kinds.run import RUN
from wandb_mirror.store import engine
from wandb_mirror.store.store import Store


def load_all(store):
    return [row for batch in store.load_rows(RUN) for row in batch]


def mode_of(path):
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.skipif(os.name != "posix", reason="POSIX modes")
def test_folder_and_files_are_made_for_the_owner_alone(tmp_path):
    path = tmp_path / "mirror" / "store.sqlite"
    old = os.umask(0)
    try:
        with Store.open(path):
            names = ["store.sqlite", "store.sqlite-shm", "store.sqlite-wal"]
            assert sorted(each.name for each in path.parent.iterdir()) == names
            assert [mode_of(path.with_name(name)) for name in names] == [0o600] * 3
    finally:
        os.umask(old)
    assert mode_of(path.parent) == 0o700


@pytest.mark.skipif(os.name != "posix", reason="POSIX modes")
def test_the_mode_that_somebody_gave_a_file_stays(path):
    path.chmod(0o640)
    path.parent.chmod(0o750)
    Store.open(path).close()
    assert (mode_of(path), mode_of(path.parent)) == (0o640, 0o750)


@pytest.mark.parametrize("name", ["a?b=c", "100%", "x#y", "a b", "über", "a:b"])
def test_any_name_of_a_folder_will_do(tmp_path, name):
    path = tmp_path / name / "store.sqlite"
    Store.open(path).close()
    assert [each.name for each in path.parent.iterdir()] == ["store.sqlite"]


def test_every_connection_is_set_to_survive_a_power_cut(store):
    reading = store._engine.execution_options(reads_only=True)
    pragmas = ("journal_mode", "synchronous", "busy_timeout")
    with reading.connect() as one, reading.connect() as two:
        for connection in (one, two):
            values = [connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in pragmas]
            assert values == ["wal", 2, 30_000]


def test_who_is_told_at_once_that_a_new_file_is_locked_asks_again():
    class Busy(sqlite3.OperationalError):
        sqlite_errorcode = sqlite3.SQLITE_BUSY

    class NewFile:
        refusals = 3

        def execute(self, statement):
            assert statement == "PRAGMA journal_mode=WAL"
            if self.refusals:
                self.refusals -= 1
                raise Busy("database is locked")

    connection = NewFile()
    engine._enter_wal(connection)
    assert connection.refusals == 0


def test_opening_an_upgraded_store_does_not_import_alembic(path):
    program = (
        "import sys; from pathlib import Path; from wandb_mirror.store.store import Store\n"
        "Store.open(Path(sys.argv[1])).close(); sys.exit('alembic' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program, str(path)], check=False).returncode == 0


def test_a_store_written_by_a_newer_program_is_refused_and_left_alone(path):
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(StoreTooNew, match="revision 9999, this one knows"):
        Store.open(path)
    assert path.read_bytes() == before


def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path):
    path = tmp_path / "store.sqlite"
    path.write_bytes(b"garbage, and not a little of it " * 1000)
    before = path.read_bytes()
    with pytest.raises(CorruptFile, match=r"store\.sqlite.*not a database"):
        Store.open(path)
    assert path.read_bytes() == before


def test_a_database_of_something_else_is_refused_and_left_alone(tmp_path):
    path = tmp_path / "store.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE runs (id)")
    connection.close()
    with pytest.raises(CorruptFile, match="something else"):
        Store.open(path)
    with sqlite3.connect(path) as connection:
        tables = connection.execute("SELECT name FROM sqlite_master").fetchall()
    connection.close()
    assert tables == [("runs",)]


def test_a_damaged_page_is_told_from_a_mistake_of_ours(path):
    with Store.open(path) as store:
        page = [make_row(RUN, f"r{number}", config="x" * 3000) for number in range(50)]
        store.save_rows(RUN, page, now=NOW, is_whole=True)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(CorruptFile, match="restore it from a backup"), Store.open(path) as store:
        load_all(store)


def test_a_folder_in_place_of_the_file_is_said_to_be_unusable(tmp_path):
    with pytest.raises(CorruptFile, match="you may write in it"):
        Store.open(tmp_path)


def test_a_file_in_place_of_the_folder_is_said_to_be_unusable(tmp_path):
    (tmp_path / "mirror").touch()
    with pytest.raises(CorruptFile, match="choose a folder"):
        Store.open(tmp_path / "mirror" / "store.sqlite")


def test_a_failed_open_leaves_no_connection_behind(tmp_path, recwarn):
    path = tmp_path / "store.sqlite"
    path.write_bytes(b"garbage " * 1000)
    for _ in range(3):
        with pytest.raises(CorruptFile):
            Store.open(path)
    assert not [each for each in recwarn if issubclass(each.category, ResourceWarning)]


def limit_pages(store, pages):
    """Let the file grow to ``pages`` pages and no further, as on a full disk."""

    def limit(connection, record):
        connection.execute(f"PRAGMA max_page_count={pages}")

    sa.event.listen(store._engine, "connect", limit)
    store._engine.dispose()


def test_a_full_disk_is_said_and_what_was_committed_is_kept(path):
    with Store.open(path) as store:
        store.save_rows(RUN, [make_row(RUN, "a")], now=NOW, is_whole=True)
        before = load_all(store)
        limit_pages(store, 1)
        page = [make_row(RUN, f"r{number}", config="x" * 4000) for number in range(100)]
        with pytest.raises(DiskFull, match="make room"):
            store.save_rows(RUN, page, now=LATER, is_whole=True)
        assert load_all(store) == before
        assert store.load_changed_seq() == 1
    with Store.open(path) as store:
        assert store.save_rows(RUN, page, now=LATER, is_whole=True).changed == 100


def test_a_writer_waits_for_another_and_readers_wait_for_nobody(path):
    with Store.open(path) as store:
        store.save_rows(RUN, [make_row(RUN, "a")], now=NOW, is_whole=True)
        other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        other.execute("BEGIN IMMEDIATE")
        other.execute("UPDATE runs SET name = 'theirs'")
        began = time.monotonic()
        timer = threading.Timer(0.5, other.execute, ["COMMIT"])
        timer.start()
        assert [row["name"] for row in load_all(store)] == ["text"]
        assert time.monotonic() - began < 0.4
        store.save_rows(RUN, [make_row(RUN, "b")], now=LATER, is_whole=True)
        assert time.monotonic() - began >= 0.5
        assert [row["name"] for row in load_all(store)] == ["theirs", "text"]
        timer.join()
        other.close()


def test_who_waits_in_vain_is_told_that_another_holds_the_store(path, monkeypatch):
    monkeypatch.setattr(engine, "BUSY_SECONDS", 0.1)
    with Store.open(path) as store:
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(Locked, match="another process"):
            store.save_fact("a", "b")
        other.execute("ROLLBACK")
        other.close()
        store.save_fact("a", "b")


def test_threads_that_read_see_each_page_whole_or_not_at_all(store):
    torn = []
    done = threading.Event()

    def read():
        while not done.is_set():
            count = store.count_live(RUN, SCOPE)
            if count % 50:
                torn.append(count)

    readers = [threading.Thread(target=read) for _ in range(4)]
    for reader in readers:
        reader.start()
    for number in range(20):
        page = [make_row(RUN, f"{number}-{row}") for row in range(50)]
        store.save_rows(RUN, page, now=NOW, is_whole=True)
    done.set()
    for reader in readers:
        reader.join()
    assert torn == []
    assert store.count_live(RUN, SCOPE) == 1000


def test_threads_may_write_at_once(store):
    def write(name):
        for number in range(10):
            store.save_rows(RUN, [make_row(RUN, f"{name}{number}")], now=NOW, is_whole=True)

    writers = [threading.Thread(target=write, args=[name]) for name in "abcd"]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert store.load_changed_seq() == len(load_all(store)) == 40
