"""A project of runs as nobody wishes for and everybody has: what a mirror must not lose."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from wandb_mirror.sandbox.history import LoggedHistory
from wandb_mirror.sandbox.objects import Project, Run, wrap_config
from wandb_mirror.sandbox.world import World

PROJECT = "oddities"
STARTED = datetime(2024, 2, 1, 12, tzinfo=UTC)
RUNS_A_SECOND = 4
"""So many runs share a creation time."""
ODD_VALUES: dict[str, Any] = {
    "nan": math.nan,
    "infinity": math.inf,
    "minus_infinity": -math.inf,
    "nan_as_text": "NaN",
    "infinity_as_text": "Infinity",
    "minus_infinity_as_text": "-Infinity",
    "beyond_double": 2**53 + 1,
    "beyond_int64": 2**63,
    "beyond_uint64": 2**64 + 1,
    "negative_beyond": -(2**63) - 1,
    "negative_zero": -0.0,
    "whole_float": 3.0,
    "tiny": 5e-324,
    "huge": 1.7976931348623157e308,
    "yes": True,
    "no": False,
    "nothing": None,
    "word": "word",
    "empty_text": "",
    "true_as_text": "true",
    "null_as_text": "null",
    "number_as_text": "42",
    "list": [1, "a", None, [2.5], {"x": math.nan}],
    "empty_list": [],
    "empty_dict": {},
    "nested": {"a": {"b": {"c": 1}}, "list": [{"x": 1}], "empty": {}},
    "histogram": {"_type": "histogram", "bins": [0, 1, 2], "values": [3, 4]},
    "image": {"_type": "image-file", "path": "media/images/x.png", "sha256": "ab", "size": 12},
    "eval.loss": 0.25,
    "eval": {"loss": 0.5},
    "Loss": 1.0,
    "loss": 2.0,
    "LOSS": 3.0,
    "a/b": 4,
    "with space": 5,
    'quote"inside': 6,
    "it's": 7,
    "semi;colon -- comment": 8,
    "emoji 🎉": 9,
    "ünïcödé": 10,
    "k" * 100: 11,
    "step": 12,
    "name": "a key called name",
    "run_id": "a key called run_id",
    "created_at": "a key called created_at",
    "logged_at": "a key called logged_at",
    "_stepper": 13,
    "value": {"value": 14},
    "~2": 15,
    "loss~2": 16,
    "new\nline": 17,
    "": 18,
    "surrogate": "\ud800 alone",
    "nul": "before\x00after",
}
"""One of each; ``1e400``, which Python cannot write, is added to the text."""


def add_oddities(world: World, entity: str) -> Project:
    """Add a project named ``oddities``, full of odd runs, and return it."""
    project = world.create_project(
        entity,
        PROJECT,
        created_at=STARTED - timedelta(hours=1),
        description='Odd "runs" 🎉, one of each.',
    )
    make = _Maker(world, project)
    _add_odd_values(make)
    _add_odd_steps(make)
    _add_odd_texts(make)
    return project


def add_far_steps(world: World, project: Project) -> list[Run]:
    """Add runs that logged the time as the step: they end millions of pages away.

    Apart from the other oddities, because W&B's own client reads them a thousand steps a request.
    """
    make = _Maker(world, project)
    return [
        make.run("seconds-as-steps", rows=_rows({1_700_000_000 + n: n for n in range(5)})),
        make.run("far-away", rows=_rows({0: 0, 2**40: 1})),
    ]


def _add_odd_values(make: _Maker) -> None:
    """Add runs whose values are odd."""
    odd_config = _overflowing(wrap_config(ODD_VALUES), '{"value":1e400,"desc":null}')
    make.run(
        "odd-values",
        config=odd_config,
        summary=_overflowing(ODD_VALUES, "1e400"),
        system_metrics='{"system.cpu":NaN,"system.gpu.0.memory":18446744073709551617}',
        rows=[(step, _overflowing({"_step": step, **ODD_VALUES}, "1e400")) for step in range(3)],
    )
    make.run("type-changes", rows=_rows({0: 1, 1: "one", 2: True, 3: [1], 4: None, 5: {"x": 1}}))
    make.run("numbers-here", config={"m": 1, "word": 5}, rows=_rows({0: 1, 1: 2.5}))
    make.run("text-here", config={"m": "one", "word": "five"}, rows=_rows({0: "a", 1: "b"}))
    make.run("booleans-here", config={"m": True}, rows=_rows({0: False, 1: True}))
    make.run("all-nan", rows=_rows({0: math.nan, 1: "NaN", 2: math.inf}))
    make.run("raw-config", config='{"plain":1,"listed":[1],"wrapped":{"value":2,"desc":"why"}}')
    make.run("internal-config", config='{"_wandb":{"value":{"t":{"1":[5]}}},"wandb_version":1}')
    make.run("no-config", config=None, summary=None)
    make.run("empty-config", config={}, summary={})
    make.run("wide", rows=[(0, json.dumps({"_step": 0, **{f"wide/{n}": n for n in range(300)}}))])


def _add_odd_steps(make: _Maker) -> None:
    """Add runs whose steps are odd."""
    make.run("no-history")
    make.run("late", rows=_rows({step: step / 10 for step in range(5000, 5010)}))
    make.run("sparse", rows=_rows({step * 100_000: step for step in range(20)}))
    make.run("gap", rows=_rows({step: step for step in (*range(5), *range(70_000, 70_005))}))
    make.run(
        "columns-differ",
        rows=[
            (0, '{"_step":0,"_timestamp":1706788800.5,"_runtime":0.5,"a":1}'),
            (1, '{"_step":1,"b":2}'),
            (2, '{"_step":2,"_timestamp":null,"a":3,"b":4}'),
            (3, '{"_step":3,"_timestamp":1706788804}'),
        ],
    )
    make.run("running", state="running", rows=_rows({step: step for step in range(7)}))
    make.run("crashed", state="crashed", heartbeat_at=None, rows=_rows({0: 1}))
    make.run("pending", state="pending")
    make.run("shouting", state="FINISHED", rows=_rows({0: 1}))


def _add_odd_texts(make: _Maker) -> None:
    """Add runs whose names and notes are odd."""
    make.run("null-texts", display_name=None, notes=None, tags=None, description=None, group=None)
    make.run("empty-texts", display_name="", notes="", tags=[], description="", group="")
    make.run("hostile", display_name="../../etc/passwd'; DROP TABLE runs; --", tags=['"', "a,b"])
    make.run("party", display_name="🎉 party", notes="line\nbreak\t<b>html</b>", tags=["🎉", ""])
    make.run('it\'s "odd" 🎉', display_name="$(echo oops) `ls` %s {0}", group="a/b\\c")
    make.run("surrogate", display_name="half \ud83d of a pair", notes="nul \x00 inside")
    make.run("nobody", user=None)
    make.run("twin-1", display_name="twin")
    make.run("twin-2", display_name="twin")


def _rows(values: Mapping[int, Any]) -> list[tuple[int, str]]:
    """Return lines that log one metric, ``m``, at some steps."""
    start = STARTED.timestamp()
    return [
        (
            step,
            json.dumps({"_step": step, "_timestamp": start + step, "_runtime": step, "m": value}),
        )
        for step, value in values.items()
    ]


def _overflowing(values: Mapping[str, Any], overflow: str) -> str:
    """Return JSON text with one entry more, that only text can hold."""
    return f'{json.dumps(values)[:-1]}, "overflow": {overflow}}}'


class _Maker:
    """Makes runs, several in one second."""

    def __init__(self, world: World, project: Project) -> None:
        self._world = world
        self._project = project

    def run(self, run_id: str, *, rows: Iterable[tuple[int, str]] = (), **values: Any) -> Run:
        """Make a run from its lines and from fields of ``Run``."""
        created_at = STARTED + timedelta(seconds=len(self._project.runs) // RUNS_A_SECOND)
        history = LoggedHistory(rows)
        if history.line_count:
            values.setdefault("summary", history.lines()[-1])
        heartbeat_at = created_at + timedelta(minutes=1)
        values = {"heartbeat_at": heartbeat_at, "updated_at": heartbeat_at, **values}
        return self._world.create_run(
            self._project, run_id, created_at=created_at, history=history, **values
        )
