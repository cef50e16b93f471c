"""The real client and the mirror's ``Api`` are asked the same questions of the same runs."""

from __future__ import annotations

import math
import warnings
from random import Random

import pytest

from mirror.making import TEAM
from wandb_mirror import Api

# the real client talks to a process of its own over a Unix socket, which is no network
pytestmark = [pytest.mark.sdk, pytest.mark.enable_socket]

USUAL = f"{TEAM}/mnist-baselines"
ODD = f"{TEAM}/oddities"
PROJECTS = (USUAL, ODD)
PLAIN = (
    "id", "name", "display_name", "storage_id", "entity", "project", "path", "url", "tags", "notes",
    "group", "job_type", "description", "commit", "created_at", "heartbeat_at", "sweep_name",
    "history_line_count", "lastHistoryStep",
)  # fmt: skip
"""Attributes whose values are the same."""
FILTERS = 240
UNASKED = {"config.", "summary_metrics.", "config.value", "config.plain", "config.listed"}
"""Keys that filters of the sandbox do not find: empty ones, and those the wire has unwrapped."""
LOST_BY_THE_SDK = {"beyond_uint64", "negative_beyond", "surrogate", "beyond_int64"}
"""Keys of ``odd-values`` where the real client hands out something else; see docs/wandb-parity.md."""


