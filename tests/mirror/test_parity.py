"""What is mirrored is what the real client reads from the same server, value by value."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path

import pytest

from mirror.making import TEAM, make_world, open_mirror, quoted, rows
from wandb_mirror.sandbox import Sandbox

# the real client talks to a process of its own over a Unix socket, which is no network
pytestmark = [pytest.mark.sdk, pytest.mark.enable_socket]

OURS = {"_step", "_timestamp", "_runtime"}
NOT_FINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
UNREADABLE = (f"{TEAM}/oddities/null-texts", f"{TEAM}/oddities/nobody")
"""The real client stumbles over null for tags and for the user."""
PROJECTS = ("mnist-baselines", "oddities")


@pytest.fixture(scope="session")
def served():
    """Return a server with a usual project and one of everything odd."""
    world = make_world(projects=1, runs=5, has_oddities=True)
    for path in UNREADABLE:
        run = world.run(path)
        run.tags, run.user = run.tags or [], run.user or world.viewer
    with Sandbox(world) as box:
        yield box


@pytest.fixture(scope="session")
def real(served, tmp_path_factory):
    """Return the real client's runs by project; it starts a process of its own, so only once."""
    folder = tmp_path_factory.mktemp("wandb")
    own = {
        "WANDB_BASE_URL": served.base_url,
        "WANDB_API_KEY": served.api_key,
        "WANDB_MODE": "online",
        "WANDB_SILENT": "true",
        "WANDB_CONSOLE": "off",
        "WANDB_ERROR_REPORTING": "false",
        "WANDB_DISABLE_GIT": "true",
        "WANDB_CACHE_DIR": str(folder / "cache"),
        "WANDB_CONFIG_DIR": str(folder / "config"),
        "WANDB_DATA_DIR": str(folder / "data"),
        "WANDB_ARTIFACT_DIR": str(folder / "artifacts"),
        "NETRC": str(folder / "netrc"),
        "NO_PROXY": "127.0.0.1,localhost",
    }
    with pytest.MonkeyPatch.context() as patch:
        for name in os.environ:
            if name.startswith("WANDB_"):
                patch.delenv(name)
        for name, value in own.items():
            patch.setenv(name, value)
        wandb = pytest.importorskip("wandb")
        api = wandb.Api(timeout=60)
        yield {
            project: {run.id: run for run in api.runs(f"{TEAM}/{project}", per_page=100)}
            for project in PROJECTS
        }


@pytest.fixture(scope="session")
def mirrored(served, tmp_path_factory):
    """Return a mirror of both projects."""
    mirror = open_mirror(tmp_path_factory.mktemp("parity") / "mirror", served)
    report = mirror.sync([TEAM])
    assert report.problems == 0
    return mirror


