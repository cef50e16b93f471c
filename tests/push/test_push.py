"""A push reads fresh, sends what was edited, and loses nobody's edit."""

from __future__ import annotations

import contextlib
import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from mirror.making import TEAM, first_runs, make_world, open_mirror, own_id, rows
from wandb_mirror.edits.cells import Change
from wandb_mirror.edits.edit import Target
from wandb_mirror.edits.values import ABSENT
from wandb_mirror.errors import (
    BadEdit,
    Interrupted,
    NotMirrored,
    Refused,
    Retry,
    UpstreamBroken,
    WrongServer,
)
from wandb_mirror.mirror.deleting import delete_object, delete_run_files
from wandb_mirror.mirror.edits import resolve_edits
from wandb_mirror.mirror.lock import hold_lock
from wandb_mirror.mirror.wishes import find_objects, make_changes
from wandb_mirror.sandbox import Sandbox
from wandb_mirror.sandbox.faults import reset, status, truncate
from wandb_mirror.store.store import Store


class Desk:
    """A mirror of a small world, and short words for editing it."""

    def __init__(self, folder, box, **options) -> None:
        self.box, self.world = box, box.world
        self.mirror = open_mirror(folder, box, **options)
        self.mirror.sync(["team"], skip=["history"])
        self.paths = first_runs(self.world)

    def edit(self, path, field, value, key=""):
        with self.mirror.read_edited() as published:
            found = find_objects(published, path, [field])
        self.mirror.desk.queue(make_changes(found, [(field, key, lambda _: value)]))

    def states(self):
        return {(e.target.path, e.label): e.state for e in self.mirror.desk.load()}

    def mutations(self):
        return [each for each in self.box.requests if each.document.startswith("mutation")]

    def just_before_the_write(self, act):
        """Let somebody else act after the push has read and before it writes."""

        def is_write(seen):
            if seen.document.startswith("mutation") and not done:
                done.append(seen)
                act()
            return False

        done = []
        self.box.faults.add(status(500), when=is_write, times=None)


@pytest.fixture
def box():
    with Sandbox(make_world(projects=1, runs=5)) as box:
        yield box


@pytest.fixture
def desk(tmp_path, box):
    return Desk(tmp_path / "mirror", box)


def test_only_the_fields_that_were_edited_are_sent(desk):
    desk.edit(desk.paths[0], "notes", "n")
    desk.mirror.push()
    [sent] = desk.mutations()
    assert sent.variables["input_n0"].keys() == {"id", "notes"}
    assert sent.variables["input_before_n0"].keys() == {"id"}


def test_what_others_did_to_other_fields_tags_and_keys_stays(desk):
    path = desk.paths[0]
    desk.edit(path, "tags", True, "mine")
    desk.edit(path, "config", 5, "lr")
    config = json.loads(desk.world.run(path).config)
    desk.world.edit(path, tags=["theirs"], notes="theirs", config=None)
    config["other"] = {"value": 1, "desc": None}
    desk.world.edit(path, config=json.dumps(config))
    desk.mirror.push()
    run = desk.world.run(path)
    assert run.tags == ["theirs", "mine"]
    assert run.notes == "theirs"
    assert json.loads(run.config) == {**config, "lr": {"value": 5, "desc": None}}


def test_config_that_nobody_edited_goes_back_byte_for_byte(desk):
    path = desk.paths[0]
    odd = '{"lr": {"desc":"rate", "value":0.1},\n"_wandb":{"t":{"1":[ 1e400, NaN ]}}, "big":{"value":18446744073709551617}}'
    desk.world.edit(path, config=odd)
    desk.mirror.sync(["team"], skip=["history"])
    desk.edit(path, "config", 0.2, "lr")
    desk.mirror.push()
    assert desk.world.run(path).config == odd.replace("0.1", "0.2")


def test_a_conflict_is_kept_and_settled_either_way(desk):
    for takes_theirs, wanted in ((False, "ours"), (True, "theirs")):
        path = desk.paths[takes_theirs]
        desk.edit(path, "notes", "ours")
        desk.world.edit(path, notes="theirs")
        report = desk.mirror.push(path)
        assert (report.conflicts, report.pushed) == (1, 0)
        assert "resolve" in report.messages[0]
        assert desk.mirror.push(path).requests == 0
        resolve_edits(desk.mirror, lambda _: True, takes_theirs=takes_theirs)
        assert desk.mirror.push(path).is_complete
        assert desk.world.run(path).notes == wanted
        assert desk.states() == {}


