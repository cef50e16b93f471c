"""Histories read through a mirror: one run or many, every row or samples, any keys or all of them."""

from __future__ import annotations

import math

import pytest

from mirror.making import TEAM, make_world, open_mirror
from wandb_mirror.api.history import IncompleteHistory
from wandb_mirror.errors import BadFilter, NotMirrored
from wandb_mirror.sandbox import Sandbox

FIRST, SECOND = f"{TEAM}/mnist-baselines", f"{TEAM}/resnet-ablations"
ODD, OTHER = f"{FIRST}/odd", f"{SECOND}/other"
HOSTILE = (
    "Loss",
    "loss",
    'a"b',
    "a,b",
    "a.b/c",
    "🎉 🎉",
    "_stepp",
    "place",
    "run_id",
    "k" * 90,
    "",
)


@pytest.fixture(scope="module")
def mirror(tmp_path_factory):
    world = make_world(projects=2, runs=2, steps=30)
    first, second = world.projects
    odd = world.create_run(first, "odd")
    for step in range(10):
        row = {name: step + at for at, name in enumerate(HOSTILE) if step % (at + 1) == 0}
        world.log(odd, {**row, "mixed": "text" if step == 3 else step}, step=step * 7)
    other = world.create_run(second, "other")
    world.log(other, {"mixed": 1, "only": "word"}, step=5)
    with Sandbox(world) as box:
        mirror = open_mirror(tmp_path_factory.mktemp("histories") / "mirror", box)
        mirror.sync([TEAM])
        assert [f"{TEAM}/{each.name}" for each in world.projects] == [FIRST, SECOND]
        yield mirror


def test_every_row_and_every_key_is_there_whatever_keys_are_called(mirror):
    rows = mirror.history(ODD).to_dicts()
    assert [row["_step"] for row in rows] == list(range(0, 70, 7))
    for place, row in enumerate(rows):
        for at, name in enumerate(HOSTILE):
            assert row[name] == (place + at if place % (at + 1) == 0 else None), name
    assert mirror.history(ODD, samples=4).to_dicts() == [rows[at] for at in (0, 3, 6, 9)]


def test_rows_hold_any_of_the_keys_or_all_of_them(mirror):
    rows = mirror.history(ODD).to_dicts()
    keys = ["loss", 'a"b', "_timestamp"]
    held = {step: [row[key] is not None for key in keys[:2]] for step, row in enumerate(rows)}
    for needs, tells in (("any", any), ("all", all)):
        found = mirror.history(ODD, keys=keys, needs=needs).to_arrow()
        assert found.column_names == ["_step", "_timestamp", "_runtime", "loss", 'a"b']
        assert found.column("_step").to_pylist() == [7 * n for n in held if tells(held[n])]
    # what does not fit its column is held all the same
    assert mirror.history(ODD, keys=["mixed"], needs="all").to_arrow().num_rows == 10
    assert len(mirror.history(ODD, keys=["_step"]).to_dicts()) == 10


def test_samples_are_rows_that_were_logged_spread_evenly_with_both_ends(mirror):
    every = mirror.history(ODD, keys=["loss"]).to_dicts()
    for samples in range(1, 12):
        found = mirror.history(ODD, keys=["loss"], samples=samples).to_dicts()
        assert len(found) == min(samples, len(every))
        assert [row for row in every if row in found] == found
        assert found[0] == every[0]
        assert samples == 1 or found[-1] == every[-1]


def test_a_range_of_steps_begins_with_its_first_and_ends_before_its_last(mirror):
    found = mirror.history(ODD, keys=["mixed"], min_step=7, max_step=35).to_arrow()
    assert found.column("_step").to_pylist() == [7, 14, 21, 28]
    assert found.column("mixed").to_pylist() == [1, 2, None, 4]
    assert mirror.history(ODD, min_step=1000).to_arrow().num_rows == 0


def test_many_runs_are_one_table_that_names_them(mirror):
    project = mirror.history(FIRST, keys=["loss"]).to_arrow()
    assert project.column_names[:2] == ["run_id", "_step"]
    assert len(set(project.column("run_id").to_pylist())) == 3
    assert project.num_rows == 30 + 30 + 5
    narrowed = mirror.history(FIRST, keys=["loss"], filters={"name": "odd"}).to_dicts()
    assert {row["run_id"] for row in narrowed} == {"odd"}
    assert mirror.history([ODD], keys=["run_id"]).to_arrow().column_names[-1] == "run_id~2"
    assert mirror.history(FIRST, samples=3, keys=["loss"]).to_arrow().num_rows == 9
    both = mirror.history([OTHER, ODD], keys=["mixed", "only"]).to_dicts()
    assert [(row["project"], row["run_id"], row["_step"]) for row in both] == [
        (SECOND.split("/")[1], "other", 5),
        *((FIRST.split("/")[1], "odd", 7 * step) for step in range(10)),
    ]
    assert (both[0]["mixed"], both[0]["only"], both[1]["only"]) == (1, "word", None)
    assert mirror.history(FIRST, filters={"name": "nobody"}).to_arrow().num_rows == 0


def test_frames_hold_what_the_table_holds(mirror):
    question = mirror.history(ODD, keys=["loss", "Loss"])
    table = question.to_arrow().to_pydict()
    assert question.to_polars().to_dict(as_series=False) == table
    frame = question.to_pandas()
    assert list(frame.columns) == list(table)
    assert [None if math.isnan(x) else x for x in frame["Loss"]] == table["Loss"]
    assert list(question) == question.to_dicts()


def test_what_cannot_be_meant_or_is_not_here_is_said(mirror):
    for wrong in ({"needs": "some"}, {"keys": "loss"}, {"samples": 0}, {"filters": {}}):
        with pytest.raises(BadFilter):
            mirror.history(ODD, **wrong)
    with pytest.raises(NotMirrored, match="no metric 'lss'"):
        mirror.history(ODD, keys=["lss"]).to_arrow()
    with pytest.raises(NotMirrored, match="nobody"):
        mirror.history([ODD, f"{FIRST}/nobody"]).to_arrow()


def test_a_history_that_is_not_all_here_is_said_to_be_so(tmp_path):
    world = make_world(projects=1, runs=1)
    with Sandbox(world) as box:
        mirror = open_mirror(tmp_path / "mirror", box)
        mirror.sync([TEAM], skip=["history"])
        with pytest.warns(IncompleteHistory, match="one run"):
            mirror.history(f"{TEAM}/{world.projects[0].name}").to_arrow()