def cleaned(value):
    """Return a value made comparable: NaN is equal to itself, a lone surrogate to U+FFFD."""
    if isinstance(value, float) and math.isnan(value):
        return "NaN"
    if isinstance(value, float) and math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, dict) or hasattr(value, "items"):
        return {cleaned(key): cleaned(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [cleaned(each) for each in value]
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return value


@pytest.fixture
def api(mirror):
    """Return the mirror's ``Api``; here the other client needs its sockets."""
    return Api(mirror=mirror.folder)


@pytest.fixture(scope="module")
def both(real, mirror):
    """Return both clients' runs by id, whole."""
    ours = Api(mirror=mirror.folder)
    return {
        path: (
            {run.id: run for run in real.runs(path, per_page=100, lazy=False)},
            {run.id: run for run in ours.runs(path, per_page=100)},
        )
        for path in PROJECTS
    }


@pytest.mark.parametrize("path", PROJECTS)
@pytest.mark.parametrize("name", PLAIN)
def test_attributes_of_runs_are_the_same(both, path, name):
    theirs, ours = both[path]
    assert ours.keys() == theirs.keys()
    for run_id, run in theirs.items():
        assert cleaned(getattr(ours[run_id], name)) == cleaned(getattr(run, name)), run_id


@pytest.mark.parametrize("path", PROJECTS)
def test_states_reprs_and_pages_are_the_same(both, path):
    theirs, ours = both[path]
    for run_id, run in theirs.items():
        mine = ours[run_id]
        assert mine.state == run.state.lower()
        assert repr(mine).lower() == repr(run).lower()
        assert mine.to_html() == run.to_html()
        assert mine._repr_html_() == run._repr_html_()
        assert mine.user.username == run.user.username


@pytest.mark.parametrize("path", PROJECTS)
@pytest.mark.parametrize("name", ["config", "summary_metrics", "summary", "system_metrics"])
def test_config_and_summary_are_the_same(both, path, name):
    theirs, ours = both[path]
    for run_id, run in theirs.items():
        mine, other = cleaned(getattr(ours[run_id], name)), cleaned(getattr(run, name))
        for values in (mine, other):
            values.pop("value", None)  # the client unwraps a config key of this name twice
        assert mine == other, run_id
        assert list(mine) == list(other)


@pytest.mark.parametrize("path", PROJECTS)
def test_history_keys_count_the_same_metrics(both, path):
    theirs, ours = both[path]
    own = {"_step", "_timestamp", "_runtime"}
    for run_id, run in theirs.items():
        keys = (run.history_keys or {"keys": {}, "lastStep": -1})["keys"]
        mine = ours[run_id].history_keys
        counted = {name.split("~")[0] for name in mine["keys"]}
        assert counted == {cleaned(key).split("~")[0] for key in keys} - own, run_id


@pytest.mark.parametrize("path", PROJECTS)
def test_every_history_row_is_the_same(both, path):
    theirs, ours = both[path]
    for run_id, run in theirs.items():
        wanted = [cleaned({k: v for k, v in row.items() if v is not None or k != "_timestamp"})
                  for row in run.scan_history(use_cache=False)]  # fmt: skip
        found = [cleaned(row) for row in ours[run_id].scan_history()]
        for row in (*wanted, *found):
            for key in LOST_BY_THE_SDK | {
                "nan_as_text",
                "infinity_as_text",
                "minus_infinity_as_text",
            }:
                row.pop(key, None)
        assert found == wanted, run_id


@pytest.mark.parametrize("keys", [["loss"], ["loss", "accuracy"], ["_timestamp", "loss"], ["nope"]])
@pytest.mark.parametrize("samples", [2, 7, 500])
def test_samples_with_keys_are_the_same(both, keys, samples):
    theirs, ours = both[USUAL]
    for run_id in list(theirs)[:6]:
        asked = {"samples": samples, "keys": keys, "pandas": False}
        assert ours[run_id].history(**asked) == theirs[run_id].history(**asked)


def test_frames_of_history_are_the_same(both):
    theirs, ours = both[USUAL]
    for run_id in list(theirs)[:4]:
        mine, other = ours[run_id].history(samples=20), theirs[run_id].history(samples=20)
        assert mine.equals(other[list(mine.columns)])
        assert set(mine.columns) == set(other.columns)


def test_histories_of_many_runs_are_the_same(real, api):
    asked = {"samples": 5, "keys": ["loss"]}
    query = {"state": "finished"}
    with warnings.catch_warnings(action="ignore"):  # the client's own use of pandas is deprecated
        theirs = real.runs(USUAL, query).histories(**asked, format="pandas")
    ours = api.runs(USUAL, query).histories(**asked, format="pandas")
    order = ["run_id", "_step"]
    assert list(ours.columns) == list(theirs.columns)
    assert (
        ours.sort_values(order)
        .reset_index(drop=True)
        .equals(theirs.sort_values(order).reset_index(drop=True))
    )


def known_values(runs, path):
    """Return the fields that filters can be about, each with values that runs have."""
    own = {
        "state": "state", "name": "id", "displayName": "name", "display_name": "name",
        "group": "group", "jobType": "job_type", "job_type": "job_type", "createdAt": "created_at",
        "created_at": "created_at", "heartbeatAt": "heartbeat_at", "notes": "notes", "commit": "commit",
    }  # fmt: skip
    fields = {field: [getattr(run, name) for run in runs] for field, name in own.items()}
    fields["state"] = [state.lower() for state in fields["state"] if state != "FINISHED"]
    fields["username"] = [run.user.username for run in runs]
    fields["tags"] = [tag for run in runs for tag in run.tags or []]
    for run in runs:
        for key, value in run.config.items():
            fields.setdefault(f"config.{key}", []).append(value)
            fields.setdefault(f"config.{key}.value", []).append(value)
        for key, value in run.summary_metrics.items():
            fields.setdefault(f"summary_metrics.{key}", []).append(value)
    if path == ODD:
        fields.pop("displayName"), fields.pop("display_name"), fields.pop("notes")  # surrogates
    return {
        field: [value for value in values if is_usable(value)]
        for field, values in fields.items()
        if "." not in field.partition(".")[2].removesuffix(".value")
        and is_usable(field)
        and field.removesuffix(".value") not in UNASKED
    }


def is_usable(value):
    """Tell whether a value can be written in a filter: no NaN, no dict, no lone surrogate."""
    if isinstance(value, float) and not math.isfinite(value):
        return False
    if isinstance(value, int) and abs(value) > 2**53:
        return False
    if isinstance(value, dict | list):
        return False
    if isinstance(value, str):
        return (
            value not in ("NaN", "Infinity", "-Infinity")
            and value == cleaned(value)
            and "\0" not in value
        )
    return True


def random_filter(random, fields, depth=0):
    """Return a filter that some runs may pass."""
    if depth < 2 and random.random() < 0.35:
        word = random.choice(["$and", "$or", "$nor"])
        parts = [random_filter(random, fields, depth + 1) for _ in range(random.randint(1, 3))]
        return {word: parts}
    field = random.choice([name for name, values in fields.items() if values])
    values = fields[field]
    value = random.choice(values)
    is_time = field in ("createdAt", "created_at", "heartbeatAt")
    operators = ["$eq", "$ne", "$gt", "$gte", "$lt", "$lte", "$in", "$nin", "$exists"]
    if not field.startswith(("config.", "summary_metrics.")):
        operators.remove(
            "$exists"
        )  # whether an empty field of the run itself is there: see the page
    if isinstance(value, str) and not is_time:
        operators.append("$regex")
    if is_time and value is None:
        value = "2024-01-01T00:00:00Z"
    operator = random.choice(operators)
    operand = {
        "$in": lambda: random.sample(values, k=min(len(values), random.randint(1, 3))),
        "$nin": lambda: random.sample(values, k=min(len(values), random.randint(1, 3))),
        "$exists": lambda: random.random() < 0.5,
        "$regex": lambda: random.choice(["^[a-m]", "a", "s$", "1|2", "(?i)ADAM"]),
    }.get(operator, lambda: value)()
    if operator in ("$gt", "$gte", "$lt", "$lte") and operand is None:
        operator = "$eq"
    if is_time and isinstance(operand, list):
        operand = [each for each in operand if each is not None] or [value]
    condition = operand if operator == "$eq" and random.random() < 0.5 else {operator: operand}
    if isinstance(condition, dict) and random.random() < 0.1 and operator != "$exists":
        condition = {"$not": condition}
    return {field: condition}


@pytest.mark.parametrize("path", PROJECTS)
def test_generated_filters_find_the_same_runs(real, api, both, path):
    random = Random(f"filters {path}")
    fields = known_values(list(both[path][0].values()), path)
    different, empty = [], 0
    for _ in range(FILTERS):
        query = random_filter(random, fields)
        wanted = sorted(run.id for run in real.runs(path, query, per_page=100))
        found = sorted(run.id for run in api.runs(path, query, per_page=100))
        empty += not wanted
        if found != wanted:
            different.append((query, sorted(set(found) ^ set(wanted))))
    assert different == []
    assert empty < FILTERS / 2


ORDERS = (
    "+created_at", "-created_at", "-heartbeat_at", "+summary_metrics.loss", "-summary_metrics.loss",
    "-summary_metrics.accuracy", "+config.lr.value", "-config.lr.value", "+config.optimizer.value",
    "+displayName", "-duration", "+state",
)  # fmt: skip


@pytest.mark.parametrize("order", ORDERS)
def test_orders_sort_by_the_same_values(real, api, order):
    key = order[1:]

    def value(run):
        source, _, name = key.partition(".")
        if source == "summary_metrics":
            return cleaned(run.summary.get(name))
        if source == "config":
            return run.config.get(name.removesuffix(".value"))
        return {"displayName": run.name, "duration": None}.get(key) or getattr(run, key, None)

    wanted = [value(run) for run in real.runs(USUAL, order=order, per_page=100)]
    found = [value(run) for run in api.runs(USUAL, order=order, per_page=100)]
    assert found == wanted


def test_projects_and_viewers_are_the_same(real, api):
    theirs, ours = list(real.projects(TEAM)), list(api.projects(TEAM))
    assert sorted(map(repr, ours)) == sorted(map(repr, theirs))
    by_name = {project.name: project for project in ours}
    for project in theirs:
        mine = by_name[project.name]
        for name in ("id", "name", "entity", "entity_name", "path", "url", "created_at"):
            assert getattr(mine, name) == getattr(project, name)
        assert mine.to_html() == project.to_html()
    for name in ("id", "name", "username", "email", "admin", "entity"):
        assert getattr(api.viewer, name) == getattr(real.viewer, name)
    assert (repr(api.viewer), api.default_entity) == (repr(real.viewer), real.default_entity)


def test_mistakes_are_told_alike(real, api):
    """The same words begin the message; a ``ValueError`` stays one."""
    run = both_runs(real, api)
    for ask in (
        lambda client: client.run("a/b/c/d"),
        lambda client: client.run(f"{USUAL}/nope"),
        lambda client: list(client.runs(f"{TEAM}/nope")),
        lambda client: len(client.runs(f"{TEAM}/nope")),
        lambda client: client.project("nope", TEAM).id,
        lambda client: client.runs(USUAL)[1000],
        lambda client: client.runs(USUAL).histories(format="excel"),
        lambda client: run[client].summary["nope"],
        lambda client: run[client].summary.nope,
        lambda client: run[client].nope,
        lambda client: run[client].scan_history(keys="loss"),
    ):
        theirs, ours = mistake(ask, real), mistake(ask, api)
        words = str(theirs).replace("<Run ", "").split(" (")[0].split(":")[0]
        assert words.strip("'<>")[:30] in str(ours).replace("<Run ", ""), (theirs, ours)
        if isinstance(theirs, ValueError | KeyError | IndexError | AttributeError):
            kinds = [ValueError, KeyError, IndexError, AttributeError]
            assert [isinstance(ours, k) for k in kinds] == [isinstance(theirs, k) for k in kinds]


def both_runs(real, api):
    run_id = real.runs(USUAL)[0].id
    return {client: client.run(f"{USUAL}/{run_id}") for client in (real, api)}


def mistake(ask, client):
    with pytest.raises(Exception) as caught:
        ask(client)
    return caught.value
