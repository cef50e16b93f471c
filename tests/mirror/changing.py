"""A machine that changes a sandbox at random and holds that a sync brings the mirror in step."""

from __future__ import annotations

import json
import shutil
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from mirror.making import TEAM, open_mirror, rows
from wandb_mirror.mirror.mirror import utc_now
from wandb_mirror.sandbox import Sandbox, World, generate_world
from wandb_mirror.sandbox.faults import Fault

NUMBERS = st.integers(0, 5)
WORDS = st.sampled_from(["a", "b", "best", ""])
RUNS = st.integers(0, 99)


def held(mirror: Any) -> dict[tuple[str, str], Any]:
    """Return what the mirror shows of the runs that are there, by project and id."""
    fields = "name, notes, tags, run_group, state, config, summary"
    found = {
        (project, run_id): [
            name,
            notes or "",
            json.loads(tags or "[]"),
            group or "",
            state,
            json.loads(config or "{}"),
            json.loads(summary or "{}"),
            {},
        ]
        for project, run_id, name, notes, tags, group, state, config, summary in rows(
            mirror, f"SELECT project, run_id, {fields} FROM runs WHERE deleted_at IS NULL"
        )
    }
    for project, run_id, step, key, value in rows(
        mirror, "SELECT project, run_id, step, key, value FROM metrics"
    ):
        found[(project, run_id)][-1].setdefault(step, {})[key] = value
    return found


def shown(world: World) -> dict[tuple[str, str], Any]:
    """Return the same as upstream has it."""
    found = {}
    for project in world.projects:
        for run in project.runs.values():
            if run.deleted_at is not None:
                continue
            config = {
                key: entry["value"]
                for key, entry in json.loads(run.config or "{}").items()
                if key != "_wandb"
            }
            logged = {}
            for line in [] if run.history is None else run.history.lines():
                row = json.loads(line)
                metrics = {key: float(value) for key, value in row.items() if key[0] != "_"}
                logged[row["_step"]] = metrics
            found[(project.name, run.run_id)] = [
                run.display_name,
                run.notes or "",
                list(run.tags or []),
                run.group or "",
                run.state,
                config,
                json.loads(run.summary or "{}"),
                logged,
            ]
    return found


class Changing(RuleBasedStateMachine):
    """Two projects whose runs come, grow, change, go, come back and move."""

    updated_at: Literal["moves", "still", "absent"] = "moves"
    syncs = 0

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.world = generate_world(entity=TEAM, projects=2, runs=3, steps=4, metrics=1, seed=5)
        self.box = Sandbox(self.world, updated_at=self.updated_at, max_page=2)
        self.box.__enter__()
        self.mirror = open_mirror(self.folder / "mirror", self.box)
        self.made = 0
        self.logged = 0

    def teardown(self) -> None:
        self.box.__exit__(None, None, None)
        shutil.rmtree(self.folder)

    def there(self, *, is_gone: bool = False) -> list[Any]:
        """Return the runs that are shown, or those that are deleted."""
        found = [run for project in self.world.projects for run in project.runs.values()]
        return [run for run in found if (run.deleted_at is not None) is is_gone]

    def pick(self, number: int, *, is_gone: bool = False) -> Any:
        found = self.there(is_gone=is_gone)
        return found[number % len(found)]

    @rule(project=st.integers(0, 1), lines=NUMBERS, has_ended=st.booleans())
    def create(self, project, lines, has_ended):
        self.made += 1
        run = self.world.create_run(
            self.world.projects[project], f"made-{self.made}", state="running"
        )
        self._log(run, lines)
        if has_ended:
            self.world.finish(run)

    def _log(self, run: Any, lines: int) -> None:
        for _ in range(lines):
            self.logged += 1
            self.world.log(run, {"m": self.logged, f"k{self.logged % 3}": self.logged / 2})

    @precondition(lambda self: self.there())
    @rule(number=RUNS, lines=NUMBERS)
    def log(self, number, lines):
        self._log(self.pick(number), lines)

    @precondition(lambda self: self.there())
    @rule(number=RUNS, word=WORDS, what=st.sampled_from(["notes", "group", "display_name"]))
    def edit(self, number, word, what):
        self.world.edit(self.pick(number), **{what: word})

    @precondition(lambda self: self.there())
    @rule(number=RUNS, values=st.dictionaries(WORDS.filter(bool), NUMBERS, max_size=3))
    def configure(self, number, values):
        self.world.edit(self.pick(number), config=values)

    @precondition(lambda self: self.there())
    @rule(number=RUNS, tags=st.lists(WORDS.filter(bool), max_size=3, unique=True))
    def tag(self, number, tags):
        self.world.edit(self.pick(number), tags=tags)

    @precondition(lambda self: self.there())
    @rule(number=RUNS)
    def delete(self, number):
        self.world.delete(self.pick(number))

    @precondition(lambda self: self.there(is_gone=True))
    @rule(number=RUNS)
    def restore(self, number):
        self.world.restore(self.pick(number, is_gone=True))

    @precondition(lambda self: self.there())
    @rule(number=RUNS)
    def move(self, number):
        run = self.pick(number)
        other = next(each for each in self.world.projects if each is not run.project)
        if run.run_id not in other.runs:
            self.world.move_run(run, other)

    @precondition(lambda self: self.there())
    @rule(number=RUNS, back=NUMBERS, lines=NUMBERS)
    def rewind(self, number, back, lines):
        run = self.pick(number)
        if run.history is not None and run.history.last_step is not None:
            self.world.rewind(run, max(-1, run.history.last_step - back))
            self._log(run, lines)

    @precondition(lambda self: self.there())
    @rule(number=RUNS, is_crash=st.booleans())
    def finish(self, number, is_crash):
        run = self.pick(number)
        if is_crash and run.state == "running":
            self.world.crash(run)
        else:
            self.world.finish(run)

    @rule(project=st.integers(0, 1))
    def rename(self, project):
        self.made += 1
        self.world.rename_project(self.world.projects[project], f"renamed-{self.made}")

    @rule(number=RUNS, request=st.integers(1, 8))
    def sync_while_rows_move(self, number, request):
        """Have rows vanish and come while pages are read; what was missed the next sync finds."""
        asked = 0

        def disturb(_seen: Any) -> bool:
            nonlocal asked
            asked += 1
            if asked == request and self.there():
                self.world.delete(self.pick(number))
                self.create(number % 2, 2, has_ended=bool(number % 3))
                self.world.edit(self.pick(number + 1), notes=f"moved {self.logged}")
            return False

        self.box.faults.add(Fault(), when=disturb)
        self.mirror.sync([TEAM], only=["history"])
        self.box.faults.clear()
        self.sync()

    @rule()
    def sync(self):
        """Sync and compare; where edits leave no trace, when the rolling read has been around."""
        type(self).syncs += 1
        if self.updated_at != "moves":
            passed = timedelta(hours=25 * self.syncs)
            self.mirror.now = lambda: utc_now() + passed
        report = self.mirror.sync([TEAM], only=["history"])
        assert not report.has_skips
        assert held(self.mirror) == shown(self.world)