def spelled(value):
    """Return a value as JSON holds it: what is not finite is W&B's string for it."""
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, dict) or hasattr(value, "items"):
        return {str(key): spelled(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [spelled(each) for each in value]
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return value


def leaves(values, prefix=()):
    """Yield the path and value of every leaf: a dict with ``_type`` and an empty one are leaves."""
    for key, value in values.items():
        if isinstance(value, dict) and value and "_type" not in value:
            yield from leaves(value, (*prefix, key))
        else:
            yield (*prefix, key), value


def as_kept(value):
    """Return number, text and JSON, as DESIGN says that ``metrics`` holds a value."""
    if isinstance(value, str) and value in NOT_FINITE:
        return repr(NOT_FINITE[value]), None, None
    if isinstance(value, bool) or value is None or isinstance(value, str | list | dict):
        text = None if value is None else value
        return None, text if isinstance(text, str | None) else written(value), value
    if isinstance(value, int) and int(float(value)) != value:
        return repr(float(value)), str(value), value
    return repr(float(value)), None, None


def shown(number):
    """Return a number as text: NaN equals itself there, and zero is not minus zero."""
    return None if number is None else repr(number)


def written(value):
    """Return JSON without spaces."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def dotted(found):
    """Return what a project's keys are called by path, from the table that says so."""
    return {tuple(json.loads(path)): name for path, name in found}


def runs_of(mirror, project):
    """Return the rows of the mirror's runs as dicts by run id."""
    columns = (
        "run_id, storage_id, name, state, username, run_group, job_type, notes, tags, config, "
        "summary, created_at, history_rows, last_step, system_metrics"
    )
    found = rows(mirror, f"SELECT {columns} FROM runs WHERE project = ?", project)
    return {row[0]: dict(zip(columns.split(", "), row, strict=True)) for row in found}


@pytest.mark.parametrize("project", PROJECTS)
def test_the_same_runs_have_the_same_names_states_tags_and_notes(mirrored, real, project):
    kept = runs_of(mirrored, project)
    assert kept.keys() == real[project].keys()
    for run_id, run in real[project].items():
        row = kept[run_id]
        assert row["storage_id"] == run.storage_id
        assert row["name"] == spelled(run.name), run_id
        assert row["state"] == run.state.lower(), run_id
        assert json.loads(row["tags"] or "[]") == list(run.tags or []), run_id
        assert row["notes"] == spelled(run.notes), run_id
        assert row["run_group"] == run.group, run_id
        assert row["job_type"] == run.job_type, run_id
        assert row["created_at"].isoformat() == run.created_at.rstrip("Z").replace(".000000", "")
    tags = rows(mirrored, "SELECT run_id, tag FROM run_tags WHERE project = ?", project)
    assert sorted(tags) == sorted(
        (run_id, tag) for run_id, run in real[project].items() for tag in run.tags or []
    )


@pytest.mark.parametrize("project", PROJECTS)
def test_config_and_summary_are_what_the_real_client_gives(mirrored, real, project):
    kept = runs_of(mirrored, project)
    for run_id, run in real[project].items():
        config = spelled(json.loads(kept[run_id]["config"] or "{}"))
        assert config == spelled(dict(run.config)), run_id
        summary = spelled(json.loads(kept[run_id]["summary"] or "{}"))
        assert summary == spelled(dict(run.summary_metrics or {})), run_id


@pytest.mark.parametrize("table", ["run_config", "run_summary"])
@pytest.mark.parametrize("project", PROJECTS)
def test_flattened_config_and_summary_have_every_leaf_once(mirrored, real, project, table):
    got = {}
    sql = f"SELECT run_id, key, value, number, text FROM {table} WHERE project = ?"
    for run_id, key, value, number, text in rows(mirrored, sql, project):
        assert (run_id, key) not in got
        got[run_id, key] = (spelled(json.loads(value)), shown(number), text)
    for run_id, run in real[project].items():
        values = run.config if table == "run_config" else run.summary_metrics
        wanted = [
            (".".join(path), spelled(value)) for path, value in leaves(spelled(dict(values or {})))
        ]
        own = {key: value for (owner, key), value in got.items() if owner == run_id}
        assert len(own) == len(wanted), run_id
        for name, value in wanted:
            number, text, _ = as_kept(value)
            candidates = [each for key, each in own.items() if key.split("~")[0] == name]
            candidates += [own[name]] if name in own else []
            assert any(each == (value, number, text) for each in candidates), (
                run_id,
                name,
                value,
                candidates,
            )


@pytest.mark.parametrize("project", PROJECTS)
def test_every_value_of_every_history_row_is_there(mirrored, real, project):
    names = dotted(
        rows(
            mirrored,
            "SELECT DISTINCT key, column_name FROM columns WHERE schema_name = ? "
            "AND table_name = 'metrics'",
            f"{TEAM}/{project}",
        )
    )
    kept = runs_of(mirrored, project)
    for run_id, run in real[project].items():
        scanned = list(run.scan_history(use_cache=False))
        assert kept[run_id]["history_rows"] == len(scanned), run_id
        last = max((row["_step"] for row in scanned), default=None)
        assert kept[run_id]["last_step"] == last, run_id
        wanted = {
            (row["_step"], names[path]): as_kept(value)
            for row in scanned
            for path, value in leaves(spelled(dict(row)))
            if path[0] not in OURS and not path[0].startswith("_wandb")
        }
        sql = "SELECT step, key, value, text, json FROM metrics WHERE project = ? AND run_id = ?"
        got = {
            (step, key): (
                shown(value),
                text,
                None if held is None else spelled(json.loads(held)),
            )
            for step, key, value, text, held in rows(mirrored, sql, project, run_id)
        }
        unlike = {
            place: (wanted.get(place), got.get(place))
            for place in {*wanted, *got}
            if not is_same(wanted.get(place), got.get(place))
        }
        lost = {place: found for place, (_, found) in unlike.items() if place[1] in LOST_BY_THE_SDK}
        assert unlike.keys() == lost.keys(), f"{run_id}: {unlike}"
        assert all(found == LOST_BY_THE_SDK[key] for (_, key), found in lost.items())


LOST_BY_THE_SDK = {
    "beyond_uint64": ("1.8446744073709552e+19", "18446744073709551617", 2**64 + 1),
    "negative_beyond": ("-9.223372036854776e+18", "-9223372036854775809", -(2**63) - 1),
    "negative_zero": ("-0.0", None, None),
    "surrogate": (None, '"\\ud800 alone"', "\ufffd alone"),
}
"""What was logged, where the real client's history reader hands out something else; each has its row
in docs/wandb-parity.md."""


def is_same(wanted, got):
    """Tell whether two values are equal; the keys of a dict come in any order from the client."""
    if wanted is None or got is None:
        return wanted == got
    return (
        wanted[0] == got[0]
        and wanted[2] == got[2]
        and (isinstance(wanted[2], dict) or wanted[1] == got[1])
    )


def test_what_the_real_client_loses_is_said_in_the_docs():
    page = (Path(__file__).parents[2] / "docs" / "wandb-parity.md").read_text(encoding="utf-8")
    assert [key for key in LOST_BY_THE_SDK if f"`{key}`" not in page] == []


@pytest.mark.parametrize("project", PROJECTS)
def test_times_of_history_rows_are_there_as_logged(mirrored, real, project):
    schema = quoted(f"{TEAM}/{project}")
    for run_id, run in real[project].items():
        wanted = {
            row["_step"]: (row.get("_timestamp"), row.get("_runtime"))
            for row in run.scan_history(use_cache=False)
        }
        sql = f"SELECT _step, _timestamp, _runtime FROM {schema}.history WHERE run_id = ?"
        assert {step: rest for step, *rest in rows(mirrored, sql, run_id)} == {
            step: list(times) for step, times in wanted.items()
        }, run_id
