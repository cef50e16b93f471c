"""Read histories from the files that upstream wrote: find them, fetch them, page by page.

Files are fetched to disk, outside upstream's own limits of requests; a page of them at a time is in
memory. Whatever is wrong with a file, the same rows can be read by pages, and are.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from tempfile import TemporaryFile

import pyarrow as pa

from wandb_mirror.errors import BadRow, NotOffered, Refused, Skip, UpstreamBroken
from wandb_mirror.history.columns import StepColumns
from wandb_mirror.history.exports import ExportedSteps
from wandb_mirror.history.select import select_metrics
from wandb_mirror.kinds.pages import ExportsReply, ScopeOf
from wandb_mirror.kinds.spec import Kind
from wandb_mirror.pull.reach import Reach
from wandb_mirror.pull.reading import Reading
from wandb_mirror.upstream.exports import fetch_exports
from wandb_mirror.upstream.transfers import download_into

RUNS_TOGETHER, LINES_TOGETHER = 50, 100_000
"""A request asks for the files of so many runs: upstream lists each row that is in none."""
NO_FILES = ExportsReply((), None, None, None)


@dataclass(slots=True)
class Files:
    """The files of one run, being read; closed, they are gone from disk."""

    steps: ExportedSteps
    pages: Iterator[StepColumns]
    opened: ExitStack
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
    files: Files | None = None
    content: StepColumns | None = None
    is_over: bool = False
    problem: str = ""
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


def read_on(kind: Kind, scope: ScopeOf, reach: Reach, exported: Exported) -> Exported:
    """Read the next page of a run's files, fetching them first; what is wrong is returned."""
    try:
        if exported.files is None:
            exported.files = _open(kind, scope, reach, exported)
        content = exported.files.next()
        exported.content = content and select_metrics(content, reach.metrics)
        exported.is_over = exported.files.ahead is None
        exported.inexact = exported.files.steps.inexact
    except (Skip, UpstreamBroken) as error:
        exported.content, exported.is_over, exported.problem = None, True, str(error)
    if exported.is_over and exported.files is not None:
        exported.files.opened.close()
    return exported


def _open(kind: Kind, scope: ScopeOf, reach: Reach, exported: Exported) -> Files:
    """Fetch the files of a run; their addresses are asked for anew once, where they are expired."""
    run_id, reply = exported.reading.run_id, exported.reply
    try:
        return _fetch(kind, reach, run_id, reply)
    except BadRow:
        raise
    except Refused:
        [reply] = fetch_exports(reach.upstream, kind, scope, [run_id])
        exported.reading.heed(reply)
        return _fetch(kind, reach, run_id, reply)


def _fetch(kind: Kind, reach: Reach, run_id: str, reply: ExportsReply) -> Files:
    with ExitStack() as opened:
        contents = []
        for url in reply.urls:
            file = opened.enter_context(TemporaryFile(dir=reach.scratch))
            download_into(reach.upstream.client, url, file)
            if not file.tell():
                raise BadRow(kind.plural, run_id, "an exported file is empty")
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            contents.append(pa.py_buffer(mapped))
        steps = ExportedSteps.open(run_id, contents)
        stop = reply.first_live
        if stop is None and reply.last_step is not None:
            stop = reply.last_step + 1
        return Files(steps, steps.pages(0, stop), opened.pop_all())
