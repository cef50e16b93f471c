"""Exported histories: their files, their URLs, and what the real client makes of them."""

from __future__ import annotations

import io
import json
import math
import time
from base64 import b64decode

import httpx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wandb_mirror.sandbox import Behaviour, ExportShape, Sandbox, World, faults, generate_world
from wandb_mirror.sandbox import warm_up as render
from wandb_mirror.sandbox.downloads import read_range
from wandb_mirror.sandbox.export_columns import make_table
from wandb_mirror.sandbox.exports import find_live_rows, plan_parts
from wandb_mirror.sandbox.history import LoggedHistory, gather

EXPORTS = """query E($run: String!, $keys: [String!]!) {
  project(entityName: "demo-team", name: "mnist-baselines") { run(name: $run) {
    parquetHistory(liveKeys: $keys) { parquetUrls liveData } } } }"""


@pytest.fixture
def export(sandbox, ask):
    """Return a function that asks a new box for the exports of its first ended run."""

    def start(world=None, **options):
        world = world or generate_world(projects=1, runs=12, steps=30)
        box = sandbox(world, **{"exports": "ready", **options})
        run = next(each for each in world.projects[0].live_runs if each.state != "running")

        def fetch(run=run, keys=("_step",)):
            reply = ask(box, EXPORTS, run=run.run_id, keys=list(keys)).json()
            return reply["data"]["project"]["run"]["parquetHistory"]

        fetch.box, fetch.run = box, run
        return fetch

    return start


def read(url: str) -> pa.Table:
    reply = httpx.get(url)
    assert reply.status_code == 200, reply.text
    return pq.read_table(io.BytesIO(reply.content))


def lines_of(run):
    return [json.loads(line) for line in run.history.lines()]


def logged(*rows) -> World:
    world = generate_world(projects=1, runs=0)
    run = world.create_run(world.projects[0], "one")
    for row in rows:
        world.log(run, row)
    world.finish(run)
    return world


def test_an_ended_run_is_in_one_file_whole(export):
    fetch = export()
    found = fetch()
    assert found["liveData"] == []
    (url,) = found["parquetUrls"]
    table = read(url)
    assert table.schema.field("_step").type == pa.float64()
    assert table.to_pylist() == lines_of(fetch.run)


def test_the_newest_rows_of_a_run_that_runs_are_live(export):
    fetch = export()
    run = fetch.box.world.create_run(fetch.box.world.projects[0], "going", state="running")
    for value in range(15):
        fetch.box.world.log(run, {"loss": value})
    found = fetch(run, keys=["_step", "loss"])
    rows = lines_of(run)
    assert found["liveData"] == [{"_step": row["_step"], "loss": row["loss"]} for row in rows[12:]]
    assert read(found["parquetUrls"][0]).to_pylist() == rows[:12]
    assert fetch(run)["liveData"] == [{"_step": step} for step in range(12, 15)]


def test_exports_may_lag_be_off_and_be_null(export):
    fetch = export(exports="lagging", export_lag=0.5)
    found = fetch()
    assert [row["_step"] for row in found["liveData"]] == list(range(15, 30))
    assert read(found["parquetUrls"][0]).num_rows == 15
    assert export(exports="off")() == {"parquetUrls": [], "liveData": []}
    assert export(exports="null")() is None


def test_a_run_in_several_files_that_overlap(export):
    shape = ExportShape(rows_per_file=12, overlap=2, alternates=True)
    fetch = export(export_shape=shape)
    tables = [read(url) for url in fetch()["parquetUrls"]]
    assert [table["_step"].to_pylist() for table in tables] == [
        list(range(12)),
        list(range(10, 24)),
        list(range(22, 30)),
    ]
    types = [str(table.schema.field("_step").type) for table in tables]
    assert types == ["double", "int64", "double"]


def test_files_of_one_run_differ_in_columns_and_types(export):
    fetch = export(
        logged({"m": 1}, {"m": "a"}, {"n": 2}), export_shape=ExportShape(rows_per_file=1)
    )
    schemas = [read(url).schema for url in fetch()["parquetUrls"]]
    assert [[str(field.type) for field in schema if field.name in "mn"] for schema in schemas] == [
        ["double"],
        ["string"],
        ["double"],
    ]
    assert [schema.names[-1] for schema in schemas] == ["m", "m", "n"]


def test_a_rewound_run_has_other_files(export):
    fetch = export(logged({"m": 1}, {"m": 2}, {"m": 3}))
    url = fetch()["parquetUrls"][0]
    fetch.box.world.rewind(fetch.run, 0)
    before = read(url)
    fetch.box.world.log(fetch.run, {"m": 4})
    fetch.box.world.finish(fetch.run)
    after = read(fetch()["parquetUrls"][0])
    assert before["m"].to_pylist() == [1, 2, 3]
    assert after["m"].to_pylist() == [1, 4]


