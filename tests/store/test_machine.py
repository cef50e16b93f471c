"""Any sequence of saves, marks and restores leaves the store as a dict would be left."""

from __future__ import annotations

import shutil
import tempfile
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from fakes.storing import NOW, OTHER, SCOPE, lighten, place_of, rows
from wandb_mirror.jsontext import loads
from wandb_mirror.kinds.pages import Row, Saved, ScopeOf
from wandb_mirror.kinds.project import PROJECT
from wandb_mirror.kinds.run import RUN
from wandb_mirror.kinds.spec import Kind
from wandb_mirror.kinds.viewer import VIEWER
from wandb_mirror.store.digest import digest_light
from wandb_mirror.store.store import Store

OWN_KEYS = st.sampled_from(["a", "b", "c", "d"])
SEEN = st.sets(OWN_KEYS)
SCOPES = st.sampled_from([SCOPE, OTHER])


class StoreMachine(RuleBasedStateMachine):
    """The store beside a dict by key that says what it should hold."""

    kind: Kind
    fresh: Path

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.path = Path(shutil.copy(self.fresh, self.folder / "store.sqlite"))
        self.store = Store.open(self.path)
        self.rows: dict[tuple[str, ...], Row] = {}
        self.removed: dict[tuple[str, ...], int] = {}
        self.seq = 0
        self.now = NOW

    def teardown(self) -> None:
        self.store.close()
        shutil.rmtree(self.folder)

    def key(self, row: Row) -> tuple[str, ...]:
        return tuple(row[name] for name in self.kind.key)

    def inside(self, scope: ScopeOf) -> dict[tuple[str, ...], Row]:
        place = place_of(self.kind, scope)
        return {k: row for k, row in self.rows.items() if place.items() <= row.items()}

    @rule(data=st.data(), is_whole=st.booleans())
    def save(self, data, is_whole):
        self.now += timedelta(minutes=1)
        page = data.draw(st.lists(rows(self.kind, OWN_KEYS), max_size=4))
        page = page if is_whole else [lighten(self.kind, row) for row in page]
        saved = self.store.save_rows(self.kind, page, now=self.now, is_whole=is_whole)
        incoming = {self.key(row): row for row in page}
        changed = {key: row for key, row in incoming.items() if self.differs(key, row)}
        self.seq += bool(changed)
        is_settled = is_whole or not self.kind.has_heavy_fields
        for key, row in incoming.items():
            old = self.rows.get(key) or dict.fromkeys(f.column for f in self.kind.fields)
            new = old | {"checked_at": None} | old | row
            if key in changed:
                new |= {"changed_seq": self.seq, "synced_at": self.now, "light_digest": None}
                new |= {"deleted_at": None, "inaccessible_since": None}
            if is_settled:
                new |= {"light_digest": digest_light(self.kind, row), "checked_at": self.now}
            self.rows[key] = new
            self.removed.pop(key, None)
        own_keys = tuple(key[-1] for key in changed)
        assert saved == Saved(len(changed), len(incoming) - len(changed), own_keys)

    def differs(self, key, row):
        old = self.rows.get(key)
        is_gone = old is None or old["deleted_at"] or old["inaccessible_since"]
        return bool(is_gone) or any(old[name] != value for name, value in row.items())

    @rule(scope=SCOPES, seen=SEEN)
    def mark_missing(self, scope, seen):
        self.now += timedelta(minutes=1)
        missing = {
            key: row
            for key, row in self.inside(scope).items()
            if key[-1] not in seen and not row["deleted_at"] and not row["inaccessible_since"]
        }
        found = self.store.mark_missing(self.kind, scope, seen=seen, now=self.now)
        assert found == sorted(key[-1] for key in missing)
        self.seq += bool(missing)
        for key, row in missing.items():
            if self.kind.when_gone == "removed":
                del self.rows[key]
                self.removed[key] = self.seq
                continue
            mark = "deleted_at" if self.kind.when_gone == "deleted" else "inaccessible_since"
            row |= {mark: self.now, "changed_seq": self.seq, "synced_at": self.now}

    @rule()
    def open_again(self):
        self.store.close()
        self.store = Store.open(self.path)

    @invariant()
    def holds_what_the_dict_holds(self):
        there = [row for batch in self.store.load_rows(self.kind, batch_size=3) for row in batch]
        assert there == [self.rows[key] for key in sorted(self.rows)]
        assert self.store.load_changed_seq() == self.seq

    @invariant()
    def tells_what_changed(self):
        after_seq = self.seq // 2
        batches = self.store.load_changed(self.kind, after_seq=after_seq, batch_size=2)
        there = [(row["changed_seq"], self.key(row)) for batch in batches for row in batch]
        changed = [(row["changed_seq"], key) for key, row in self.rows.items()]
        assert there == sorted(each for each in changed if each[0] > after_seq)
        removals = self.store.load_removals(after_seq=after_seq)
        gone = {tuple(loads(each["key"])): each["changed_seq"] for each in removals}
        assert gone == {key: seq for key, seq in self.removed.items() if seq > after_seq}

    @invariant()
    def counts_what_is_live(self):
        for scope in (SCOPE, OTHER):
            live = [
                row
                for row in self.inside(scope).values()
                if not row["deleted_at"] and not row["inaccessible_since"]
            ]
            assert self.store.count_live(self.kind, scope) == len(live)


@pytest.mark.parametrize("kind", [VIEWER, PROJECT, RUN], ids=lambda kind: kind.plural)
def test_any_sequence_of_calls_leaves_the_store_as_a_dict_would_be(kind, fresh_file):
    machine = type("Machine", (StoreMachine,), {"kind": kind, "fresh": fresh_file})
    run_state_machine_as_test(
        machine, settings=settings(max_examples=25, stateful_step_count=12, deadline=None)
    )
