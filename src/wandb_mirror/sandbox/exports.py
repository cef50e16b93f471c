"""Histories exported to Parquet files: which rows are in which file, and under which URL.

Files are written when somebody first asks for their URLs, or by ``warm_up``, to a folder that goes
with the world; the same rows are the same bytes, and a URL goes on to show what it was made for.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
import weakref
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any

import pyarrow.parquet as pq

from wandb_mirror.sandbox.behaviour import Behaviour, ExportShape
from wandb_mirror.sandbox.export_columns import make_table
from wandb_mirror.sandbox.objects import Run
from wandb_mirror.sandbox.tickets import Tickets

CHUNK_BYTES = 1 << 20
FOLDER = "/exports/"
"""Where the URLs point to; nothing there wants a key."""


@dataclass(frozen=True, slots=True)
class Part:
    """Some rows of a run, by their places, and the shape of the file that holds them."""

    run: Run
    start: int
    stop: int
    shape: ExportShape

    @property
    def name(self) -> str:
        """A name that other rows, or the same in another shape, never have."""
        shape = hashlib.sha256(repr(self.shape).encode()).hexdigest()[:12]
        rows = f"{self.run.number}-{self.run.history.revision}-{self.start}-{self.stop}"
        return f"{rows}-{shape}.parquet"


@dataclass(frozen=True, slots=True)
class ExportFile:
    """A file that is written."""

    path: Path
    size: int
    etag: str

    def read(self, start: int, stop: int) -> Iterator[bytes]:
        """Yield the bytes from ``start`` up to, not including, ``stop``."""
        with self.path.open("rb") as opened:
            while start < stop:
                chunk = os.pread(opened.fileno(), min(CHUNK_BYTES, stop - start), start)
                start += len(chunk)
                yield chunk


def count_exported(run: Run, behaviour: Behaviour) -> int:
    """Return how many rows of a run are in files; the rest is live."""
    rows = run.history.line_count
    if behaviour.exports not in ("ready", "lagging"):
        return 0
    if behaviour.exports == "ready" and run.state != "running":
        return rows
    return max(0, rows - max(1, int(rows * behaviour.export_lag)))


def plan_parts(run: Run, behaviour: Behaviour) -> list[Part]:
    """Return the parts a run is exported in, the oldest rows first."""
    exported = count_exported(run, behaviour)
    shape = behaviour.export_shape
    size = shape.rows_per_file or max(1, exported)
    parts = []
    for number, start in enumerate(range(0, exported, size)):
        own = shape
        if shape.alternates and number % 2:
            own = replace(shape, step="bigint", integers="exact")
        begin = max(0, start - shape.overlap) if number else start
        parts.append(Part(run, begin, min(start + size, exported), own))
    return parts


def find_live_rows(run: Run, behaviour: Behaviour, keys: Sequence[str]) -> list[Mapping[str, Any]]:
    """Return the rows that no file has, with the keys asked for."""
    exported = count_exported(run, behaviour)
    if behaviour.exports not in ("ready", "lagging"):
        return []
    steps = run.history.all_steps[exported:]
    if list(keys) == ["_step"] or not steps:
        return [{"_step": step} for step in steps]
    rows = map(json.loads, run.history.lines(steps[0]))
    return [{key: row[key] for key in keys if key in row} for row in rows]


class ExportFiles:
    """The files of one world."""

    def __init__(self) -> None:
        self._folder: Path | None = None
        self._written: dict[str, ExportFile] = {}

    def sign(self, run: Run, behaviour: Behaviour, tickets: Tickets) -> list[str]:
        """Return signed paths of the files of a run; they are new each time, the files are not."""
        parts = plan_parts(run, behaviour)
        if behaviour.export_order == "shuffled":
            Random(tickets.count).shuffle(parts)  # noqa: S311  (not for secrets)
        for part in parts:
            self.write(part)
        return [tickets.sign(FOLDER + part.name, behaviour.url_seconds) for part in parts]

    def load(self, name: str) -> ExportFile:
        """Return a file that was signed; raises ``KeyError``."""
        return self._written[name]

    def write(self, part: Part) -> ExportFile:
        """Write a file, unless it is there."""
        if part.name in self._written:
            return self._written[part.name]
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="sandbox-exports-"))
            weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
        table = make_table(part.run.history.columns(part.start, part.stop), part.shape)
        path = self._folder / part.name
        pq.write_table(table, path)
        content = path.read_bytes()
        etag = hashlib.md5(content, usedforsecurity=False).hexdigest()
        file = self._written[part.name] = ExportFile(path, len(content), f'"{etag}"')
        return file
