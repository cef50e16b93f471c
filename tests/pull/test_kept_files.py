from __future__ import annotations

import os
import re
import time
from pathlib import Path

import pytest

from fakes.pulling import STEPS
from wandb_mirror.errors import BadRow, Interrupted, Refused
from wandb_mirror.kinds.pages import ExportsReply, StepsReply
from wandb_mirror.pull import kept_files
from wandb_mirror.pull.journal import Journal
from wandb_mirror.pull.kept_files import KeptFiles
from wandb_mirror.pull.reading import Reading

HERE = "https://host/a/0.parquet"


class Server:
    """Hands out what lies behind an address, whatever its signature; an error is raised."""

    def __init__(self) -> None:
        self.behind = {"0": b"zero", "1": b"one"}
        self.sent = []

    def send(self, client, url, file):
        self.sent.append(url)
        found = self.behind[url.partition(".parquet")[0].rpartition("/")[2]]
        file.write(b"half a file that broke off")
        file.seek(0)
        file.truncate()
        if isinstance(found, Exception):
            raise found
        for byte in found:
            file.write(bytes([byte]))
        file.flush()


@pytest.fixture
def server(monkeypatch):
    made = Server()
    monkeypatch.setattr(kept_files, "download_into", made.send)
    return made


def fetch(kept, *urls, run_id="r", told="2 lines", live=None):
    reading = Reading(run_id, 0, True, 2, told=told)
    return kept.fetch(None, reading, ExportsReply(urls or (HERE,), live, 2, 1))


def files(folder, *, resumes=True, project="p1"):
    return KeptFiles(folder, STEPS, project, resumes=resumes)


def contents(fetched):
    return [Path(path).read_bytes() for path in fetched.paths]


@pytest.mark.parametrize("held", [0, 4, 1000])
def test_a_file_is_the_same_whether_it_is_held_in_memory_or_on_disk_while_it_comes(
    tmp_path, server, monkeypatch, held
):
    monkeypatch.setattr(kept_files, "LONGEST_HELD", held)
    server.behind["0"] = b"longer than four bytes"
    first = fetch(files(tmp_path))
    assert contents(first) == [b"longer than four bytes"]
    assert [path.name for path in tmp_path.iterdir()] == [Path(first.paths[0]).name]
    assert fetch(files(tmp_path)).paths == first.paths  # its name says what is in it
    assert len(server.sent) == 1
    server.behind["1"] = BadRow("runs", "r", "no such file")
    with pytest.raises(BadRow):
        fetch(files(tmp_path), HERE.replace("0", "1"))
    assert len(list(tmp_path.iterdir())) == 1


def leave(folder, *urls):
    """Fetch as a sync does that is killed then."""
    return fetch(files(folder), *urls)


def test_a_file_that_came_whole_is_not_fetched_again_whatever_its_signature(server, tmp_path):
    before = leave(tmp_path, f"{HERE}?sig=1", "https://host/a/1.parquet?sig=1")
    again = fetch(files(tmp_path), "https://host/a/1.parquet?sig=2", f"{HERE}?sig=3")
    assert contents(again) == [b"one", b"zero"]
    assert (again.size, again.stop) == (7, 2) == (before.size, before.stop)
    assert len(server.sent) == 2


@pytest.mark.parametrize(
    "other", [{"told": "3 lines"}, {"run_id": "s"}, {"live": 1}, {"urls": ["https://h/0.parquet"]}]
)
def test_a_file_is_not_taken_for_that_of_a(server, tmp_path, other):
    leave(tmp_path)
    server.behind["0"] = b"other"
    assert contents(fetch(files(tmp_path), *other.pop("urls", ()), **other)) == [b"other"]


def test_a_full_refresh_and_another_day_begin_anew(server, tmp_path):
    leave(tmp_path)
    fetch(files(tmp_path, project="p2"))
    files(tmp_path, resumes=False)
    [of_another] = tmp_path.iterdir()
    os.utime(of_another, times=(time.time() - 90_000,) * 2)
    files(tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("damage", [b"", b"zer", b"zerO", b"\0\0\0\0"])
def test_a_file_that_lost_something_is_fetched_anew_once(server, tmp_path, damage):
    [path] = leave(tmp_path).paths
    Path(path).write_bytes(damage)
    assert contents(fetch(files(tmp_path))) == [b"zero"]
    assert contents(fetch(files(tmp_path))) == [b"zero"]
    assert len(server.sent) == 2


def test_addresses_that_do_not_tell_files_apart_are_not_believed(server, tmp_path):
    urls = [f"{HERE}?file={name}" for name in "abcd"]
    for two in (urls[:2], urls[2:]):
        fetched = fetch(files(tmp_path), *two, two[0])
        assert len(set(fetched.paths)) == 2
    assert server.sent == urls


def test_a_hostile_address_names_no_place_on_disk(server, tmp_path):
    server.behind["passwd"] = b"x"
    fetch(files(tmp_path), "https://host/../../../etc/passwd.parquet\0\ud800?x=/../y")
    [path] = tmp_path.iterdir()
    assert re.fullmatch(r"export-[0-9a-f]{16}-[0-9a-f]{32}-[0-9a-f]{8}\.parquet", path.name)


@pytest.mark.parametrize(
    ("problem", "raised", "left"),
    [(Refused("expired"), Refused, 0), (b"", BadRow, 0), (Interrupted("stop"), Interrupted, 1)],
)
def test_what_a_problem_leaves_on_disk(server, tmp_path, problem, raised, left):
    server.behind["1"] = problem
    with pytest.raises(raised):
        leave(tmp_path, HERE, "https://host/a/1.parquet")
    assert len(list(tmp_path.iterdir())) == left


def test_what_is_not_ours_is_left_alone_and_what_is_unfinished_is_removed(server, tmp_path):
    mine = tmp_path / "export-of-my-own.parquet"
    mine.touch()
    (tmp_path / "export-0123456789abcdef-half.part").touch()
    leave(tmp_path)
    files(tmp_path).close(is_over=False)
    assert len(list(tmp_path.iterdir())) == 2
    files(tmp_path).close(is_over=True)
    assert list(tmp_path.iterdir()) == [mine]


def test_without_a_folder_nothing_stays(server):
    kept = files(None)
    [path] = fetch(kept).paths
    kept.close(is_over=False)
    assert not Path(path).exists()


def test_of_a_project_that_is_forgotten_nothing_is_left(server, tmp_path):
    leave(tmp_path)
    journal = Journal(tmp_path, STEPS, "p1", resumes=True)
    reading = Reading("r", 0, True, 2, rows=10)
    journal.keep(reading, reading.window(), StepsReply(["{}"], 1, 0))
    journal.close(is_over=False)
    assert len(list(tmp_path.iterdir())) == 2
    kept_files.remove_left(tmp_path, STEPS, "p1")
    assert not list(tmp_path.iterdir())
