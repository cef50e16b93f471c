"""SQL means what the filter means, for any filter, over runs that hold everything."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from random import Random
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wandb_mirror.history.columns import StepsPage
from wandb_mirror.history.flatten import flatten, unwrap_config
from wandb_mirror.history.lines import parse_steps
from wandb_mirror.kinds import PROJECT, RUN
from wandb_mirror.kinds.pages import HistoryCursor
from wandb_mirror.query.filters import parse_filter
from wandb_mirror.query.meaning import Document, passes
from wandb_mirror.query.published import Published
from wandb_mirror.query.runs import ask_runs
from wandb_mirror.settings import Settings
from wandb_mirror.store.store import Store
from wandb_mirror.warehouse.warehouse import Warehouse

NOW = datetime(2024, 5, 1)  # noqa: DTZ001
KEYS = [
    "lr",
    "opt",
    "opt.name",
    "opt.lr",
    "a.b",
    "Lr",
    'q"uote',
    "only",
    "flag",
    "text",
    "mixed",
    "x",
]
VALUES = [0, 1, 2.5, -1, 2**53 + 1, float("nan"), True, False, None, "a", "b", "1", "true", "", [1, "a"], [None], [], [True, 2.5], "NaN"]  # fmt: skip
TAGS = ["x", "y", 'q"', ""]
STATES = ["finished", "running", "crashed"]


def row(kind, **values):
    """Return a row with what is given, and nothing else."""
    return {field.column: None for field in kind.fields} | values


def random_document(random):
    document = {}
    for _ in range(random.randint(0, 6)):
        key = random.choice(KEYS)
        if key == "only":
            document[key] = random.choice([1.5, 2.5, 3.5])
        elif key == "flag":
            document[key] = random.random() < 0.5
        elif key == "text":
            document[key] = random.choice(["a", "b", "ab"])
        elif key == "opt" or (key == "a.b" and random.random() < 0.5):
            inner = {"name": random.choice(VALUES), "lr": random.choice(VALUES)}
            document["opt" if key == "opt" else "a"] = (
                inner if key == "opt" else {"b": random.choice(VALUES)}
            )
        else:
            document[key] = random.choice(VALUES)
    return document


def leaves_of(document):
    """Return leaves by name, the nested one before its dotted twin."""
    found = {}
    for path, leaf in sorted(flatten(document), key=lambda each: len(each[0])):
        found[".".join(path)] = float("nan") if leaf == "NaN" else leaf
    return found


class Mirrored(NamedTuple):
    """A published file, and what filters should see of each run in it."""

    published: Published
    documents: dict[str, Document]

    def __repr__(self) -> str:
        return "Mirrored(...)"


@pytest.fixture(scope="module")
def mirrored(tmp_path_factory):
    """Return the published file of 80 random runs, and what filters should see of each."""
    folder = tmp_path_factory.mktemp("law")
    random = Random(11)
    documents, rows, pages = {}, [], []
    for number in range(80):
        run_id = f"r{number:02}"
        config, summary = random_document(random), random_document(random)
        tags = random.choice([None, [], random.sample(TAGS, k=random.randint(1, 3))])
        columns = {
            "run_id": run_id,
            "name": random.choice(["alpha", "beta", None, ""]),
            "state": random.choice(STATES),
            "run_group": random.choice([None, "g1", "g2"]),
            "created_at": NOW + timedelta(hours=random.randint(0, 5)),
            "heartbeat_at": random.choice([None, NOW]),
            "compute_seconds": random.choice([0.0, 10.5, 100.0]),
        }
        wire = json.dumps({key: {"value": value} for key, value in config.items()} | {"_wandb": {}})
        assert unwrap_config(json.loads(wire)).keys() == config.keys()
        rows.append(
            row(RUN, project_id="P", **columns, config=wire, summary=json.dumps(summary),
                tags=None if tags is None else json.dumps(tags, separators=(",", ":")))
        )  # fmt: skip
        metrics = random.sample(["loss", "acc"], k=random.randint(0, 2))
        if metrics:
            line = json.dumps({"_step": 0, **dict.fromkeys(metrics, 1)})
            cursor = HistoryCursor(1, 1, "complete", True)
            pages.append(StepsPage("P", run_id, 0, None, parse_steps(run_id, [line]), cursor))
        own = {**columns, "duration_s": columns["compute_seconds"]}
        documents[run_id] = Document(
            own, tags, leaves_of(config), leaves_of(summary), frozenset(metrics)
        )
    published = folder / "wandb.duckdb"
    with Store.open(folder / "store.sqlite") as store:
        store.save_rows(
            PROJECT, [row(PROJECT, project_id="P", entity="e", project="p")], now=NOW, is_whole=True
        )
        store.save_rows(RUN, rows, now=NOW, is_whole=True)
        with Warehouse.open(
            folder / "warehouse.duckdb", settings=Settings(), published=published,
            url="https://wandb.ai", pair_id=store.pair_id, store_seq=store.load_changed_seq(),
        ) as warehouse:  # fmt: skip
            warehouse.take(store)
            warehouse.save_steps(pages)
            warehouse.publish()
    with Published.open(published) as opened:
        yield Mirrored(opened, documents)


scalars = st.sampled_from(
    [value for value in VALUES if value == value and value != "NaN" and not isinstance(value, list)]
)
paths = st.sampled_from(
    [f"{prefix}.{key}{end}" for prefix in ("config", "summary_metrics") for key in [*KEYS, "gone", "opt"] for end in (("", ".value") if prefix == "config" else ("",))]
    + ["config.opt.value.name"]
)  # fmt: skip
orderings = st.sampled_from(["$gt", "$gte", "$lt", "$lte"])
comparables = st.sampled_from([0, 1, 2.5, "a", "b", True, False, 2**53 + 1])
comparisons = st.one_of(
    st.builds(lambda value: value, scalars),
    st.builds(lambda op, value: {op: value}, st.sampled_from(["$eq", "$ne"]), scalars),
    st.builds(lambda op, value: {op: value}, orderings, comparables),
    st.builds(
        lambda op, values: {op: values},
        st.sampled_from(["$in", "$nin"]),
        st.lists(scalars, max_size=3),
    ),
    st.builds(lambda value: {"$exists": value}, st.booleans()),
    st.builds(lambda text: {"$regex": text}, st.sampled_from(["^a", "b$", "", "1|tr"])),
    st.builds(lambda op, value: {"$not": {op: value}}, orderings, comparables),
    st.sampled_from([[1, "a"], [], {"$eq": [None]}, {"$gt": 0, "$lt": 3}]),
)
times = st.sampled_from(
    ["2024-05-01T02:00:00Z", "2024-05-01T00:00:00", "2024-05-01T05:00:00+02:00"]
)
own = st.one_of(
    st.builds(lambda value: {"state": value}, st.sampled_from([*STATES, {"$in": STATES[:2]}, {"$ne": "running"}])),
    st.builds(lambda value: {"displayName": value}, st.sampled_from(["alpha", None, "", {"$regex": "^a"}, {"$exists": False}])),
    st.builds(lambda value: {"group": value}, st.sampled_from(["g1", None, {"$nin": ["g1", None]}])),
    st.builds(lambda op, value: {"createdAt": {op: value}}, orderings, times),
    st.builds(lambda op, value: {"heartbeat_at": {op: value}}, orderings, times),
    st.builds(lambda op, value: {"duration": {op: value}}, orderings, st.sampled_from([0, 10.5, 50])),
    st.builds(lambda value: {"tags": value}, st.sampled_from(["x", None, [], ["x"], {"$ne": "x"}, {"$in": ["x", ""]}, {"$exists": True}, {"$regex": "q"}])),
    st.builds(lambda tag, value: {f"tags.{tag}": value}, st.sampled_from(TAGS[:2]), st.sampled_from([True, None, {"$exists": False}])),
    st.builds(lambda value: {"keys_info.keys.loss": value}, st.sampled_from([{"$exists": True}, {"$ne": None}])),
)  # fmt: skip
leaf = st.one_of(st.builds(lambda path, value: {path: value}, paths, comparisons), own)
filters = st.recursive(
    leaf,
    lambda inner: st.builds(
        lambda word, parts: {word: parts},
        st.sampled_from(["$and", "$or", "$nor"]),
        st.lists(inner, min_size=1, max_size=3),
    ),
    max_leaves=5,
)


@given(wanted=filters)
@settings(max_examples=300, deadline=None)
def test_sql_means_what_the_filter_means(mirrored, wanted):
    published, documents = mirrored
    tree = parse_filter(wanted)
    expected = {run_id for run_id, document in documents.items() if passes(tree, document)}
    question = ask_runs(published, "e", "p", filters=wanted, columns=["run_id"])
    found = [run_id for (run_id,) in published.rows(question.sql, question.parameters)]
    assert set(found) == expected
    assert question.count() == len(found)
    ids = dict(published.rows("SELECT run_no, run_id FROM main.runs"))
    assert [ids[number] for number in question.numbers()] == found


@given(path=paths, sign=st.sampled_from(["+", "-", ""]))
@settings(max_examples=40, deadline=None)
def test_any_order_shows_every_run_once_with_missing_values_last(mirrored, path, sign):
    published, documents = mirrored
    question = ask_runs(published, "e", "p", order=f"{sign}{path}", columns=["run_id"])
    found = [run_id for (run_id,) in published.rows(question.sql, question.parameters)]
    assert sorted(found) == sorted(documents)
    ids = dict(published.rows("SELECT run_no, run_id FROM main.runs"))
    assert [ids[number] for number in question.numbers()] == found


@pytest.mark.parametrize("sign", ["+", "-"])
def test_numbers_sort_by_value_and_ties_by_id(mirrored, sign):
    published, documents = mirrored
    question = ask_runs(published, "e", "p", order=f"{sign}config.only", columns=["run_id"])
    found = [run_id for (run_id,) in published.rows(question.sql, question.parameters)]
    has = {each: doc.config["only"] for each, doc in documents.items() if "only" in doc.config}
    factor = 1 if sign == "+" else -1
    expected = sorted(has, key=lambda each: (factor * has[each], each))
    assert found[: len(has)] == expected
    assert found[len(has) :] == sorted(set(documents) - set(has))
