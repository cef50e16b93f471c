"""Content is kept by its checksum, handed out as copies, and never if it is something else."""

from __future__ import annotations

import errno
import hashlib
import os
from base64 import b64encode

import pytest

from wandb_mirror.blobs.blobs import ASIDE, PARTIAL, Blobs
from wandb_mirror.blobs.digest import Digest, human_size
from wandb_mirror.blobs.files import FileOf, Placer
from wandb_mirror.blobs.writing import full_disk_in_our_words, write_all
from wandb_mirror.errors import BadName, DiskFull, WrongContent


def digest_of(content):
    return Digest.read(b64encode(hashlib.md5(content, usedforsecurity=False).digest()).decode())


def keep(blobs, content):
    digest = digest_of(content)
    blobs.receive(digest, len(content), lambda file: file.write(content))
    return digest


@pytest.fixture
def blobs(tmp_path):
    return Blobs(tmp_path / "blobs")


def test_a_checksum_is_read_in_base64_and_in_digits_and_nothing_else_is_one():
    raw = hashlib.md5(b"x", usedforsecurity=False).digest()
    assert (
        Digest.read(b64encode(raw).decode()) == Digest.read(raw.hex()) == Digest("md5", raw.hex())
    )
    assert Digest.read(raw.hex(), "XXH128") == Digest("xxh128", raw.hex())
    for text, algorithm in (
        (None, None), ("", None), ("etag", None), ("AAAA", None), (raw.hex(), "SHA999"), ("é", None)
    ):  # fmt: skip
        assert Digest.read(text, algorithm) is None


def test_newer_checksums_are_those_of_the_real_client(tmp_path):
    hashutil = pytest.importorskip("wandb.sdk.lib.hashutil")
    path = tmp_path / "file"
    path.write_bytes(b"some content" * 1000)
    assert Digest.read(hashutil.md5_file_b64(path)).agrees(path)
    assert Digest.read(hashutil.xxh128_file_b64(path), "XXH128").agrees(path)


def test_what_is_kept_is_there_once_and_its_copies_are_free(blobs, tmp_path):
    digest = keep(blobs, b"content")
    assert blobs.has(digest, 7)
    assert not blobs.has(digest, 8)
    blobs.put(digest, tmp_path / "a/b")
    (tmp_path / "a/b").write_bytes(b"edited")
    blobs.put(digest, tmp_path / "c")
    assert (tmp_path / "c").read_bytes() == b"content"
    assert [held.digest for held in blobs.held()] == [digest]


def test_a_copy_may_be_written_to_and_the_kept_may_not(blobs, tmp_path):
    digest = keep(blobs, b"content")
    blobs.put(digest, tmp_path / "copy")
    assert (tmp_path / "copy").stat().st_mode & 0o200
    assert not blobs.path_of(digest).stat().st_mode & 0o222


@pytest.mark.parametrize(("content", "size"), [(b"other", 5), (b"content!", 7)])
def test_what_is_not_what_its_checksum_says_is_set_aside(blobs, content, size):
    digest = digest_of(b"content")
    with pytest.raises(WrongContent, match="checksum"):
        blobs.receive(digest, size, lambda file: file.write(content))
    assert not blobs.has(digest, None)
    assert blobs.loose_bytes(ASIDE) == len(content)


def test_what_a_killed_process_left_half_written_is_no_content_and_goes_with_time(blobs):
    kept = keep(blobs, b"content")
    for name in (PARTIAL, ASIDE):
        left = blobs.folder / name / "md5-left"
        left.parent.mkdir(exist_ok=True)
        left.write_bytes(b"left")
        os.utime(left, (100, 100))
    assert [each.digest for each in blobs.held()] == [kept]
    blobs.clear_loose(before=100)
    assert (blobs.loose_bytes(PARTIAL), blobs.loose_bytes(ASIDE)) == (4, 4)
    blobs.clear_loose(before=101)
    assert (blobs.loose_bytes(PARTIAL), blobs.loose_bytes(ASIDE)) == (0, 0)


def test_what_is_being_received_does_not_lie_among_the_contents(blobs, monkeypatch):
    seen = []
    replace = os.replace
    monkeypatch.setattr(os, "replace", lambda *ends: (seen.extend(blobs.held()), replace(*ends)))
    keep(blobs, b"content")
    assert seen == []


def test_two_that_receive_the_same_at_once_do_not_meet(blobs):
    digest = digest_of(b"content")

    def fetch_while_another_does(file):
        file.write(b"con")
        file.flush()
        keep(blobs, b"content")
        file.write(b"tent")

    blobs.receive(digest, 7, fetch_while_another_does)
    assert blobs.path_of(digest).read_bytes() == b"content"


def file_of(blobs, name, content):
    return FileOf(name, len(content), keep(blobs, content))


def test_what_is_there_with_other_content_stays_unless_it_may_go(blobs, tmp_path):
    file = file_of(blobs, "a", b"ours")
    (tmp_path / "a").write_bytes(b"theirs")
    with pytest.raises(BadName, match="--overwrite"):
        Placer(blobs).put(file, tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == b"theirs"
    assert Placer(blobs, overwrites=True).put(file, tmp_path / "a")
    assert not Placer(blobs).put(file, tmp_path / "a")


def test_two_names_that_are_one_file_here_do_not_replace_each_other(blobs, tmp_path):
    first, second = file_of(blobs, "a", b"one"), file_of(blobs, "A", b"two")
    placer = Placer(blobs, overwrites=True)
    placer.put(first, tmp_path / "a")
    (tmp_path / "A").hardlink_to(tmp_path / "a")  # as a file system without cases has it
    with pytest.raises(BadName, match="one file on this file system"):
        placer.put(second, tmp_path / "A")


def test_sizes_are_written_as_people_read_them():
    assert [human_size(each) for each in (0, 1536, 3 << 30)] == ["0.0B", "1.5KiB", "3.0GiB"]


class NearlyFull:
    """A file on a disk that takes three bytes at a time, and seven in all."""

    def __init__(self) -> None:
        self.taken = b""

    def write(self, content):
        if len(self.taken) >= 7:
            raise OSError(errno.ENOSPC, "No space left on device")
        self.taken += bytes(content[:3])
        return min(3, len(content))


def test_what_a_disk_takes_a_part_of_is_not_taken_for_whole(tmp_path):
    file = NearlyFull()
    assert write_all(file, b"seven b") == 7
    assert file.taken == b"seven b"
    with pytest.raises(DiskFull, match="make room"), full_disk_in_our_words(tmp_path):
        write_all(NearlyFull(), b"more than seven")


@pytest.mark.parametrize("most", [0, 1_000_000])
def test_a_system_that_stops_copying_half_way_leaves_no_hole(blobs, tmp_path, monkeypatch, most):
    content = bytes(range(256)) * 10_000
    digest = keep(blobs, content)
    copied = []

    def copy_a_part(source, target, _at_once):
        if copied or not most:
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        copied.append(os.write(target, os.read(source, most)))
        return most

    monkeypatch.setattr(os, "copy_file_range", copy_a_part)
    blobs.put(digest, tmp_path / "copy")
    assert sum(copied) == most
    assert (tmp_path / "copy").read_bytes() == content
