"""What readers see of edits is what the file shows once they are pushed, value for value."""

from __future__ import annotations

import pytest

from mirror.making import make_world, open_mirror
from wandb_mirror.edits.values import ABSENT
from wandb_mirror.mirror.wishes import find_objects, make_changes
from wandb_mirror.sandbox import Sandbox

PROJECT = "team/mnist-baselines"
WISHES = [
    [("tags", "new", True), ("tags", "debug", False), ("notes", "", 'a "quoted" text')],
    [("name", "", "renamed"), ("group", "", "g"), ("job_type", "", None)],
    [("config", "lr", 7), ("config", "batch_size", "many"), ("config", "epochs", ABSENT)],
    [("config", "deep", {"a": {"b": [1, "x"], "c": None}, "d": {}}), ("config", "lr", True)],
    [("summary", "accuracy", "NaN"), ("summary", "loss", 2**60 + 1), ("summary", "new", "text")],
    [("config", "a.b", 1), ("config", "a", {"b": 2}), ("summary", "loss", None)],
]
FILTERS = [
    {"tags": "new"},
    {"tags": {"$nin": ["debug"]}},
    {"config.lr": {"$gte": 1}},
    {"config.lr": True},
    {"config.batch_size": "many"},
    {"config.batch_size": {"$gt": 1}},
    {"config.epochs": {"$exists": False}},
    {"config.deep.a.c": None},
    {"config.a.b": {"$in": [1, 2]}},
    {"summary_metrics.loss": {"$gt": 5}},
    {"summary_metrics.new": {"$regex": "t"}},
    {"$or": [{"displayName": "renamed"}, {"notes": {"$regex": "quoted"}}]},
    {"group": "g"},
]
ORDERS = ["+config.lr", "-summary_metrics.loss", "+display_name", "-config.batch_size"]
OF_A_SYNC = "synced_at, updated_at, run_no"


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """Return what is read with edits laid over, and what is read once they are pushed."""
    with Sandbox(make_world(projects=2, runs=7)) as box:
        mirror = open_mirror(tmp_path_factory.mktemp("desk") / "mirror", box)
        mirror.sync(["team"])
        runs = [run.path for run in box.world.projects[0].live_runs]
        for path, wishes in zip(runs, WISHES, strict=False):
            with mirror.read_edited() as published:
                found = find_objects(published, path, [name for name, *_ in wishes])
            changes = [(name, key, lambda _, value=value: value) for name, key, value in wishes]
            mirror.desk.queue(make_changes(found, changes))
        laid = look(mirror)
        report = mirror.push()
        assert report.is_complete
        assert mirror.desk.look().count == 0
        return laid, look(mirror)


def look(mirror):
    """Return everything that readers can ask."""
    seen = {}
    with mirror.read_edited() as published:
        for wanted in FILTERS:
            question = mirror.ask_runs(published, PROJECT, filters=wanted, columns=["run_id"])
            answer = [row[0] for row in question.ask().rows()]
            assert len(answer) == question.count() == len(question.numbers())
            seen[f"filter {wanted}"] = answer
        for order in ORDERS:
            question = mirror.ask_runs(published, PROJECT, order=order, columns=["run_id"])
            seen[f"order {order}"] = [row[0] for row in question.ask().rows()]
        for name in ("main.runs", f'"{PROJECT}".runs'):
            table = published.table(f"SELECT * EXCLUDE ({OF_A_SYNC}) FROM {name} ORDER BY run_id")
            seen[name] = {each: table.column(each).to_pylist() for each in table.column_names}
        for name in ("run_config", "run_summary", "run_tags"):
            found = published.rows(f"SELECT * EXCLUDE (run_no) FROM main.{name}")
            seen[name] = sorted(map(repr, found))
        for project in (PROJECT, "team/resnet-ablations"):
            seen[f"count {project}"] = mirror.ask_runs(published, project).count()
    return seen


def test_filters_orders_and_counts_are_what_they_will_be(both):
    laid, pushed = both
    names = [name for name in pushed if name.startswith(("filter", "order", "count"))]
    assert {name: laid[name] for name in names} == {name: pushed[name] for name in names}
    assert sum(bool(pushed[f"filter {wanted}"]) for wanted in FILTERS) == len(FILTERS)


@pytest.mark.parametrize("name", ["main.runs", "run_config", "run_summary", "run_tags"])
def test_tables_are_what_they_will_be(both, name):
    laid, pushed = both
    assert repr(laid[name]) == repr(pushed[name])


def test_columns_of_the_project_are_what_they_will_be_where_the_file_has_them(both):
    laid, pushed = (each[f'"{PROJECT}".runs'] for each in both)
    for name in laid.keys() & pushed.keys():
        if name not in ("config.lr", "config.batch_size", "summary.accuracy", "summary.loss"):
            assert repr(laid[name]) == repr(pushed[name]), name
