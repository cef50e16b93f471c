"""Windows that came and are not saved yet, kept on disk.

Saving one window at a time is slow, saving many at once leaves much to be lost. So whoever fetches
a window writes it down first: a sync that follows one that was killed asks for none of them again.
What is written down is what the sync that was killed would have saved: it is taken as long as
upstream's listing says the same of the run, which is when the next sync would not have read it
either.

A line of the journal is a head, the size and the CRC-32 of what follows, and an ``Entry`` as
MessagePack. The system may lose the end of a file, so whatever does not fit its head ends it.
"""

from __future__ import annotations

import os
import re
import struct
import threading
import zlib
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from hashlib import sha256
from io import FileIO
from pathlib import Path
from time import time

import msgspec

from wandb_mirror.kinds.pages import StepsReply, StepsRequest
from wandb_mirror.kinds.spec import Kind
from wandb_mirror.pull.reading import Reading

HEAD = struct.Struct("<II")
SUFFIX = ".journal"
NAME = re.compile(rf"\w+-[0-9a-f]{{16}}-\d{{6,}}{SUFFIX}")
OLDEST_SECONDS = 86_400
"""Older journals are removed, whatever they are of."""

Key = tuple[str, int]
"""A window of a run: the run and the window's first step."""


class Entry(msgspec.Struct, frozen=True, array_like=True):
    """A window, and what was known of its run when it was asked for."""

    run_id: str
    min_step: int
    max_step: int
    told: str
    reply: StepsReply

    def answers(self, reading: Reading, asked: StepsRequest) -> bool:
        """Tell whether upstream would still answer this, as far as its listing says."""
        fits = asked.is_first or self.max_step == asked.max_step
        return fits and asked.metrics is None and self.told == reading.told


@dataclass(slots=True)
class _Part:
    """One file of a journal; it is removed when all its windows are saved."""

    path: Path
    waiting: set[Key] = field(default_factory=set)
    file: FileIO | None = None
    places: dict[Key, tuple[int, int]] = field(default_factory=dict)
    """Where each window that an earlier sync left lies, and its size."""

    def append(self, key: Key, text: bytes) -> None:
        """Add a line. Raises ``OSError``."""
        if self.file is None:
            opened = os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
            self.file = FileIO(opened, "w")
        line = HEAD.pack(len(text), zlib.crc32(text)) + text
        if self.file.write(line) != len(line):
            raise OSError(f"{self.path} takes no more")
        self.waiting.add(key)

    def load(self, place: tuple[int, int]) -> Entry | None:
        """Return what lies at a place, None where it is not there any more."""
        with suppress(OSError), self.path.open("rb") as file:
            return _decode(os.pread(file.fileno(), place[1], place[0]))
        return None

    def close(self) -> None:
        """Let the file be."""
        if self.file is not None:
            self.file.close()
            self.file = None

    def remove(self) -> None:
        """Remove the file."""
        self.close()
        self.path.unlink(missing_ok=True)


