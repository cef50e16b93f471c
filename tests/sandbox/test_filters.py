"""What filters mean, held against examples and against mongomock."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import mongomock
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wandb_mirror.sandbox.filters import compile_filters
from wandb_mirror.sandbox.history import LoggedHistory
from wandb_mirror.sandbox.problems import QueryProblem
from wandb_mirror.sandbox.world import World


def make_world() -> World:
    world = World()
    world.add_user("ada", name="Ada", teams=("team",))
    project = world.create_project("team", "p")
    world.create_run(
        project,
        "one",
        display_name="First",
        state="finished",
        created_at=datetime(2024, 1, 1, tzinfo=UTC),
        heartbeat_at=datetime(2024, 1, 1, 0, 1, tzinfo=UTC),
        config={"lr": 0.1, "model": {"depth": 3}, "layers": [1, 2], "a.b": 1, "flag": True},
        summary={"loss": 0.5, "eval": {"loss": 0.25}, "eval.acc": 0.75, "word": "cat"},
        tags=["best", "x"],
        group="g",
        history=LoggedHistory([(0, '{"_step":0,"loss":1}')]),
    )
    world.create_run(
        project,
        "two",
        state="running",
        created_at=datetime(2024, 1, 2, tzinfo=UTC),
        config={"lr": 1, "flag": 1, "nothing": None},
        summary={"loss": "NaN"},
        tags=[],
        job_type="eval",
    )
    world.create_run(
        project,
        "three",
        state="crashed",
        created_at=datetime(2024, 1, 3, tzinfo=UTC),
        config=None,
        summary=None,
        user=None,
    )
    return world


WORLD = make_world()
RUNS = WORLD.project("team", "p").live_runs


def matching(filters: Any) -> list[str]:
    match = compile_filters(json.dumps(filters))
    return [run.run_id for run in RUNS if match is None or match(run)]


COLLECTION = mongomock.MongoClient().db.collection
ALL = ["one", "two", "three"]


@pytest.mark.parametrize(
    ("filters", "wanted"),
    [
        ({}, ALL),
        ({"name": "two"}, ["two"]),
        ({"displayName": "First"}, ["one"]),
        ({"display_name": "First"}, ["one"]),
        ({"state": {"$in": ["running", "crashed"]}}, ["two", "three"]),
        ({"username": "ada"}, ["one", "two"]),
        ({"username": None}, ["three"]),
        ({"duration": {"$gte": 60}}, ["one"]),
        ({"tags": "best"}, ["one"]),
        ({"tags": {"$in": ["best", "y"]}}, ["one"]),
        ({"tags": {"$all": ["best", "x"]}}, ["one"]),
        ({"tags": {"$ne": "best"}}, ["two", "three"]),
        ({"tags": None}, ["three"]),
        ({"tags": []}, ["two"]),
        ({"tags": {"$size": 0}}, ["two"]),
        ({"$or": [{"tags": None}, {"tags": {"$ne": "best"}}]}, ["two", "three"]),
        ({"tags.best": True}, ["one"]),
        ({"group": "g", "state": "finished"}, ["one"]),
        ({"$nor": [{"group": "g"}, {"jobType": "eval"}]}, ["three"]),
        ({"$and": [{"state": {"$ne": "running"}}, {"group": None}]}, ["three"]),
        ({"config.lr": 0.1}, ["one"]),
        ({"config.lr.value": 0.1}, ["one"]),
        ({"config.lr": {"$gt": 0, "$lt": 1}}, ["one"]),
        ({"config.model.depth": 3}, ["one"]),
        ({"config.model.value.depth": 3}, ["one"]),
        ({"config.layers": 2}, ["one"]),
        ({"config.layers.1": 2}, ["one"]),
        ({"config.a.b": 1}, []),
        ({"config.flag": True}, ["one"]),
        ({"config.flag": 1}, ["two"]),
        ({"config.nothing": None}, ALL),
        ({"config.nothing": {"$exists": True}}, ["two"]),
        ({"config.lr": {"$exists": False}}, ["three"]),
        ({"summary_metrics.loss": {"$lt": 1}}, ["one"]),
        ({"summary_metrics.loss": {"$not": {"$lt": 1}}}, ["two", "three"]),
        ({"summary_metrics.loss": "NaN"}, ["two"]),
        ({"summary_metrics.eval.loss": 0.25}, ["one"]),
        ({"summary_metrics.eval.acc": 0.75}, []),
        ({"summary_metrics.word": {"$regex": "^c.t$"}}, ["one"]),
        ({"summary_metrics.word": {"$regex": "^C", "$options": "i"}}, ["one"]),
        ({"summary_metrics.word": {"$contains": "a"}}, ["one"]),
        ({"keys_info.keys.loss": {"$exists": True}}, ["one"]),
        ({"createdAt": {"$gt": "2024-01-01T00:00:00Z"}}, ["two", "three"]),
        ({"created_at": {"$gte": "2024-01-01T00:00:00Z"}}, ALL),
        ({"createdAt": "2024-01-02T00:00:00Z"}, ["two"]),
        ({"createdAt": {"$gt": "2023-01-01T00:00:00"}}, []),
        ({"no_such_key": 1}, []),
        ({"no_such_key": {"$ne": 1}}, ALL),
    ],
    ids=json.dumps,
)
def test_a_filter_means(filters, wanted):
    assert matching(filters) == wanted


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ('{"name": {"$near": 1}}', 400),
        ('{"$xor": []}', 400),
        ('{"$or": {}}', 400),
        ('{"name": {"$in": "x"}}', 400),
        ('{"config.lr": NaN}', 400),
        ('{"name"', 400),
        ("[1]", 400),
        ('{"name": {"$regex": "("}}', 400),
        ('{"createdAt": {"$gt": 1700000000}}', 500),
    ],
)
def test_a_filter_that_is_none_is_refused(text, status):
    with pytest.raises(QueryProblem) as caught:
        compile_filters(text)
    assert caught.value.status == status


def test_a_column_that_an_older_server_lacks_is_missing():
    text = json.dumps({"updated_at": {"$gte": "2000-01-01T00:00:00Z"}})
    known, unknown = compile_filters(text), compile_filters(text, unknown=frozenset({"updatedAt"}))
    assert [known(run) for run in RUNS] == [True, True, True]
    assert [unknown(run) for run in RUNS] == [False, False, False]


numbers = st.sampled_from([0, 1, 2, -1, 0.5, 2.5])
words = st.sampled_from(["", "a", "ab", "B"])
scalars = st.one_of(numbers, words, st.none())  # mongomock takes True for 1, MongoDB does not
values = st.one_of(scalars, st.lists(scalars, max_size=3))
nested = st.one_of(
    st.fixed_dictionaries({"deep": scalars}),
    st.lists(st.fixed_dictionaries({"deep": numbers}), min_size=1, max_size=2),
)
documents = st.fixed_dictionaries({}, optional={"x": values, "y": values, "z": nested})
keys = st.sampled_from(["x", "y", "z.deep"])
ordered = st.one_of(numbers, words)
conditions = st.one_of(
    scalars,
    st.builds(lambda value: {"$eq": value}, scalars),
    st.builds(lambda value: {"$ne": value}, scalars),
    st.builds(
        lambda name, value: {name: value}, st.sampled_from(["$gt", "$gte", "$lt", "$lte"]), ordered
    ),
    st.builds(
        lambda name, value: {name: value},
        st.sampled_from(["$in", "$nin"]),
        st.lists(scalars, max_size=3),
    ),
    st.builds(lambda value: {"$exists": value}, st.booleans()),
    st.builds(lambda value: {"$not": {"$gt": value}}, ordered),
    st.builds(lambda value: {"$regex": value}, st.sampled_from(["a", "^a", "b$"])),
    st.builds(lambda value: {"$all": value}, st.lists(ordered, min_size=1, max_size=2)),
)
leaves = st.dictionaries(keys, conditions, min_size=1, max_size=2)
trees = st.recursive(
    leaves,
    lambda inner: st.builds(
        lambda name, parts: {name: parts},
        st.sampled_from(["$and", "$or", "$nor"]),
        st.lists(inner, min_size=1, max_size=3),
    ),
    max_leaves=4,
)


def with_prefix(tree: dict[str, Any]) -> dict[str, Any]:
    """Return a filter over a run's summary instead of over a document."""
    return {
        key if key.startswith("$") else f"summary_metrics.{key}": [
            with_prefix(each) for each in value
        ]
        if key in ("$and", "$or", "$nor")
        else value
        for key, value in tree.items()
    }


@given(document=documents, tree=trees)
@settings(max_examples=200, deadline=None)
def test_a_filter_means_what_mongodb_means(document, tree):
    COLLECTION.delete_many({})
    COLLECTION.insert_one(dict(document))
    world = World()
    world.add_user("ada", name="Ada")
    run = world.create_run(world.create_project("team", "p"), summary=document)
    match = compile_filters(json.dumps(with_prefix(tree)))
    assert match is not None
    assert match(run) == (COLLECTION.count_documents(tree) == 1)