def test_files_stay_where_they_are_while_a_run_grows(export):
    fetch = export(logged({"m": 1}, {"m": 2}), export_shape=ExportShape(rows_per_file=1))
    before = [httpx.get(url).headers["etag"] for url in fetch()["parquetUrls"]]
    fetch.box.world.log(fetch.run, {"m": 3})
    after = [httpx.get(url).headers["etag"] for url in fetch()["parquetUrls"]]
    assert after[:2] == before
    assert len(set(after)) == 3


def test_urls_are_new_each_time_and_may_come_in_any_order(export):
    fetch = export(export_shape=ExportShape(rows_per_file=3), export_order="shuffled")
    first, second = fetch()["parquetUrls"], fetch()["parquetUrls"]
    assert not set(first) & set(second)
    names = [[url.partition("?")[0] for url in urls] for urls in (first, second)]
    assert names[0] != names[1]
    assert sorted(names[0]) == sorted(names[1])


def test_a_key_beside_the_signature_is_refused(export):
    fetch = export()
    url = fetch()["parquetUrls"][0]
    assert httpx.get(url, auth=("api", fetch.box.api_key)).status_code == 400
    assert httpx.get(url[:-1] + "x").status_code == 403
    assert httpx.get(url.partition("?")[0]).status_code == 403
    assert httpx.get(url).status_code == 200


def test_urls_expire_and_new_ones_are_good(export):
    fetch = export(url_uses=2, url_expired_status=410)
    url = fetch()["parquetUrls"][0]
    assert [httpx.get(url).status_code for _ in range(3)] == [200, 200, 410]
    assert httpx.get(fetch()["parquetUrls"][0]).status_code == 200
    fetch = export(url_seconds=0.05)
    url = fetch()["parquetUrls"][0]
    time.sleep(0.1)
    assert httpx.get(url).status_code == 403


def test_ranges_of_a_file_are_served(export):
    url = export()()["parquetUrls"][0]
    whole = httpx.get(url)
    assert int(whole.headers["content-length"]) == len(whole.content)
    part = httpx.get(url, headers={"Range": "bytes=4-9"})
    assert part.status_code == 206
    assert part.headers["content-range"] == f"bytes 4-9/{len(whole.content)}"
    assert part.content == whole.content[4:10]
    head = httpx.head(url)
    assert (head.headers["content-length"], head.content) == (whole.headers["content-length"], b"")
    beyond = httpx.get(url, headers={"Range": "bytes=99999999-"})
    assert beyond.status_code == 416


@pytest.mark.parametrize(
    ("header", "span"),
    [
        (None, (0, 10)),
        ("bytes=0-0", (0, 1)),
        ("bytes=0-", (0, 10)),
        ("bytes=3-", (3, 10)),
        ("bytes=-4", (6, 10)),
        ("bytes=8-99", (8, 10)),
        ("bytes=10-", None),
        ("bytes=-0", None),
        ("bytes=-", (0, 10)),
        ("rows=1-2", (0, 10)),
        ("bytes=1-2,4-5", (0, 10)),
    ],
)
def test_a_range_is_read(header, span):
    assert read_range(header, 10) == span


def test_files_break_on_demand(export):
    fetch = export()
    url = fetch()["parquetUrls"][0]
    good = httpx.get(url).content
    add = fetch.box.faults.add
    add(faults.corrupt(), when="/exports/")
    bad = httpx.get(url).content
    assert len(bad) == len(good)
    with pytest.raises(pa.ArrowInvalid):
        pq.read_table(io.BytesIO(bad))
    add(faults.truncate(0.5), when="/exports/")
    with pytest.raises(httpx.TransportError):
        httpx.get(url)
    add(faults.status(503), when="/exports/")
    assert [httpx.get(url).status_code for _ in range(2)] == [503, 200]


def test_the_books_know_of_files(export):
    fetch = export()
    url = fetch()["parquetUrls"][0]
    size = len(httpx.get(url).content)
    served = fetch.box.requests[-1]
    assert (served.operation, served.bytes_out, served.status) == ("export", size, 200)


def test_files_are_written_once_and_before_they_are_asked_for():
    behaviour = Behaviour(exports="ready")
    world = generate_world(projects=1, runs=3, steps=20)
    assert render(world, behaviour) > 0
    names = set(world.exports._written)
    with Sandbox(world, behaviour):
        assert render(world, behaviour) > 0
    assert set(world.exports._written) == names
    folder = world.exports._folder
    assert folder.exists()


