"""SQL means what the filter means, for any filter, over runs that hold everything."""

from __future__ import annotations

import json
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from random import Random
from typing import NamedTuple

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from wandb_mirror.errors import BadFilter
from wandb_mirror.history.columns import StepsPage
from wandb_mirror.history.flatten import flatten, unwrap_config
from wandb_mirror.history.lines import parse_steps
from wandb_mirror.jsontext import NON_FINITE
from wandb_mirror.kinds import INPUT_ARTIFACT, OUTPUT_ARTIFACT, PROJECT, RUN
from wandb_mirror.kinds.pages import HistoryCursor
from wandb_mirror.query.filters import COMPARISONS, LOGIC, parse_filter
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
BIG = [2**53, 2**53 + 1, 2.0**53, 9007199254740994.0, 2**63 + 3, -(2**53) - 1]
VALUES = [0, 1, 2.5, -1, *BIG, float("nan"), float("inf"), True, False, None, "a", "b", "1", "true", "", "A\n", "ä", [1, "a"], [None], [], [True, 2.5], [BIG[1], [1]], "NaN"]  # fmt: skip
TAGS = ["x", "y", 'q"', ""]
STATES = ["finished", "running", "crashed"]


def row(kind, **values):
    """Return a row with what is given, and nothing else."""
    return {field.column: None for field in kind.fields} | values


def is_kept(value):
    """Tell whether a value is kept as it is: no text that stands for a number, no lone surrogate."""
    if isinstance(value, int) and abs(value) >= 10**38:
        return False
    return not isinstance(value, str) or (value.isprintable() and value not in NON_FINITE)


def random_document(random):
    document = {}
    for _ in range(random.randint(0, 6)):
        key = random.choice(KEYS)
        if key == "only":
            document[key] = random.choice([1.5, 2.5, 3.5, 2.0**53])
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


