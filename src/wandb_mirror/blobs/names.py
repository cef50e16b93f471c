"""Names from upstream become paths below a folder, or are refused.

Whoever writes an artifact chooses the names in it. None leads out of the folder that somebody
chose, through a link, onto a device, or onto another file of the same download.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Sequence
from pathlib import Path

from wandb_mirror.errors import BadName

LONGEST_PART, LONGEST_PATH = 255, 4000
"""Bytes; of a part as file systems set it, of a path as systems do, with room to spare."""
_RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(\..*)?", re.IGNORECASE)
_DRIVE = re.compile(r"[A-Za-z]:")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_NOT_ON_WINDOWS = re.compile(r'[<>:"|?*\\]|[. ]$')


def find_target(root: Path, name: str, *, is_windows: bool = os.name == "nt") -> Path:
    """Return where a file of this name belongs below ``root``.

    Raises ``BadName``: for what leads elsewhere anywhere, for what this system cannot hold, and
    where a link stands on the way.
    """
    parts = _split(name, is_windows=is_windows)
    target = root
    for number, part in enumerate(parts, 1):
        target = target / part
        _check_way(target, name, is_last=number == len(parts))
    if len(os.fsencode(target)) > LONGEST_PATH:
        raise BadName(f"{_shown(name)} is too long for a path below {root}")
    return target


def find_targets(root: Path, names: Sequence[str]) -> list[Path]:
    """Return where files of these names belong below ``root``, together.

    Raises ``BadName`` as ``find_target`` does, and where one is to be a file and a folder.
    """
    targets = [find_target(root, name) for name in names]
    files = set(targets)
    for name, target in zip(names, targets, strict=True):
        for folder in target.parents:
            if folder == root:
                break
            if folder in files:
                raise BadName(f"{_shown(name)} needs a folder {folder}, which is a file too")
    return targets


def _split(name: str, *, is_windows: bool) -> list[str]:
    """Return the parts of a name; raises ``BadName``."""
    if not name or _CONTROL.search(name):
        raise BadName(f"{_shown(name)} is no name of a file: it is empty or has control characters")
    if name.startswith(("/", "\\")) or _DRIVE.match(name):
        raise BadName(f"{_shown(name)} names a place of its own, not one below a folder")
    try:
        name.encode()
    except UnicodeEncodeError:
        raise BadName(f"{_shown(name)} is no text that a file system can hold") from None
    parts = name.split("/")
    for part in parts:
        if part in ("", ".", "..") or part.replace("\\", "/").split("/").count(".."):
            raise BadName(f"{_shown(name)} leads out of its folder or nowhere")
        if len(part.encode()) > LONGEST_PART:
            raise BadName(f"{_shown(name)} has a part longer than {LONGEST_PART} bytes")
        if is_windows and (_NOT_ON_WINDOWS.search(part) or _RESERVED.fullmatch(part)):
            raise BadName(f"{_shown(name)} is a name that Windows keeps for itself")
    return parts


def _check_way(place: Path, name: str, *, is_last: bool) -> None:
    """Refuse links, and what is no folder where one must be."""
    try:
        mode = place.lstat().st_mode
    except FileNotFoundError:
        return
    except (OSError, ValueError) as error:
        raise BadName(f"{_shown(name)} cannot be a path here: {error}") from error
    if stat.S_ISLNK(mode):
        raise BadName(f"{_shown(name)} would be written through the link {place}; remove it first")
    if is_last and not stat.S_ISREG(mode):
        raise BadName(f"{_shown(name)} would replace {place}, which is no file; remove it first")
    if not is_last and not stat.S_ISDIR(mode):
        raise BadName(f"{_shown(name)} needs the folder {place}, which is a file; remove it first")


def _shown(name: str) -> str:
    """Return a name as a message can hold it."""
    return ascii(name if len(name) <= LONGEST_PART else name[:LONGEST_PART] + "…")
