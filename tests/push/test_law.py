"""The merge law: whatever happens in whatever order, nobody's edit is lost without being told.

Local edits, edits by somebody else at any moment, also between a push's read and its write, crashes
between any two steps, requests that are refused, fail, or whose answer is lost, syncs, and pushes.
"""

from __future__ import annotations

import shutil
import tempfile
import threading
from dataclasses import replace
from datetime import datetime
from itertools import count
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from mirror.making import make_world
from wandb_mirror.edits.artifacts import COLLECTIONS, VERSIONS
from wandb_mirror.edits.catalog import RUNS
from wandb_mirror.edits.cells import apply_cells, find_changes, read_cells, read_stored
from wandb_mirror.edits.edit import Target, settle
from wandb_mirror.edits.values import ABSENT, encode, is_same
from wandb_mirror.errors import Refused, Unreachable
from wandb_mirror.jsontext import dumps, loads
from wandb_mirror.kinds import kind_named
from wandb_mirror.kinds.artifact import ARTIFACT
from wandb_mirror.kinds.artifact_collection import ARTIFACT_COLLECTION
from wandb_mirror.kinds.pages import ScopeOf
from wandb_mirror.kinds.project import PROJECT
from wandb_mirror.kinds.run import RUN
from wandb_mirror.progress import Silence
from wandb_mirror.push.fresh import fetch_fresh
from wandb_mirror.push.plan import Plan
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
OBJECTS = st.sampled_from(["one", "two", "v0", "v1"])
"""Two runs, and two versions of one collection."""
WHATS = st.sampled_from(["text", "tag", "key", "alias"])
TAGS = st.sampled_from(["t1", "t2", "t3"])
KEYS = st.sampled_from(["k1", "k2"])
COLLECTION_NAME = "m"
KINDS = {"one": RUNS, "two": RUNS, "v0": VERSIONS, "v1": VERSIONS, COLLECTION_NAME: COLLECTIONS}
NAMES = {
    "runs": {"text": "notes", "tag": "tags", "key": "config"},
    "artifacts": {"text": "description", "tag": "tags", "key": "metadata"},
    "artifact_collections": {"alias": "aliases"},
}
"""Kind to what is edited of it, and the field that this is."""
CELLS = {"text": [""], "tag": ["t1", "t2", "t3"], "key": ["k1", "k2"], "alias": ["a1", "a2"]}
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
        shelf = self.world.shelf
        self.versions = {
            f"v{number}": shelf.log_artifact(
                self.project,
                COLLECTION_NAME,
                "model",
                {"f": f"{number}"},
                aliases=["a1"],
                metadata={"k1": 0},
                tags=["t1"],
            )
            for number in (0, 1)
        }
        ids = {name: artifact.storage_id for name, artifact in self.versions.items()}
        self.labels = {upstream_id: name for name, upstream_id in ids.items()}
        ids[COLLECTION_NAME] = self.project.collections[COLLECTION_NAME].storage_id
        self.own_keys = {name: ids.get(name, name) for name in KINDS}
        self.objects = {own_key: name for name, own_key in self.own_keys.items()}
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
        self.there: dict[tuple, object] = {}
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

    def every_cell(self):
        """Return what upstream has, cell by cell: object, field and key to value."""
        nothing = {"text": None, "tag": False}
        found = {}
        for kind, fields in NAMES.items():
            names = [name for name, editable in KINDS.items() if editable.kind == kind]
            editable = KINDS[names[0]]
            own_keys = [self.own_keys[name] for name in names]
            for row in fetch_fresh(self.upstream, editable, self.scope, own_keys).rows:
                name = self.objects[row[editable.own_key]]
                plan = Plan(None, row, labels=self.labels)
                for what, field in fields.items():
                    there = plan.cells(editable.field(field), row)
                    for key in CELLS[what]:
                        value = there.pop(key, nothing.get(what, ABSENT))
                        found[name, field, key] = value
                    assert there.keys() <= {"latest"}
        return found

    def watch(self):
        """Note what upstream has now."""
        self.there = self.every_cell()
        for cell, value in self.there.items():
            seen = self.history.setdefault(cell, [])
            if not seen or not is_same(seen[-1], value):
                seen.append(value)

    def read(self, name, field):
        """Return a field as a reader of the mirror sees it."""
        editable, own_key = KINDS[name], self.own_keys[name]
        spec = editable.field(field)
        if spec.points_to:
            rows = [row for page in self.store.load_rows(ARTIFACT) for row in page]
            value = {a: f"v{r['version_index']}" for r in rows for a in loads(r["aliases"])}
        else:
            [[row]] = self.store.load_rows(
                kind_named(editable.kind), where={editable.own_key: own_key}
            )
            value = read_stored(spec, row[spec.column])
        edits = [each for each in self.store.outbox.load() if each.target.own_key == own_key]
        chosen = [(each.key, each.local) for each in edits if each.field == field]
        return apply_cells(spec, value, chosen) if chosen else value

    # what happens

    def edit(self, name, what, change):
        editable, own_key = KINDS[name], self.own_keys[name]
        field = NAMES[editable.kind][what]
        before = self.read(name, field)
        after = change(before)
        path = f"{editable.word}:team/p/{name}"
        target = Target(editable.kind, self.scope.project_id, own_key, path)
        made = find_changes(editable.field(field), before, after)
        self.store.outbox.queue([(target, each) for each in made], now=NOW)
        for each in made:
            cell = (name, field, each.key)
            self.mine[cell] = each.local
            self.known.setdefault(cell, []).append(each.base)

    @rule(name=OBJECTS)
    def write_text(self, name):
        self.edit(name, "text", lambda _: f"mine {next(self.numbers)}")

    @rule(name=OBJECTS, tag=TAGS)
    def switch_tag(self, name, tag):
        self.edit(
            name,
            "tag",
            lambda tags: [t for t in tags if t != tag] if tag in tags else [*tags, tag],
        )

    @rule(name=OBJECTS, key=KEYS, goes=st.booleans())
    def set_key(self, name, key, goes):
        value = next(self.numbers)
        self.edit(
            name,
            "key",
            lambda values: (
                {k: v for k, v in values.items() if k != key} | ({} if goes else {key: value})
            ),
        )

    @rule(name=OBJECTS, key=KEYS)
    def move_alias(self, name, key):
        """Let an alias point to a version, or to none where it does already."""
        alias, version = f"a{key[1]}", f"v{['one', 'two', 'v0', 'v1'].index(name) % 2}"

        def move(pointers):
            kept = {each: to for each, to in pointers.items() if each != alias}
            return kept if pointers.get(alias) == version else {**kept, alias: version}

        self.edit(COLLECTION_NAME, "alias", move)

    @rule(name=OBJECTS, what=WHATS, tag=TAGS, key=KEYS)
    def somebody_edits(self, name, what, tag, key):
        self.somebody(name, what, tag, key)

    def somebody(self, name, what, tag, key):
        if what == "alias":
            cell = self.somebody_moves(name, f"a{key[1]}")
        else:
            found = self.versions.get(name) or self.project.runs[name]
            write = self.world.shelf.edit_artifact if name in self.versions else self.world.edit
            field = NAMES[KINDS[name].kind][what]
            if what == "text":
                write(found, **{field: f"theirs {next(self.numbers)}"})
            elif what == "tag":
                tags = found.tags
                write(found, tags=[t for t in tags if t != tag] if tag in tags else [*tags, tag])
            elif name in self.versions:
                values = {**loads(found.metadata), key: -next(self.numbers)}
                write(found, metadata=dumps(values))
            else:
                values = {k: v["value"] for k, v in found.config_values.items()}
                write(found, config={**values, key: -next(self.numbers)})
            cell = (name, field, {"text": "", "tag": tag, "key": key}[what])
        self.watch()
        self.theirs[cell] = self.there[cell]

    def somebody_moves(self, name, alias):
        artifact = self.versions.get(name, self.versions["v0"])
        [place] = artifact.memberships
        shelf = self.world.shelf
        (shelf.remove_aliases if alias in place.aliases else shelf.add_aliases)(place, [alias])
        return (COLLECTION_NAME, "aliases", alias)

    @rule()
    def sync(self):
        page = self.upstream.fetch_detail_page(RUN, self.scope, ["one", "two"])
        self.store.save_rows(RUN, page.rows, now=NOW, is_whole=True)
        inside = replace(self.scope, collection=COLLECTION_NAME)
        for kind, scope in ((ARTIFACT_COLLECTION, self.scope), (ARTIFACT, inside)):
            page = self.upstream.fetch_listing_page(kind, scope, fields="whole", first=10)
            self.store.save_rows(kind, page.rows, now=NOW, is_whole=True)
        for kind in NAMES:
            self.store.outbox.purge(kind, self.store.load_changed_seq())

    @rule(
        fault=FAULTS,
        races=st.booleans(),
        crash_at=st.integers(0, 4),
        name=OBJECTS,
        what=WHATS,
        tag=TAGS,
        key=KEYS,
    )
    def push(self, fault, races, crash_at, name, what, tag, key):
        self.client.fault = fault
        is_told = fault in ("none", "refuse", "fail", "crash")
        if races and is_told:
            self.client.act = lambda: self.somebody(name, what, tag, key)
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

    @rule(name=OBJECTS, mine=WHATS, theirs=WHATS, tag=TAGS, key=KEYS, tags=TAGS, keys=KEYS)
    def race(self, name, mine, theirs, tag, key, tags, keys):
        """Push in the moment in which somebody else writes to the same object."""
        if mine == "text":
            self.write_text(name)
        elif mine == "tag":
            self.switch_tag(name, tag)
        elif mine == "key":
            self.set_key(name, key, goes=False)
        else:
            self.move_alias(name, key)
        self.client.act = lambda: self.somebody(name, theirs, tags, keys)
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
            cell = self.cell_of(each)
            self.known.setdefault(cell, []).append(each.upstream)
            if takes_theirs:
                self.mine.pop(cell, None)
            settled.append(Outcome(settle(each, takes_theirs=takes_theirs), "resolved"))
        self.store.outbox.record(settled, now=NOW, who="me")

    @rule()
    def try_again(self):
        again = [
            Outcome(replace(each, state="pending"), "")
            for each in self.store.outbox.load(("refused",))
        ]
        self.store.outbox.record(again, now=NOW, who="me")

    def cell_of(self, edit):
        return (self.objects[edit.target.own_key], edit.field, edit.key)

    # the law

    def check(self):
        now = self.there
        edits = {self.cell_of(each): each for each in self.store.outbox.load()}
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
            if not left:
                break
        assert left == []
        assert self.push_once().requests == 0
        self.sync()
        assert self.store.outbox.load() == []
        for name, editable in KINDS.items():
            for what, field in NAMES[editable.kind].items():
                own = read_cells(editable.field(field), self.read(name, field))
                nothing = {"text": None, "tag": False}.get(what, ABSENT)
                for key in CELLS[what]:
                    assert is_same(own.get(key, nothing), self.there[name, field, key])


def test_the_merge_law_holds(tmp_path):
    MergeLaw.fresh = tmp_path / "fresh.sqlite"
    Store.open(MergeLaw.fresh).close()
    run_state_machine_as_test(
        MergeLaw,
        settings=settings(
            max_examples=40,
            stateful_step_count=20,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
