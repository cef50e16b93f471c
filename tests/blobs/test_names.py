"""Names that upstream may send: none leads out of the folder, through a link, or onto a device."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wandb_mirror.blobs.names import find_target, find_targets
from wandb_mirror.errors import BadName

NOWHERE = [
    "", ".", "..", "/", "//", "./", "../", "a/..", "../a", "a/../b", "a/../../b", "./a", "a/./b",
    "a//b", "a/", "/etc/passwd", "//server/share", "\\\\server\\share", "\\windows", "C:\\a", "C:/a",
    "c:a", "..\\a", "a\\..\\b", "a/..\\..\\b", "\x00", "a\x00b", "a\nb", "a\rb", "\x1b[2J", "a\x7f",
    "\ud800", "a/\udfff/b", "x" * 256, "é" * 128, "a/" + "x" * 300, "/".join(["d" * 200] * 30),
]  # fmt: skip
ONLY_WINDOWS = [
    "con", "CON", "nul.txt", "a/aux/b", "prn.tar.gz", "COM1", "lpt9.log", "com¹", "a:b", "a<b",
    "what?", "star*", 'quo"te', "pipe|", "back\\slash", "ends.", "ends ", "a /b",
]  # fmt: skip
HARMLESS = [
    "a", "a/b/c", "...", "a..b", "..a", "a..", ".hidden", "-rf", "~", "$HOME", "a b", "%2e%2e/x",
    "ünïcode", "emoji 🎉", "x" * 255, "model:v1", "{0}", "`id`", "$(id)", "a&b;c", "quo'te",
]  # fmt: skip


@pytest.mark.parametrize("name", NOWHERE, ids=ascii)
@pytest.mark.parametrize("is_windows", [False, True])
def test_a_name_that_leads_elsewhere_is_refused_everywhere(tmp_path, name, is_windows):
    with pytest.raises(BadName):
        find_target(tmp_path, name, is_windows=is_windows)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ONLY_WINDOWS, ids=ascii)
def test_a_name_that_windows_keeps_for_itself_is_refused_there(tmp_path, name):
    with pytest.raises(BadName):
        find_target(tmp_path, name, is_windows=True)


@pytest.mark.parametrize("name", HARMLESS, ids=ascii)
def test_a_harmless_name_lands_below_the_folder(tmp_path, name):
    target = find_target(tmp_path, name)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(b"x")
    assert target.resolve().is_relative_to(tmp_path.resolve())
    assert target.relative_to(tmp_path).as_posix() == name


@given(st.text(max_size=40))
def test_whatever_the_name_nothing_but_a_place_below_the_folder_comes_of_it(name):
    root = Path(os.sep, "root-of-nothing").absolute()
    try:
        target = find_target(root, name)
    except BadName:
        return
    assert os.path.normpath(target) == str(target)
    assert target.is_relative_to(root)
    assert target != root


def test_nothing_is_written_through_a_link(tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    root = tmp_path / "root"
    root.mkdir()
    (root / "link").symlink_to(outside)
    (root / "file").symlink_to(outside / "file")
    (root / "dangling").symlink_to(tmp_path / "nothing")
    for name in ("link/a", "file", "dangling", "dangling/a"):
        with pytest.raises(BadName, match="link"):
            find_target(root, name)


def test_a_folder_is_not_replaced_by_a_file_nor_a_file_by_a_folder(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_bytes(b"")
    os.mkfifo(tmp_path / "pipe")
    for name, why in (("folder", "no file"), ("file/a", "needs the folder"), ("pipe", "no file")):
        with pytest.raises(BadName, match=why):
            find_target(tmp_path, name)


def test_one_name_is_not_a_file_and_a_folder(tmp_path):
    assert find_targets(tmp_path, ["a/b", "a/c", "ab"])[0] == tmp_path / "a/b"
    for names in (["a", "a/b"], ["a/b/c", "a/b"]):
        with pytest.raises(BadName, match="a file too"):
            find_targets(tmp_path, names)