class Journal:
    """The windows of one kind of one project that wait to be saved; threads may write at once."""

    def __init__(self, folder: Path | None, kind: Kind, project_id: str, *, resumes: bool) -> None:
        """Read what an earlier sync left; where it shall not count, remove it.

        Without a folder nothing is written down.
        """
        self._lock = threading.Lock()
        self._folder = folder
        self._stem = f"{kind.plural}-{name_of_project(kind, project_id)}"
        self._number = 0
        self._current: _Part | None = None
        self._parts: list[_Part] = []
        if folder is not None:
            _remove_old(folder)
            for path in sorted(folder.glob(f"{self._stem}-*{SUFFIX}")):
                self._number = max(self._number, _number_of(path))
                self._parts.append(_read(path) if resumes else _Part(path))
            self._forget_saved()

    def find(self, reading: Reading, asked: StepsRequest) -> tuple[StepsRequest, StepsReply] | None:
        """Return a window of a run that came before, with the request that brought it.

        It begins where ``asked`` does; its end may be another where ``asked`` is the first request
        of its run.
        """
        key = (asked.run_id, asked.min_step)
        for part in list(self._parts):
            with self._lock:
                place = part.places.pop(key, None)
            if place is None:
                continue
            entry = part.load(place)
            if entry is not None and entry.answers(reading, asked):
                return replace(asked, max_step=entry.max_step), entry.reply
        return None

    def keep(self, reading: Reading, asked: StepsRequest, reply: StepsReply) -> None:
        """Write a window down; where the disk takes no more, without it."""
        if self._folder is None or not reply.exists:
            return
        if not asked.is_first:  # whoever finds it will not have asked before
            counted = reading.line_count, reading.last_step, reading.metrics
            reply = StepsReply(
                reply.lines, *counted[:2], way=reply.way, metrics=counted[2], values=reply.values
            )
        key = (asked.run_id, asked.min_step)
        entry = Entry(*key, asked.max_step, reading.told, reply)
        with suppress(ValueError, OverflowError):  # lone surrogates, integers past 64 bits
            self._write(self._folder, key, msgspec.msgpack.encode(entry))

    def _write(self, folder: Path, key: Key, text: bytes) -> None:
        with self._lock:
            if self._current is None:
                self._number += 1
                self._current = _Part(folder / f"{self._stem}-{self._number:06}{SUFFIX}")
                self._parts.append(self._current)
            try:
                self._current.append(key, text)
            except OSError:
                self._end_part()  # what comes after a broken line would not be found
                self._forget_saved()

    def _end_part(self) -> None:
        if self._current is not None:
            self._current.close()
            self._current = None

    def forget(self, saved: Iterable[Key]) -> None:
        """Let go of windows that are saved."""
        keys = set(saved)
        with self._lock:
            self._end_part()
            for part in self._parts:
                part.waiting -= keys
            self._forget_saved()

    def _forget_saved(self) -> None:
        for part in self._parts:
            if not part.waiting:
                part.remove()
        self._parts = [part for part in self._parts if part.waiting]

    def close(self, *, is_over: bool) -> None:
        """Close the files; where all is read, remove them."""
        for part in self._parts:
            if is_over:
                part.remove()
            else:
                part.close()


def name_of_project(kind: Kind, project_id: str) -> str:
    """Return what stands for a kind of a project in the names of files."""
    name = f"{kind.plural}\0{project_id}".encode(errors="surrogatepass")
    return sha256(name).hexdigest()[:16]


def _remove_old(folder: Path) -> None:
    for path in folder.glob(f"*{SUFFIX}"):
        if NAME.fullmatch(path.name) and time() - path.stat().st_mtime > OLDEST_SECONDS:
            path.unlink(missing_ok=True)


def _number_of(path: Path) -> int:
    digits = path.stem.rpartition("-")[2]
    return int(digits) if digits.isdecimal() else 0


def _read(path: Path) -> _Part:
    """Return what a part holds."""
    part = _Part(path)
    for entry, start, size in _entries(path):
        key = (entry.run_id, entry.min_step)
        part.places[key] = (start, size)
        part.waiting.add(key)
    return part


def _entries(path: Path) -> Iterator[tuple[Entry, int, int]]:
    """Yield each entry of a part that is whole, where it lies, and its size."""
    with path.open("rb") as file:
        while len(head := file.read(HEAD.size)) == HEAD.size:
            size, checksum = HEAD.unpack(head)
            text = file.read(size)
            if len(text) != size or zlib.crc32(text) != checksum:
                return
            entry = _decode(text)
            if entry is None:
                return
            yield entry, file.tell() - size, size


def _decode(text: bytes) -> Entry | None:
    with suppress(msgspec.DecodeError):  # of another version, or not ours
        return msgspec.msgpack.decode(text, type=Entry)
    return None