@pytest.mark.parametrize("is_sparse", [False, True])
def test_the_columns_of_a_curve_are_those_of_its_lines(is_sparse):
    world = generate_world(projects=1, runs=1, steps=47, metrics=8, has_sparse_metrics=is_sparse)
    history = world.projects[0].live_runs[0].history
    wanted = gather([json.loads(line) for line in history.lines(11, 33)])
    found = {name: list(values) for name, values in history.columns(11, 33).items()}
    assert found == wanted


@pytest.mark.parametrize(
    ("values", "shape", "type_", "found"),
    [
        ([1, 2.5, None], {}, "double", None),
        ([2**53 + 1], {}, "double", [float(2**53)]),
        ([10**400, -(10**400)], {}, "double", [math.inf, -math.inf]),
        ([2**53 + 1, None], {"integers": "exact"}, "int64", None),
        ([2**63], {"integers": "exact"}, "binary", [b"9223372036854775808"]),
        ([math.inf, -math.inf], {}, "double", None),
        (["NaN", "a"], {}, "string", None),
        (["a\ud800"], {}, "string", ["a\ufffd"]),
        (["a", None], {"strings": "dictionary"}, "dictionary<values=string, indices=int32, ordered=0>", None),
        ([True, False, None], {}, "bool", None),
        ([{"a": 1}, None, {"b": "x"}], {}, "struct<a: double, b: string>", [{"a": 1, "b": None}, None, {"a": None, "b": "x"}]),
        ([{}, {"a": math.nan}], {}, "binary", [b"{}", b'{"a": "NaN"}']),
        ([[1, 2], None, []], {}, "list<item: double>", None),
        ([[], []], {}, "binary", [b"[]", b"[]"]),
        ([[1, "a"]], {}, "binary", [b'[1, "a"]']),
        (
            [1, "one", None, True],
            {},
            "struct<_type_float64: double, _type_utf8: string, _type_bool: bool>",
            [
                {"_type_float64": 1, "_type_utf8": None, "_type_bool": None},
                {"_type_float64": None, "_type_utf8": "one", "_type_bool": None},
                None,
                {"_type_float64": None, "_type_utf8": None, "_type_bool": True},
            ],
        ),
        ([1, "one", None], {"mixed": "json"}, "binary", [b"1", b'"one"', None]),
    ],
)  # fmt: skip
def test_values_are_columns_as_other_programs_write_them(values, shape, type_, found):
    column = make_table({"m": values}, ExportShape(**shape)).column("m")
    assert str(column.type) == type_
    assert column.to_pylist() == (values if found is None else found)


def test_nan_is_a_number_and_a_key_without_values_has_no_column():
    table = make_table({"_step": [0, 1], "m": [math.nan, None], "n": [None, None]}, ExportShape())
    assert table.column_names == ["_step", "m"]
    assert math.isnan(table["m"][0].as_py())


@pytest.mark.parametrize("shape", [ExportShape(), ExportShape(integers="exact", mixed="json")])
def test_every_odd_value_is_exported(export, shape):
    world = generate_world(projects=0, has_oddities=True)
    for run in world.projects[0].live_runs:
        for part in range(run.history.line_count):
            table = make_table(run.history.columns(part, part + 1), shape)
            assert table["_step"].to_pylist() == [run.history.all_steps[part]]


@pytest.fixture
def scan(sdk, sandbox):
    """Return a function that scans a run of a new box with the real client."""
    import wandb

    def read(world, run, keys=None, **options):
        box = sandbox(world, **{"exports": "ready", **options})
        api = wandb.Api(overrides={"base_url": box.base_url}, api_key=box.api_key)
        rows = list(api.run(run.path).scan_history(keys=keys, use_cache=False))
        return rows, [each for each in box.requests if each.operation == "export"]

    return read


def odd(run_id):
    world = generate_world(projects=0, has_oddities=True)
    return world, world.run(f"demo-team/oddities/{run_id}")


@pytest.mark.sdk
@pytest.mark.enable_socket
def test_the_real_client_reads_files_and_brings_no_key(scan):
    world = generate_world(projects=1, runs=1, steps=1200)
    run = world.projects[0].live_runs[0]
    world.finish(run)
    rows, served = scan(world, run)
    assert rows == lines_of(run)
    assert [each.status for each in served] == [200]
    assert "authorization" not in served[0].headers


@pytest.mark.sdk
@pytest.mark.enable_socket
def test_the_real_client_reads_ranges_for_some_keys(scan):
    world = generate_world(projects=1, runs=1, steps=1200)
    run = world.projects[0].live_runs[0]
    world.finish(run)
    rows, served = scan(world, run, keys=["loss"])
    assert rows == [{"_step": row["_step"], "loss": row["loss"]} for row in lines_of(run)]
    assert {each.status for each in served} == {206}


