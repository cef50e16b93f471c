"""The merge law: whatever happens in whatever order, nobody's edit is lost without being told.

Local edits, edits by somebody else at any moment, also between a push's read and its write, crashes
between any two steps, requests that are refused, fail, or whose answer is lost, syncs, and pushes.
"""

from __future__ import annotations

import shutil
import tempfile
import threading
from datetime import datetime
from itertools import count
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from mirror.making import make_world
from wandb_mirror.edits.catalog import RUNS
from wandb_mirror.edits.cells import apply_cells, find_changes, read_cells, read_stored
from wandb_mirror.edits.edit import Target, settle
from wandb_mirror.edits.values import ABSENT, encode, is_same
from wandb_mirror.errors import Refused, Unreachable
from wandb_mirror.jsontext import dumps
from wandb_mirror.kinds.pages import ScopeOf
from wandb_mirror.kinds.project import PROJECT
from wandb_mirror.kinds.run import RUN
from wandb_mirror.progress import Silence
from wandb_mirror.push.push import Pusher
from wandb_mirror.sandbox import Behaviour
from wandb_mirror.sandbox.engine import Engine
from wandb_mirror.store.outbox import Outcome
from wandb_mirror.store.store import Store
from wandb_mirror.upstream.capabilities import Capabilities
from wandb_mirror.upstream.pace import Usage
from wandb_mirror.upstream.replies import read_data
from wandb_mirror.upstream.shapes import Upstream

NOW = datetime(2025, 1, 1)  # noqa: DTZ001  (the store keeps naive UTC)
RUN_IDS = st.sampled_from(["one", "two"])
TAGS = st.sampled_from(["t1", "t2", "t3"])
KEYS = st.sampled_from(["k1", "k2"])
FIELDS = {spec.name: spec for spec in RUNS.fields if spec.name in ("notes", "tags", "config")}
FAULTS = st.sampled_from(["none", "none", "refuse", "fail", "crash", "lose", "crash after"])


class Killed(BaseException):
    """Stands for kill -9."""


class Client:
    """Upstream without a socket; things go wrong and others act as the machine says."""

    host = "upstream"

    def __init__(self, world) -> None:
        self.engine = Engine(world, Behaviour(cache_bytes=0))
        self.usage = Usage()
        self.fault, self.act = "none", None

    def execute(self, document, variables):
        self.usage.requests += 1
        fault = "none"
        if document.startswith("mutation"):
            fault, self.fault = self.fault, "none"
            if self.act:
                act, self.act = self.act, None
                act()
        if fault == "refuse":
            raise Refused("not today")
        if fault == "fail":
            raise Unreachable("no network")
        if fault == "crash":
            raise Killed
        body = dumps({"query": document, "variables": variables}).encode()
        data = read_data(self.engine.answer(body, is_known=True).body, self.host)
        if fault == "lose":
            raise Unreachable("the answer is lost")
        if fault == "crash after":
            raise Killed
        return data


