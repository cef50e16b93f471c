"""What a request is answered with, and the listings that requests share."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from wandb_mirror.sandbox.behaviour import Behaviour
from wandb_mirror.sandbox.connections import Connection, PageTricks, make_page
from wandb_mirror.sandbox.filters import compile_filters
from wandb_mirror.sandbox.objects import Project, Run
from wandb_mirror.sandbox.orders import sort_runs
from wandb_mirror.sandbox.projection import Ask, Write
from wandb_mirror.sandbox.world import World

MAX_SELECTIONS = 50
COUNTING = "no order: only their number is asked for"


@dataclass(slots=True)
class Context:
    """What one request is answered with."""

    world: World
    behaviour: Behaviour
    is_known: bool
    """Whether the key is right; without it nothing is visible."""
    write_leaf: Write
    tricks: PageTricks
    selections: Selections
    request_number: int
    store_url: str = ""
    """Where files are served: another origin, as W&B's client adds its key to its server's own."""
    window_bytes: int = 0
    """How many bytes of history rows the reply has so far."""
    is_passing: bool = False
    """Whether the reply holds something that is new each time it is asked for."""


@dataclass(slots=True)
class Selections:
    """Runs filtered and ordered, kept while the world stands still: pages ask for them again."""

    version: int = -1
    _kept: OrderedDict[tuple[Any, ...], list[Run]] = field(default_factory=OrderedDict)

    def load(self, ask: Ask, project: Project, order: str | None) -> list[Run]:
        """Return the runs of a project that pass the filters asked for."""
        context: Context = ask.context
        behaviour = context.behaviour
        if self.version != context.world.version:
            self._kept.clear()
            self.version = context.world.version
        filters = None if behaviour.ignores_filters else ask.get("filters")
        shuffle = context.request_number if behaviour.ties == "shuffled" and order else None
        key = (project.number, filters, order, shuffle)
        if key not in self._kept:
            match = compile_filters(filters, unknown=behaviour.unknown_columns)
            runs = project.live_runs if match is None else list(filter(match, project.live_runs))
            if order != COUNTING:
                runs = sort_runs(
                    runs, order, unknown=behaviour.unknown_columns, shuffle_ties_by=shuffle
                )
            self._kept[key] = runs
            if len(self._kept) > MAX_SELECTIONS:
                self._kept.popitem(last=False)
        return self._kept[key]


def page_of(ask: Ask, rows: Sequence[Any]) -> Connection:
    """Return the page of rows that is asked for."""
    context: Context = ask.context
    return make_page(
        rows,
        first=ask.get("first"),
        after=ask.get("after"),
        max_page=context.behaviour.max_page,
        tricks=context.tricks,
    )