def test_who_wrote_in_the_moment_of_a_push_is_not_lost(desk):
    path = desk.paths[0]
    desk.edit(path, "tags", True, "mine")
    desk.edit(path, "config", 5, "lr")
    config = json.loads(desk.world.run(path).config)
    config["theirs"] = {"value": 1}

    def act():
        run = desk.world.run(path)
        desk.world.edit(path, tags=[*run.tags, "theirs"], config=json.dumps(config))

    desk.just_before_the_write(act)
    report = desk.mirror.push()
    assert report.races == 2
    run = desk.world.run(path)
    assert {"mine", "theirs"} <= set(run.tags)
    assert run.config_values["theirs"]["value"] == 1
    assert run.config_values["lr"]["value"] == 5
    assert desk.states() == {}


@pytest.mark.parametrize("takes_theirs", [True, False])
def test_a_text_overwritten_in_the_moment_of_a_push_is_a_conflict_that_holds_it(desk, takes_theirs):
    path = desk.paths[0]
    desk.edit(path, "notes", "ours")
    desk.just_before_the_write(lambda: desk.world.edit(path, notes="theirs"))
    report = desk.mirror.push()
    assert (report.conflicts, report.pushed) == (1, 0)
    assert desk.world.run(path).notes == "ours"
    [edit] = desk.mirror.desk.load()
    assert (edit.local, edit.upstream) == ("ours", "theirs")
    resolve_edits(desk.mirror, lambda _: True, takes_theirs=takes_theirs)
    assert desk.mirror.push().is_complete
    assert desk.world.run(path).notes == ("theirs" if takes_theirs else "ours")


def test_python_edits_one_or_many_by_name(desk):
    path, project = desk.paths[0], desk.paths[0].rsplit("/", 1)[0]
    assert desk.mirror.edit(path, notes="n", config={"lr": 5}, unset_config=["epochs"]) == 3
    assert desk.mirror.edit(project, filters={"notes": "n"}, add_tags=["x"], summary={"s": 1}) == 2
    with pytest.raises(BadEdit, match="no note to edit; there are add_tags"):
        desk.mirror.edit(path, note="n")
    assert desk.mirror.push().pushed == 5
    run = desk.world.run(path)
    assert (run.notes, run.tags[-1], run.summary_values["s"]) == ("n", "x", 1)
    assert "epochs" not in run.config_values


def test_many_are_read_and_written_together(tmp_path):
    with Sandbox(make_world(projects=1, runs=120, steps=1)) as box:
        desk = Desk(tmp_path / "mirror", box)
        with desk.mirror.read_edited() as published:
            found = find_objects(published, "team/mnist-baselines", ["tags"], {})
        desk.mirror.desk.queue(make_changes(found, [("tags", "triage", lambda _: True)]))
        report = desk.mirror.push()
        assert report.pushed == 120
        assert report.requests == 6
        assert all("triage" in desk.world.run(path).tags for path in desk.paths)
        assert desk.mirror.push().requests == 0


def refuse(message):
    return status(200, json.dumps({"errors": [{"message": message}]}))


def test_a_server_that_takes_one_mutation_a_document_is_served_one_by_one(desk):
    for path in desk.paths:
        desk.edit(path, "notes", "n")
    desk.box.faults.add(
        refuse("one operation at a time, please"),
        when=lambda seen: seen.document.count("upsertBucket(") > 1,
        times=None,
    )
    report = desk.mirror.push()
    assert (report.pushed, report.refused) == (5, 0)
    assert all(desk.world.run(path).notes == "n" for path in desk.paths)
    for path in desk.paths:
        desk.edit(path, "notes", "m")
    assert desk.mirror.push().requests == 10
    assert desk.states() == {}


def test_a_server_that_wants_something_to_change_is_not_asked_for_the_state_before(desk):
    def is_guarded(seen):
        return any(
            name.startswith("input_before") and given.keys() == {"id"}
            for name, given in seen.variables.items()
        )

    for path in desk.paths:
        desk.edit(path, "notes", "n")
    desk.box.faults.add(refuse("nothing to change"), when=is_guarded, times=None)
    assert desk.mirror.push().pushed == 5
    desk.edit(desk.paths[0], "notes", "m")
    assert desk.mirror.push().requests == 2


