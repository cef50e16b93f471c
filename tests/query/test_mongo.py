"""What a filter means equals what mongomock, somebody else's MongoDB, makes of it.

Where mongomock is no judge: it takes True for 1, misses what lies below null, and it reads a dotted key as nesting alone. Lists of
objects are leaves to us (``config.layers.0.size`` is no path), and NaN passes nothing.
"""

from __future__ import annotations

import mongomock
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wandb_mirror.query.filters import parse_filter
from wandb_mirror.query.meaning import Document, passes


def leaves_of(config, prefix=""):
    """Return the leaves of nested dicts by their names, parts joined by dots."""
    found = {}
    for key, value in config.items():
        if isinstance(value, dict) and value:
            found |= leaves_of(value, f"{prefix}{key}.")
        else:
            found[prefix + key] = value
    return found


COLLECTION = mongomock.MongoClient().db.collection
numbers = st.sampled_from([0, 1, 2, -1, 0.5, 2.5, 2**53])
words = st.sampled_from(["", "a", "ab", "B", "1"])
scalars = st.one_of(numbers, words, st.none())
values = st.one_of(scalars, st.lists(scalars, max_size=3))
nested = st.fixed_dictionaries({"deep": values})
documents = st.fixed_dictionaries({}, optional={"x": values, "y": values, "z": nested})
paths = st.sampled_from(["config.x", "config.y", "config.z.deep", "config.gone"])
conditions = st.one_of(
    scalars,
    st.lists(scalars, min_size=1, max_size=2),
    st.builds(lambda op, value: {op: value}, st.sampled_from(["$eq", "$ne"]), scalars),
    st.builds(
        lambda op, value: {op: value},
        st.sampled_from(["$gt", "$gte", "$lt", "$lte"]),
        st.one_of(numbers, words),
    ),
    st.builds(
        lambda op, chosen: {op: chosen},
        st.sampled_from(["$in", "$nin"]),
        st.lists(scalars, max_size=3),
    ),
    st.builds(
        lambda chosen: {"$all": chosen}, st.lists(st.one_of(numbers, words), min_size=1, max_size=2)
    ),
    st.builds(lambda size: {"$size": size}, st.integers(2, 3)),
    st.builds(lambda is_there: {"$exists": is_there}, st.booleans()),
    st.just({"$regex": "B", "$options": "i"}),
    st.builds(lambda text: {"$regex": text}, st.sampled_from(["^a", "b$", "1|B", ""])),
    st.builds(lambda value: {"$not": {"$gt": value}}, st.one_of(numbers, words)),
    st.sampled_from(
        [
            {"$not": {"$in": [1, "a"]}},
            {"$not": {"$not": {"$exists": True}}},
            {"$not": {"$size": 2}},
            {"$gt": 0, "$not": {"$lt": 2}},
        ]
    ),
)
leaf = st.builds(lambda path, condition: {path: condition}, paths, conditions)
filters = st.recursive(
    leaf,
    lambda inner: st.builds(
        lambda word, parts: {word: parts},
        st.sampled_from(["$and", "$or", "$nor"]),
        st.lists(inner, min_size=1, max_size=3),
    ),
    max_leaves=5,
)


@given(wanted=filters, config=documents)
@settings(max_examples=500, deadline=None)
def test_a_filter_means_what_mongodb_means(wanted, config):
    COLLECTION.delete_many({})
    COLLECTION.insert_one({"_id": 1, "config": config})
    leaves = leaves_of(config)
    found = passes(parse_filter(wanted), Document({}, config=leaves))
    assert found == bool(list(COLLECTION.find(wanted)))


@pytest.mark.parametrize(
    ("wanted", "config", "ours", "theirs"),
    [
        ({"config.x": 1}, {"x": True}, False, True),
        ({"config.x": {"$all": []}}, {}, False, True),
        ({"config.x": {"$all": [None]}}, {}, True, False),
        ({"config.x": {"$size": 1}}, {"x": 1}, False, True),
        ({"config.a.b": 1}, {"a.b": 1}, True, False),
        ({"config.z.0.deep": 1}, {"z": [{"deep": 1}]}, False, True),
        ({"config.z.deep": 1}, {"z": [{"deep": 1}]}, False, True),
    ],
)
def test_where_mongomock_or_mongodb_differs_is_known(wanted, config, ours, theirs):
    leaves = leaves_of(config)
    assert passes(parse_filter(wanted), Document({}, config=leaves)) is ours
    COLLECTION.delete_many({})
    COLLECTION.insert_one({"_id": 1, "config": config})
    assert bool(list(COLLECTION.find(wanted))) is theirs