@contextmanager
def mirror_of(folder, pairs, random):
    """Yield the published file of runs with these pairs of config and summary, and each document."""
    documents, rows, pages, used = {}, [], [], {INPUT_ARTIFACT: [], OUTPUT_ARTIFACT: []}
    for number, (config, summary) in enumerate(pairs):
        run_id = f"r{number:02}"
        tags = random.choice([None, [], random.sample(TAGS, k=random.randint(1, 3))])
        columns = {
            "run_id": run_id,
            "name": random.choice(["alpha", "beta", None, ""]),
            "state": random.choice(STATES),
            "run_group": random.choice([None, "g1", "g2"]),
            "created_at": NOW + timedelta(hours=random.randint(0, 5)),
            "heartbeat_at": random.choice([None, NOW]),
            "compute_seconds": random.choice([0.0, 10.5, 100.0]),
            "history_line_count": random.choice([None, 0, 7]),
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
        names = {kind: random.sample(range(3), k=random.randint(0, 2)) for kind in used}
        for kind, chosen in names.items():
            used[kind] += [
                row(kind, project_id="P", run_id=run_id, artifact_id=f"A{each}", source_entity="e",
                    source_project="q", source_collection="data", version_index=each)
                for each in chosen
            ]  # fmt: skip
        called = {
            kind.plural: tuple(
                name
                for each in chosen
                for name in (f"A{each}", f"data:v{each}", f"e/q/data:v{each}")
            )
            for kind, chosen in names.items()
        }
        own = {**columns, "duration_s": columns["compute_seconds"], "entity": "e", "project": "p"}
        documents[run_id] = Document(
            own, tags, leaves_of(config), leaves_of(summary), frozenset(metrics), called
        )
    published = folder / "wandb.duckdb"
    with Store.open(folder / "store.sqlite") as store:
        store.save_rows(
            PROJECT, [row(PROJECT, project_id="P", entity="e", project="p")], now=NOW, is_whole=True
        )
        store.save_rows(RUN, rows, now=NOW, is_whole=True)
        for kind, found in used.items():
            store.save_rows(kind, found, now=NOW, is_whole=True)
        with Warehouse.open(
            folder / "warehouse.duckdb", settings=Settings(), published=published,
            url="https://wandb.ai", pair_id=store.pair_id, store_seq=store.load_changed_seq(),
        ) as warehouse:  # fmt: skip
            warehouse.take(store)
            warehouse.save_steps(pages)
            warehouse.publish()
    with Published.open(published) as opened:
        yield Mirrored(opened, documents)


@pytest.fixture(scope="module")
def mirrored(tmp_path_factory):
    """Return the published file of 80 random runs, and what filters should see of each."""
    random = Random(11)
    pairs = [(random_document(random), random_document(random)) for _ in range(80)]
    with mirror_of(tmp_path_factory.mktemp("law"), pairs, random) as found:
        yield found


scalars = st.sampled_from(
    [value for value in VALUES if value == value and value != "NaN" and not isinstance(value, list)]
)
paths = st.sampled_from(
    [f"{prefix}.{key}{end}" for prefix in ("config", "summary_metrics") for key in [*KEYS, "gone", "opt"] for end in (("", ".value") if prefix == "config" else ("",))]
    + ["config.opt.value.name"]
)  # fmt: skip
orderings = st.sampled_from(["$gt", "$gte", "$lt", "$lte"])
comparables = st.sampled_from([0, 1, 2.5, "a", "b", True, False, *BIG, float("inf"), 2**70, 10**40])
comparisons = st.one_of(
    st.builds(lambda value: value, scalars),
    st.builds(lambda op, value: {op: value}, st.sampled_from(["$eq", "$ne"]), scalars),
    st.builds(lambda op, value: {op: value}, orderings, comparables),
    st.builds(
        lambda op, values: {op: values},
        st.sampled_from(["$in", "$nin", "$all"]),
        st.lists(scalars, max_size=3),
    ),
    st.builds(lambda value: {"$exists": value}, st.booleans()),
    st.builds(
        lambda text: {"$regex": text},
        st.sampled_from(["^a", "b$", "", "1|tr", "A$", r"^\pL$", "x(?i)|a", r"^\w$"]),
    ),
    st.builds(lambda text: {"$regex": text, "$options": "is"}, st.sampled_from(["^a.?$", "TRUE"])),
    st.builds(lambda text: {"$contains": text}, st.sampled_from(["a", "", "%", "r"])),
    st.builds(lambda size: {"$size": size}, st.integers(0, 3)),
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
    st.builds(lambda value: {"tags": value}, st.sampled_from(["x", None, [], ["x"], {"$ne": "x"}, {"$in": ["x", ""]}, {"$exists": True}, {"$regex": "q"}, {"$all": ["x", "y"]}, {"$size": 2}, {"$contains": "q"}])),
    st.builds(lambda tag, value: {f"tags.{tag}": value}, st.sampled_from(TAGS[:2]), st.sampled_from([True, False, None, {"$exists": False}])),
    st.builds(lambda value: {"keys_info.keys.loss": value}, st.sampled_from([{"$exists": True}, {"$ne": None}])),
    st.builds(lambda side, value: {side: value}, st.sampled_from(["inputArtifacts", "outputArtifacts", "input_artifacts"]), st.sampled_from(["data:v1", "A2", {"$regex": "^e/q/.*v0$"}, {"$ne": "data:v0"}, {"$all": ["A0", "data:v1"]}, None, {"$exists": True}, {"$exists": False}])),
    st.builds(lambda value: {"historyLineCount": value}, st.sampled_from([7, None, {"$lt": 1}, {"$lt": 0.5}])),
    st.sampled_from([{"entity": "e"}, {"project": {"$ne": "p"}}, {"entity": {"$regex": "^E"}}]),
)  # fmt: skip
by_key = st.builds(lambda path, value: {path: value}, paths, comparisons)
leaf = st.integers(0, 3).flatmap(
    lambda side: own if side == 0 else by_key
)  # keys are the hard part
filters = st.recursive(
    leaf,
    lambda inner: st.builds(
        lambda word, parts: {word: parts},
        st.sampled_from(["$and", "$or", "$nor"]),
        st.lists(inner, min_size=1, max_size=3),
    ),
    max_leaves=5,
)


def find(mirrored, wanted):
    """Return what the SQL finds, by all its ways, and what the meaning in Python says."""
    published, documents = mirrored
    tree = parse_filter(wanted)
    expected = {run_id for run_id, document in documents.items() if passes(tree, document)}
    question = ask_runs(published, "e", "p", filters=wanted, columns=["run_id"])
    found = [run_id for (run_id,) in published.rows(question.sql, question.parameters)]
    assert question.count() == len(found)
    ids = dict(published.rows("SELECT run_no, run_id FROM main.runs"))
    assert [ids[number] for number in question.numbers()] == found
    return set(found), expected


@given(wanted=filters)
@settings(max_examples=300, deadline=None)
def test_sql_means_what_the_filter_means(mirrored, wanted):
    found, expected = find(mirrored, wanted)
    assert found == expected


leaves = st.sampled_from(VALUES) | st.integers() | st.floats() | st.text(max_size=3)
values = st.recursive(
    leaves.filter(is_kept),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["name", "lr", "b", "value"]), inner, max_size=2),
    max_leaves=4,
)  # fmt: skip
runs = st.lists(
    st.tuples(*(st.dictionaries(st.sampled_from([*KEYS, "a"]), values, max_size=4) for _ in "cs")),
    min_size=1, max_size=6,
)  # fmt: skip


