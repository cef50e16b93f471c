"""What the real client logged, which nobody here shaped, is in the mirror value by value."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from fakes.logging import start_logging
from mirror.known import KNOWN, known, once, plain
from mirror.making import open_mirror, rows
from wandb_mirror.api.api import Api
from wandb_mirror.sandbox import Behaviour, Sandbox, generate_world

pytestmark = [pytest.mark.sdk, pytest.mark.enable_socket]

PROJECT = "demo-team/real"
LOG = """
run.log({
    "loss": 1.0, "nan": math.nan, "inf": math.inf, "ninf": -math.inf, "nan_text": "NaN",
    "nested": {"a": {"b": 1}, "l": [1, "a", None]}, "text": "a\\u00fc\\U0001f389", "empty": "",
    "list": [1.5, 2, None], "yes": True, "no": False,
    "int53": 2**53, "beyond": 2**53 + 1, "float": 3.0, "a.b": 1, "a/b": 2, "A/B": 3, '"q"': 4,
})
run.log({"hist": wandb.Histogram([1, 2, 3]), "html": wandb.Html("<b>x</b>"),
         "table": wandb.Table(columns=["a", "b"], data=[[1, "x"], [2, None]])})
run.log({"loss": 2}, step=7)
run.log({"more": 3}, step=7)
run.log({"loss": "none yet"}, step=8)
run.summary["best"] = {"loss": 1.0, "at": math.inf}
run.config["late"] = "yes"
run.finish()
"""
RESUME = 'run.log({"loss": 4})\nrun.finish()\n'
FAIL = 'run.log({"loss": 1})\nraise RuntimeError("no")\n'
N = None
LOGGED = {
    (0, "loss"): (1.0, N, N),
    (0, "nan"): (math.nan, N, N),
    (0, "inf"): (math.inf, N, N),
    (0, "ninf"): (-math.inf, N, N),
    (0, "nan_text"): (math.nan, N, N),
    (0, "nested.a.b"): (1.0, N, N),
    (0, "nested.l"): (N, '[1,"a",null]', '[1,"a",null]'),
    (0, "text"): (N, "a\u00fc\U0001f389", '"a\u00fc\U0001f389"'),
    (0, "empty"): (N, "", '""'),
    (0, "list"): (N, "[1.5,2,null]", "[1.5,2,null]"),
    (0, "yes"): (N, "true", "true"),
    (0, "no"): (N, "false", "false"),
    (0, "int53"): (2.0**53, N, N),
    (0, "beyond"): (2.0**53, str(2**53 + 1), str(2**53 + 1)),
    (0, "float"): (3.0, N, N),
    (0, "a.b"): (1.0, N, N),
    (0, "a/b"): (2.0, N, N),
    (0, "A/B"): (3.0, N, N),
    (0, '"q"'): (4.0, N, N),
    (7, "loss"): (2.0, N, N),
    (7, "more"): (3.0, N, N),
    (8, "loss"): (N, "none yet", '"none yet"'),
    (9, "loss"): (4.0, N, N),
}
MEDIA = {"hist": "histogram", "html": "html-file", "table": "table-file"}


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Return a world into which the real client logged one run that was resumed, and one that failed."""
    world = generate_world(projects=1, runs=1)
    with Sandbox(world) as box:
        folder = tmp_path_factory.mktemp("logging")
        first = start_logging(box, folder, LOG, "first")
        failed = start_logging(box, folder, FAIL, "failed")
        err = first.communicate(timeout=120)[1] + failed.communicate(timeout=120)[1]
        start_logging(box, folder, RESUME, "first", resume="must").communicate(timeout=120)
    assert world.run(f"{PROJECT}/first").history.line_count == 5, err
    return world


@pytest.fixture(scope="module", params=["off", "lagging", "ready"])
def mirrored(world, request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("mirror")
    with Sandbox(world, Behaviour(exports=request.param)) as box:
        mirror = open_mirror(folder / "m", box, overrides={"history.exports_from": 1})
        assert mirror.sync([PROJECT]).problems == 0
        yield box, mirror


def shown(value):
    """Return a value in which NaN equals itself."""
    return tuple(repr(each) for each in value)


def test_every_metric_holds_what_was_logged(mirrored):
    _, mirror = mirrored
    found = {
        (step, key): value
        for step, key, *value in rows(
            mirror, "SELECT step, key, value, text, json FROM metrics WHERE run_id = 'first'"
        )
    }
    media = {key: json.loads(found.pop((1, key))[2]) for key in MEDIA}
    assert {key: value["_type"] for key, value in media.items()} == MEDIA
    assert media["hist"]["values"][0] == 1
    assert media["table"]["nrows"] == 2
    assert {place: shown(value) for place, value in found.items()} == {
        place: shown(value) for place, value in LOGGED.items()
    }
    assert rows(mirror, "SELECT step, key, value FROM metrics WHERE run_id = 'failed'") == [
        (0, "loss", 1.0)
    ]


def test_config_and_summary_hold_what_was_set(mirrored):
    _, mirror = mirrored
    sql = "SELECT key, value FROM {} WHERE run_id = 'first' ORDER BY key"
    assert dict(rows(mirror, sql.format("run_config"))) == {
        "lr": "0.1",
        "nested.a": "[1,null]",
        "big": str(2**53 + 1),
        "late": '"yes"',
    }
    summary = dict(rows(mirror, sql.format("run_summary")))
    assert (summary["best.loss"], summary["best.at"], summary["more"]) == ("1", '"Infinity"', "3")
    assert summary["loss"] == "4"
    states = rows(mirror, "SELECT run_id, state FROM runs WHERE project = 'real' ORDER BY run_id")
    assert states == [("failed", "failed"), ("first", "finished")]


def test_both_clients_scan_the_same_rows(mirrored, tmp_path, monkeypatch):
    import wandb

    box, mirror = mirrored
    monkeypatch.setenv("WANDB_CACHE_DIR", str(tmp_path))
    real = wandb.Api(overrides={"base_url": box.base_url}, api_key=box.api_key)
    ours = Api(mirror=mirror.folder)
    for name in ("first", "failed"):
        path = f"{PROJECT}/{name}"
        wanted = [dict(row) for row in real.run(path).scan_history(use_cache=False)]
        found = [dict(row) for row in ours.run(path).scan_history()]
        if box.behaviour.exports != "off":
            wanted = once([known(row) for row in wanted])
        for one, other in zip(found, wanted, strict=True):
            assert plain(one) == plain(other)


def test_what_the_real_client_makes_of_files_is_said_in_the_docs():
    page = (Path(__file__).parents[2] / "docs" / "wandb-parity.md").read_text(encoding="utf-8")
    assert [key for key in KNOWN if f"`{key}`" not in page] == []