def test_one_refusal_by_chance_does_not_end_the_look_at_the_state_before(desk):
    path = desk.paths[0]
    desk.edit(path, "notes", "n")
    desk.box.faults.add(refuse("not today"), when=lambda seen: "upsertBucket" in seen.document)
    assert desk.mirror.push().pushed == 1
    desk.edit(path, "notes", "ours")
    desk.just_before_the_write(lambda: desk.world.edit(path, notes="theirs"))
    assert desk.mirror.push().conflicts == 1


def test_one_that_is_refused_does_not_block_the_others(desk):
    for path in desk.paths:
        desk.edit(path, "notes", "n")
    bad = desk.world.run(desk.paths[2]).storage_id
    desk.box.faults.add(
        status(200, '{"errors": [{"message": "permission denied to edit this run"}]}'),
        when=lambda seen: seen.document.startswith("mutation") and bad in str(seen.variables),
        times=None,
    )
    report = desk.mirror.push()
    assert (report.pushed, report.refused) == (4, 1)
    assert "permission denied" in report.messages[0]
    assert "discard" in report.messages[0]
    assert desk.states() == {(desk.paths[2], "notes"): "refused"}
    assert desk.mirror.push().requests == 0
    desk.box.faults.clear()
    assert desk.mirror.push(again=True).pushed == 1
    assert desk.states() == {}


def test_what_was_deleted_upstream_is_refused_with_what_to_do(desk):
    desk.edit(desk.paths[0], "notes", "n")
    desk.world.delete(desk.paths[0])
    report = desk.mirror.push()
    assert report.refused == 1
    assert "restore it" in report.messages[0]
    assert desk.mutations() == []


def test_what_is_read_only_upstream_is_refused_with_what_to_do(desk):
    desk.edit(desk.paths[0], "notes", "n")
    desk.world.projects[0].is_read_only = True
    desk.world.edit(desk.paths[1], notes="moves the version")
    report = desk.mirror.push()
    assert report.refused == 1
    assert "ask its owner" in report.messages[0]
    assert desk.mutations() == []


def test_config_of_a_running_run_waits_unless_it_is_forced(desk):
    path = desk.paths[0]
    desk.world.edit(path, state="running")
    desk.edit(path, "config", 1, "lr")
    desk.edit(path, "tags", True, "x")
    report = desk.mirror.push()
    assert (report.pushed, report.waiting) == (1, 1)
    assert desk.world.run(path).tags[-1] == "x"
    assert desk.states() == {(path, "config.lr"): "pending"}
    assert desk.mirror.push(is_forced=True).pushed == 1
    assert desk.world.run(path).config_values["lr"]["value"] == 1


def test_a_dry_run_sends_nothing_and_shows_the_mutation(desk):
    desk.edit(desk.paths[0], "notes", "n")
    report = desk.mirror.push(is_dry=True)
    assert desk.mutations() == []
    [(text, variables)] = report.documents
    assert "upsertBucket" in text
    assert variables["input_n0"]["notes"] == "n"
    assert desk.states() == {(desk.paths[0], "notes"): "pending"}


class Killed(BaseException):
    """Stands for kill -9."""


@pytest.mark.parametrize("at", range(1, 9))
def test_a_push_that_is_killed_anywhere_is_done_by_the_next(tmp_path, box, at):
    desk = Desk(tmp_path / "mirror", box)
    path = desk.paths[0]
    desk.edit(path, "notes", "n")
    desk.edit(path, "tags", True, "x")
    desk.edit(path, "config", ABSENT, "lr")
    commits = []

    def kill(label):
        commits.append(label)
        if len(commits) == at:
            raise Killed

    desk.mirror.on_commit = kill
    with contextlib.suppress(Killed):
        desk.mirror.push()
    desk.mirror.on_commit = lambda _: None
    assert desk.mirror.push().is_complete
    run = desk.world.run(path)
    assert (run.notes, run.tags.count("x"), "lr" in run.config_values) == ("n", 1, False)
    assert desk.states() == {}
    assert desk.mirror.push().requests == 0
    assert rows(desk.mirror, "SELECT notes FROM runs WHERE run_id = ?", own_id(path)) == [("n",)]