class MergeLaw(RuleBasedStateMachine):
    """A mirror's store and an upstream that others write to."""

    fresh: Path

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.path = Path(shutil.copy(self.fresh, self.folder / "store.sqlite"))
        self.world = make_world(projects=1, runs=1, steps=1)
        self.project = self.world.create_project("team", "p")
        for run_id in ("one", "two"):
            self.world.create_run(self.project, run_id, config={"k1": 0}, tags=["t1"])
        self.client = Client(self.world)
        self.upstream = Upstream(self.client, Capabilities())
        self.scope = ScopeOf("team", "p", self.project.internal_id)
        self.numbers = count(1)
        self.kill_at = 0
        self.store = Store.open(self.path, on_commit=self.on_commit)
        self.store.save_rows(
            PROJECT, [self.upstream.fetch_node(PROJECT, self.scope)], now=NOW, is_whole=True
        )
        self.theirs: dict[tuple, object] = {}
        """What somebody else wrote into a cell last, until it is seen here or written over there."""
        self.mine: dict[tuple, object] = {}
        """What was last made of a cell here."""
        self.known: dict[tuple, list] = {}
        """What the user has been shown of a cell."""
        self.history: dict[tuple, list] = {}
        """What upstream has had in a cell."""
        self.sync()
        self.watch()

    def teardown(self) -> None:
        try:
            self.settle_everything()
        finally:
            self.store.close()
            shutil.rmtree(self.folder)

    def on_commit(self, _label):
        if self.kill_at:
            self.kill_at -= 1
            if self.kill_at == 0:
                raise Killed

    # what there is

    def cells(self, run_id):
        """Return what upstream has of a run, cell by cell."""
        [row] = self.upstream.fetch_detail_page(RUN, self.scope, [run_id]).rows
        return {
            (run_id, name, key): value
            for name, spec in FIELDS.items()
            for key, value in read_cells(spec, read_stored(spec, row[spec.column])).items()
        }

    def every_cell(self):
        names = [("notes", "")] + [("tags", f"t{n}") for n in (1, 2, 3)]
        names += [("config", "k1"), ("config", "k2")]
        there = {**self.cells("one"), **self.cells("two")}
        return {
            (run_id, *name): there.get(
                (run_id, *name), False if name[0] == "tags" else None if not name[1] else ABSENT
            )
            for run_id in ("one", "two")
            for name in names
        }

    def watch(self):
        """Note what upstream has now."""
        for cell, value in self.every_cell().items():
            seen = self.history.setdefault(cell, [])
            if not seen or not is_same(seen[-1], value):
                seen.append(value)

    def read(self, run_id, name):
        """Return a field as a reader of the mirror sees it."""
        [[row]] = self.store.load_rows(RUN, where={"run_id": run_id})
        spec = FIELDS[name]
        value = read_stored(spec, row[spec.column])
        edits = [e for e in self.store.outbox.load() if e.target.own_key == run_id]
        chosen = [(e.key, e.local) for e in edits if e.field == name]
        return apply_cells(spec, value, chosen) if chosen else value

    # what happens

    def edit(self, run_id, name, change):
        before = self.read(run_id, name)
        after = change(before)
        target = Target("runs", self.scope.project_id, run_id, f"team/p/{run_id}")
        made = find_changes(FIELDS[name], before, after)
        self.store.outbox.queue([(target, each) for each in made], now=NOW)
        for each in made:
            cell = (run_id, name, each.key)
            self.mine[cell] = each.local
            self.known.setdefault(cell, []).append(each.base)

    @rule(run_id=RUN_IDS)
    def write_notes(self, run_id):
        self.edit(run_id, "notes", lambda _: f"mine {next(self.numbers)}")

    @rule(run_id=RUN_IDS, tag=TAGS)
    def switch_tag(self, run_id, tag):
        self.edit(
            run_id,
            "tags",
            lambda tags: [t for t in tags if t != tag] if tag in tags else [*tags, tag],
        )

    @rule(run_id=RUN_IDS, key=KEYS, goes=st.booleans())
    def set_key(self, run_id, key, goes):
        value = next(self.numbers)
        self.edit(
            run_id,
            "config",
            lambda config: (
                {k: v for k, v in config.items() if k != key} | ({} if goes else {key: value})
            ),
        )

    @rule(run_id=RUN_IDS, what=st.sampled_from(["notes", "tag", "key"]), tag=TAGS, key=KEYS)
    def somebody_edits(self, run_id, what, tag, key):
        self.somebody(run_id, what, tag, key)

    def somebody(self, run_id, what, tag, key):
        run = self.project.runs[run_id]
        if what == "notes":
            self.world.edit(run, notes=f"theirs {next(self.numbers)}")
            cell = (run_id, "notes", "")
        elif what == "tag":
            tags = run.tags
            self.world.edit(
                run, tags=[t for t in tags if t != tag] if tag in tags else [*tags, tag]
            )
            cell = (run_id, "tags", tag)
        else:
            values = {k: v["value"] for k, v in run.config_values.items()}
            self.world.edit(run, config={**values, key: -next(self.numbers)})
            cell = (run_id, "config", key)
        self.watch()
        self.theirs[cell] = self.every_cell()[cell]

    @rule()
    def sync(self):
        page = self.upstream.fetch_detail_page(RUN, self.scope, ["one", "two"])
        self.store.save_rows(RUN, page.rows, now=NOW, is_whole=True)
        self.store.outbox.purge("runs", self.store.load_changed_seq())

    @rule(
        fault=FAULTS,
        races=st.booleans(),
        crash_at=st.integers(0, 4),
        run_id=RUN_IDS,
        what=st.sampled_from(["notes", "tag", "key"]),
        tag=TAGS,
        key=KEYS,
    )
    def push(self, fault, races, crash_at, run_id, what, tag, key):
        self.client.fault = fault
        is_told = fault in ("none", "refuse", "fail", "crash")
        if races and is_told:
            self.client.act = lambda: self.somebody(run_id, what, tag, key)
        elif not races:
            self.kill_at = crash_at
        try:
            self.push_once()
        except (Unreachable, Killed):
            self.store.close()
            self.kill_at = 0
            self.store = Store.open(self.path, on_commit=self.on_commit)
        self.client.fault, self.client.act, self.kill_at = "none", None, 0
        self.watch()
        self.check()

    @rule(
        run_id=RUN_IDS,
        mine=st.sampled_from(["notes", "tag", "key"]),
        theirs=st.sampled_from(["notes", "tag", "key"]),
        tag=TAGS,
        key=KEYS,
        tags=TAGS,
        keys=KEYS,
    )
    def race(self, run_id, mine, theirs, tag, key, tags, keys):
        """Push in the moment in which somebody else writes to the same run."""
        if mine == "notes":
            self.write_notes(run_id)
        elif mine == "tag":
            self.switch_tag(run_id, tag)
        else:
            self.set_key(run_id, key, goes=False)
        self.client.act = lambda: self.somebody(run_id, theirs, tags, keys)
        self.push_once()
        self.client.act = None
        self.watch()
        self.check()

    def push_once(self):
        pusher = Pusher(self.store, self.upstream, "me", lambda: NOW, Silence(), threading.Event())
        return pusher.run()

    @rule(takes_theirs=st.booleans())
    def resolve(self, takes_theirs):
        settled = []
        for each in self.store.outbox.load(("conflict",)):
            cell = (each.target.own_key, each.field, each.key)
            self.known.setdefault(cell, []).append(each.upstream)
            if takes_theirs:
                self.mine.pop(cell, None)
            settled.append(Outcome(settle(each, takes_theirs=takes_theirs), "resolved"))
        self.store.outbox.record(settled, now=NOW, who="me")

    @rule()
    def try_again(self):
        from dataclasses import replace

        again = [
            Outcome(replace(each, state="pending"), "")
            for each in self.store.outbox.load(("refused",))
        ]
        self.store.outbox.record(again, now=NOW, who="me")

    # the law

    def check(self):
        now = self.every_cell()
        edits = {(e.target.own_key, e.field, e.key): e for e in self.store.outbox.load()}
        for cell, value in list(self.theirs.items()):
            if is_same(now[cell], value) or (cell[1] == "tags" and cell in self.known):
                continue
            shown = self.known.get(cell, [])
            edit = edits.get(cell)
            kept = edit is not None and (
                is_same(edit.upstream, value) or is_same(edit.local, value)
            )
            assert kept or any(is_same(value, each) for each in shown), (
                f"what somebody wrote into {cell} is lost: {encode(value)}"
            )
        for cell, value in self.mine.items():
            edit = edits.get(cell)
            there = edit is not None and is_same(edit.local, value)
            base = self.known[cell]
            was = any(is_same(value, each) for each in [*self.history[cell], *base])
            assert there or was, f"what was written here into {cell} is lost: {encode(value)}"

    def settle_everything(self):
        for _ in range(6):
            self.resolve(takes_theirs=True)
            self.try_again()
            self.push_once()
            self.watch()
            self.check()
        left = [each for each in self.store.outbox.load() if each.state != "done"]
        assert left == []
        assert self.push_once().requests == 0
        self.sync()
        assert self.store.outbox.load() == []
        for run_id in ("one", "two"):
            for name, spec in FIELDS.items():
                own = read_cells(spec, self.read(run_id, name))
                there = {c[2]: v for c, v in self.cells(run_id).items() if c[1] == name}
                assert is_same(own, there)


def test_the_merge_law_holds(tmp_path):
    MergeLaw.fresh = tmp_path / "fresh.sqlite"
    Store.open(MergeLaw.fresh).close()
    run_state_machine_as_test(
        MergeLaw,
        settings=settings(
            max_examples=60,
            stateful_step_count=20,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