@pytest.mark.sdk
@pytest.mark.enable_socket
@pytest.mark.parametrize("exports", ["lagging", "null"])
def test_the_real_client_adds_what_is_live(scan, exports):
    """Where files end within a window, W&B's client repeats the window's rows that they hold."""
    world = generate_world(projects=1, runs=1, steps=40)
    run = world.projects[0].live_runs[0]
    world.finish(run)
    rows, _ = scan(world, run, exports=exports)
    assert list({row["_step"]: row for row in rows}.values()) == lines_of(run)
    assert len(rows) == (70 if exports == "lagging" else 40)


@pytest.mark.sdk
@pytest.mark.enable_socket
def test_the_real_client_sees_odd_values_as_they_are_exported(scan):
    """It shows a column of several types as the struct it is, and BINARY as base64."""
    row = scan(*odd("odd-values"))[0][0]
    assert math.isnan(row["nan"])
    assert (row["infinity"], row["minus_infinity"]) == (math.inf, -math.inf)
    assert row["nan_as_text"] == "NaN"
    assert row["beyond_double"] == 2.0**53
    assert row["nested"]["a"] == {"b": {"c": 1}}
    assert json.loads(b64decode(row["list"])) == [1, "a", None, [2.5], {"x": "NaN"}]
    assert "nothing" not in row
    rows = [each["m"] for each in scan(*odd("type-changes"))[0]]
    assert [each and {k: v for k, v in each.items() if v is not None} for each in rows] == [
        {"_type_float64": 1},
        {"_type_utf8": "one"},
        {"_type_bool": True},
        {"_type_list": [1]},
        None,
        {"_type_struct": {"x": 1}},
    ]


@pytest.mark.sdk
@pytest.mark.enable_socket
def test_the_real_client_reads_every_shape_of_file(scan):
    shape = ExportShape("bigint", "exact", mixed="json", strings="dictionary")
    row = scan(*odd("odd-values"), export_shape=shape)[0][0]
    assert (row["beyond_double"], row["word"]) == (2**53 + 1, "word")
    assert json.loads(b64decode(row["beyond_int64"])) == 2**63


@pytest.mark.sdk
@pytest.mark.enable_socket
def test_the_real_client_reads_every_odd_run_from_files(sdk, sandbox):
    import wandb

    box = sandbox(generate_world(projects=0, has_oddities=True), exports="ready")
    api = wandb.Api(overrides={"base_url": box.base_url}, api_key=box.api_key)
    # W&B's client crashes on a run without a user, and reads two million steps page by page.
    for run in box.world.projects[0].live_runs:
        if run.user is not None and run.state != "running" and run.run_id != "sparse":
            rows = api.run(run.path).scan_history(use_cache=False)
            assert [row["_step"] for row in rows] == list(run.history.all_steps), run.run_id


@pytest.mark.sdk
@pytest.mark.enable_socket
def test_the_real_client_downloads_the_files(sdk, sandbox, tmp_path):
    import wandb

    world = generate_world(projects=1, runs=1, steps=30)
    run = world.projects[0].live_runs[0]
    world.finish(run)
    box = sandbox(world, exports="lagging", export_shape=ExportShape(rows_per_file=10))
    api = wandb.Api(overrides={"base_url": box.base_url}, api_key=box.api_key)
    found = api.run(run.path).download_history_exports(tmp_path, require_complete_history=False)
    assert found.contains_live_data
    steps = [pq.read_table(path)["_step"].to_pylist() for path in found.paths]
    assert sorted(map(len, steps)) == [3, 10, 10]


@given(
    rows=st.integers(0, 40),
    size=st.none() | st.integers(1, 15),
    overlap=st.integers(0, 20),
    lag=st.floats(0, 1),
    exports=st.sampled_from(["off", "null", "ready", "lagging"]),
    state=st.sampled_from(["running", "finished"]),
)
def test_every_row_is_in_a_file_or_live(rows, size, overlap, lag, exports, state):
    world = World()
    world.add_user("ada", name="Ada")
    history = LoggedHistory((step * 3, json.dumps({"_step": step * 3})) for step in range(rows))
    run = world.create_run(world.create_project("t", "p"), "r", state=state, history=history)
    shape = ExportShape(rows_per_file=size, overlap=overlap)
    behaviour = Behaviour(exports=exports, export_lag=lag, export_shape=shape)
    parts = plan_parts(run, behaviour)
    filed = {place for part in parts for place in range(part.start, part.stop)}
    live = [row["_step"] for row in find_live_rows(run, behaviour, ["_step"])]
    if exports in ("off", "null"):
        assert (filed, live) == (set(), [])
    else:
        assert sorted([place * 3 for place in filed] + live) == list(history.all_steps)
    assert len({part.name for part in parts}) == len(parts)