def test_a_reply_that_does_not_come_is_looked_for_by_the_next_push(tmp_path, box):
    desk = Desk(tmp_path / "mirror", box, overrides={"upstream.max_retries": 0})
    desk.edit(desk.paths[0], "notes", "n")
    desk.box.faults.add(reset(), when="mutation", times=1)
    desk.mirror.push()
    assert desk.states() == {(desk.paths[0], "notes"): "sent"}
    desk.edit(desk.paths[0], "notes", "m")
    assert desk.mirror.push().pushed == 1
    assert desk.world.run(desk.paths[0]).notes == "m"


def test_a_server_that_is_out_of_reach_leaves_everything_waiting(tmp_path, box):
    desk = Desk(tmp_path / "mirror", box, overrides={"upstream.max_retries": 0})
    desk.edit(desk.paths[0], "notes", "n")
    desk.box.faults.add(status(429), times=None)
    with pytest.raises(Retry):
        desk.mirror.push()
    desk.box.faults.clear()
    assert list(desk.states().values()) == ["pending"]
    assert desk.mirror.push().pushed == 1


def test_a_push_that_is_asked_to_stop_goes_on_later(tmp_path):
    with Sandbox(make_world(projects=1, runs=60, steps=1)) as box:
        desk = Desk(tmp_path / "mirror", box)
        with desk.mirror.read_edited() as published:
            found = find_objects(published, "team/mnist-baselines", ["notes"], {})
        desk.mirror.desk.queue(make_changes(found, [("notes", "", lambda _: "n")]))
        desk.just_before_the_write(desk.mirror.stop.set)
        with pytest.raises(Interrupted, match="push again"):
            desk.mirror.push()
        desk.mirror.stop.clear()
        assert desk.mirror.push().pushed == 10


def test_an_edit_made_during_a_push_waits_for_the_next(desk):
    path = desk.paths[0]
    desk.edit(path, "notes", "one")
    desk.just_before_the_write(lambda: desk.edit(path, "notes", "two"))
    desk.mirror.push()
    desk.mirror.push()
    assert desk.world.run(path).notes == "two"
    assert desk.states() == {}


def test_the_audit_says_who_what_when_and_how_it_ended(desk):
    desk.edit(desk.paths[0], "notes", "n")
    desk.mirror.push()
    with Store.open(desk.mirror.store_path) as store:
        [row] = store.outbox.load_audit()
    assert (row["path"], row["field"], row["local"], row["result"]) == (
        desk.paths[0],
        "notes",
        '"n"',
        "done",
    )
    assert row["who"]
    assert row["at"] is not None


def test_a_push_to_another_server_is_refused(desk, tmp_path):
    desk.edit(desk.paths[0], "notes", "n")
    with Sandbox(make_world(projects=1, runs=5)) as other:
        mirror = open_mirror(desk.mirror.folder, other)
        with pytest.raises(WrongServer):
            mirror.push()


def test_a_version_is_deleted_with_its_aliases_only_where_that_is_asked_for(tmp_path):
    world = make_world(projects=1, runs=2, datasets=1)
    with Sandbox(world) as box:
        mirror = open_mirror(tmp_path / "mirror", box)
        mirror.sync([TEAM])
        path = f"artifact:{TEAM}/{world.projects[0].name}/mnist-0:latest"
        with pytest.raises(Refused, match="aliases"):
            delete_object(mirror, path)
        delete_object(mirror, path, deletes_aliases=True)
        gone = rows(mirror, "SELECT version FROM artifacts WHERE deleted_at IS NOT NULL")
        assert gone == [("v2",)]
        assert world.projects[0].collections["mnist-0"].live[-1].version_index == 1
        with pytest.raises(NotMirrored):
            delete_object(mirror, path)
        assert mirror.sync([TEAM], is_full_refresh=True).problems == 0
        assert rows(mirror, "SELECT version FROM artifacts WHERE deleted_at IS NOT NULL") == gone


def test_files_of_a_run_are_deleted_by_pattern(tmp_path):
    world = make_world(projects=1, runs=1)
    [run] = world.projects[0].runs.values()
    for name in ("a.log", "b.log", "keep.txt"):
        world.upload(run, name, b"x")
    with Sandbox(world) as box:
        mirror = open_mirror(tmp_path / "mirror", box)
        mirror.sync([TEAM])
        path = f"{TEAM}/{world.projects[0].name}/{run.run_id}"
        assert delete_run_files(mirror, path, "*.log") == 2
        assert "keep.txt" in run.uploads
        assert "a.log" not in run.uploads
        left = "SELECT name FROM run_files WHERE deleted_at IS NULL AND name LIKE '%.log'"
        assert rows(mirror, left) == []
        with pytest.raises(NotMirrored, match="no file that matches"):
            delete_run_files(mirror, path, "*.log")


