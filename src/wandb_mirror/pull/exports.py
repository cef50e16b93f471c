"""Read histories from the files that upstream wrote: find them, fetch them, page by page.

Files are fetched to disk, outside upstream's own limits of requests; a page of them at a time is in
memory. Whatever is wrong with a file, the same rows can be read by pages, and are.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from wandb_mirror.errors import BadRow, NotOffered, Refused, Skip, UpstreamBroken
from wandb_mirror.history.columns import ExportedFiles, StepColumns
from wandb_mirror.history.exports import ExportedSteps
from wandb_mirror.history.select import select_metrics
from wandb_mirror.kinds.pages import ExportsReply, ScopeOf
from wandb_mirror.kinds.spec import Kind
from wandb_mirror.pull.kept_files import Fetched, KeptFiles
from wandb_mirror.pull.reach import Reach
from wandb_mirror.pull.reading import Reading
from wandb_mirror.upstream.exports import fetch_exports

RUNS_TOGETHER, LINES_TOGETHER = 50, 100_000
"""A request asks for the files of so many runs: upstream lists each row that is in none."""
NO_FILES = ExportsReply((), None, None, None)


@dataclass(slots=True)
class Files:
    """The files of one run, being read value by value."""

    steps: ExportedSteps
    pages: Iterator[StepColumns]
    ahead: StepColumns | None = None

    def next(self) -> StepColumns | None:
        """Return the next page, None after the last; afterwards ``ahead`` is the one after it."""
        page = self.ahead if self.ahead is not None else next(self.pages, None)
        self.ahead = next(self.pages, None)
        return page


@dataclass(frozen=True, slots=True)
class Asked:
    """Runs, and which files hold their histories."""

    readings: Sequence[Reading]
    replies: Sequence[ExportsReply]


@dataclass(slots=True)
class Exported:
    """Rows from the files of one run; None where there are no more, or no way to read them."""

    reading: Reading
    reply: ExportsReply
    fetched: Fetched | None = None
    files: Files | None = None
    content: StepColumns | None = None
    is_over: bool = False
    problem: str = ""
    lines: int = LINES_TOGETHER
    """Lines the run has; many where nobody says."""
    inexact: set[int] = field(default_factory=set)


def find_exports(kind: Kind, scope: ScopeOf, reach: Reach, readings: Sequence[Reading]) -> Asked:
    """Ask which files hold the histories of some runs; where nobody can say, none does."""
    try:
        run_ids = [reading.run_id for reading in readings]
        return Asked(readings, fetch_exports(reach.upstream, kind, scope, run_ids))
    except NotOffered:
        return Asked(readings, [NO_FILES] * len(readings))
    except (Skip, UpstreamBroken) as error:
        if isinstance(error, UpstreamBroken) and not error.is_too_large:
            raise
        if len(readings) == 1:
            return Asked(readings, [NO_FILES])
        found = [find_exports(kind, scope, reach, [each]) for each in readings]
        return Asked(readings, [each.replies[0] for each in found])


def fetch_files(
    kind: Kind, scope: ScopeOf, reach: Reach, kept: KeptFiles, exported: Exported
) -> Exported:
    """Fetch the files of a run; their addresses are asked for anew once, where they are expired."""
    client, reading = reach.upstream.client, exported.reading
    try:
        try:
            exported.fetched = kept.fetch(client, reading, exported.reply)
        except BadRow:
            raise
        except Refused:
            [reply] = fetch_exports(reach.upstream, kind, scope, [reading.run_id])
            reading.heed(reply)
            exported.fetched = kept.fetch(client, reading, reply)
    except (Skip, UpstreamBroken) as error:
        exported.is_over, exported.problem = True, str(error)
    return exported


def read_on(reach: Reach, exported: Exported) -> Exported:
    """Read the next page of a run's files; what is wrong is returned."""
    fetched = exported.fetched
    assert fetched is not None  # noqa: S101  (what is read on was fetched)
    try:
        if exported.files is None:
            exported.files = _open(exported.reading.run_id, fetched)
        content = exported.files.next()
        exported.content = content and select_metrics(content, reach.metrics)
        exported.is_over = exported.files.ahead is None
        exported.inexact = exported.files.steps.inexact
    except Skip as error:
        exported.content, exported.is_over, exported.problem = None, True, str(error)
    return exported


def files_of(exported: Exported) -> ExportedFiles | None:
    """Return the files of a run that are on disk and of which nothing has been read."""
    if exported.fetched is None or exported.files is not None or exported.is_over:
        return None
    fetched = exported.fetched
    return ExportedFiles(exported.reading.run_id, fetched.paths, fetched.stop)


def _open(run_id: str, fetched: Fetched) -> Files:
    contents = []
    for path in fetched.paths:
        with Path(path).open("rb") as file:
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        contents.append(pa.py_buffer(mapped))
    steps = ExportedSteps.open(run_id, contents)
    return Files(steps, steps.pages(0, fetched.stop))