@given(pairs=runs, wanted=st.lists(filters, min_size=20, max_size=20), seed=st.integers(0, 99))
@settings(max_examples=6, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
def test_sql_means_what_the_filter_means_over_any_documents(tmp_path_factory, pairs, wanted, seed):
    with mirror_of(tmp_path_factory.mktemp("any"), pairs, Random(seed)) as mirrored:
        for each in wanted:
            found, expected = find(mirrored, each)
            assert found == expected, each


@pytest.mark.parametrize("key", ["only", "x"])
def test_integers_that_no_double_holds_compare_exactly(mirrored, key):
    """``only`` is compared in its column, ``x`` value by value."""
    for operator in ("$eq", "$gt", "$gte", "$lt", "$lte"):
        for number in BIG:
            found, expected = find(mirrored, {f"config.{key}": {operator: number}})
            assert found == expected, (operator, number)


def test_an_integer_past_all_integer_columns_compares_exactly(tmp_path):
    number = 2**63 + 3
    with mirror_of(tmp_path, [({"n": number}, {}), ({"n": 0.5}, {})], Random(0)) as mirrored:
        for operator in ("$eq", "$gt", "$gte", "$lt", "$lte"):
            for operand in (number, number - 1, number + 1, float(number)):
                found, expected = find(mirrored, {"config.n": {operator: operand}})
                assert found == expected, (operator, operand)


words = st.sampled_from(["state", "tags", "createdAt", "config.lr", "tags.x", "keys_info.keys.loss", "inputArtifacts", "summary_metrics.x", "stat", "entity", "duration", *COMPARISONS, *LOGIC, "$options"]) | st.text(max_size=3)  # fmt: skip
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3) | st.dates()
    | st.datetimes() | st.sampled_from(["\ud800", "(", 10**400, 2**64, b"", "2024-05-01"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


@given(
    wanted=anything,
    order=st.none() | st.text(max_size=3) | st.lists(words, max_size=2).map("+,-".join),
)
@settings(max_examples=300, deadline=None)
def test_whatever_is_asked_is_answered_or_named(mirrored, wanted, order):
    """No other error: neither Python's nor DuckDB's."""
    for asked in ({"filters": wanted}, {"filters": {"config.lr": wanted}}, {"order": order}):
        with suppress(BadFilter):
            question = ask_runs(mirrored.published, "e", "p", **asked, columns=["run_id"])
            assert len(mirrored.published.rows(question.sql, question.parameters)) <= 80


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