def test_a_run_is_deleted_only_by_its_own_command(desk):
    delete_object(desk.mirror, desk.paths[0])
    assert desk.world.run(desk.paths[0]).deleted_at is not None
    found = rows(desk.mirror, "SELECT deleted_at FROM runs WHERE run_id = ?", own_id(desk.paths[0]))
    assert found[0][0] is not None
    with Store.open(desk.mirror.store_path) as store:
        audit = store.outbox.load_audit()[-2:]
    assert [(each["path"], each["result"]) for each in audit] == [
        (desk.paths[0], "deletion asked for"),
        (desk.paths[0], "deleted"),
    ]


def test_a_deletion_whose_reply_was_lost_may_be_asked_for_again(desk):
    desk.box.faults.add(truncate(0.5), times=1, when=lambda seen: "deleteRun" in seen.document)
    hasty = open_mirror(desk.mirror.folder, desk.box, overrides={"upstream.max_retries": 0})
    with pytest.raises(UpstreamBroken):
        delete_object(hasty, desk.paths[0])
    assert desk.world.run(desk.paths[0]).deleted_at is not None
    with pytest.raises(Refused, match="the next sync marks it"):
        delete_object(hasty, desk.paths[0])
    with Store.open(desk.mirror.store_path) as store:
        audit = [each["result"] for each in store.outbox.load_audit()]
    assert audit == ["deletion asked for", "deletion asked for", "refused"]
    desk.mirror.sync([TEAM])
    found = rows(desk.mirror, "SELECT deleted_at FROM runs WHERE run_id = ?", own_id(desk.paths[0]))
    assert found[0][0] is not None


def test_an_edit_of_what_the_mirror_does_not_have_any_more_is_not_lost(desk):
    target = Target("runs", "no such project", "x", "team/gone/x")
    desk.mirror.desk.queue([(target, Change("notes", "", None, "n"))])
    report = desk.mirror.push()
    assert report.retry_later == 1
    assert list(desk.states().values()) == ["pending"]


def test_editing_needs_no_lock_and_a_push_shows_what_it_cannot_publish_yet(desk, monkeypatch):
    path = desk.paths[0]
    monkeypatch.setattr("wandb_mirror.mirror.mirror.LOCK_PATIENCE_SECONDS", 0.1)
    with hold_lock(desk.mirror.folder, "a sync of hours"):
        desk.edit(path, "notes", "n")
        report = desk.mirror.push()
        assert (report.pushed, report.published) == (1, None)
        assert desk.states() == {(path, "notes"): "done"}
        with desk.mirror.read_edited() as published:
            assert desk.mirror.load_object(published, path)["notes"] == "n"
    desk.mirror.sync(["team"], skip=["history"])
    assert desk.mirror.desk.look().count == 0
    assert rows(desk.mirror, "SELECT notes FROM runs WHERE run_id = ?", own_id(path)) == [("n",)]


def test_edits_of_several_processes_at_once_are_all_kept(desk):
    with ThreadPoolExecutor(4) as pool:
        made = [
            pool.submit(desk.edit, path, "tags", True, f"t{n}")
            for path in desk.paths
            for n in range(4)
        ]
        for each in made:
            each.result()
    assert len(desk.states()) == 20
    assert desk.mirror.push().pushed == 20


def test_what_a_server_empties_though_nobody_named_it_is_a_conflict_that_holds_it(desk):
    path = desk.paths[0]
    desk.world.edit(path, description="long and dear", notes="old")
    desk.mirror.sync(["team"], skip=["history"])
    desk.edit(path, "notes", "n")
    desk.just_before_the_write(lambda: desk.world.edit(path, description=""))
    report = desk.mirror.push()
    assert (report.pushed, report.conflicts) == (1, 1)
    assert "did not name it" in report.messages[0]
    resolve_edits(desk.mirror, lambda _: True, takes_theirs=False)
    assert desk.mirror.push().pushed == 1
    run = desk.world.run(path)
    assert (run.notes, run.description) == ("n", "long and dear")
