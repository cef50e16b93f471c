"""Objects that are listed for many projects at once, each through its whole life."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import pytest

from fakes.serving import BASE_URL, SCHEMA, Server, upstream_of, without
from mirror.making import rows
from wandb_mirror.mirror.connect import Connection
from wandb_mirror.mirror.mirror import Mirror

SWEEP_YAML = """
method: bayes
metric: {name: val/loss, goal: minimize}
parameters:
  lr: {min: 0.001, max: 0.1}
  day: {value: 2024-01-02}
"""


def make_sweep(name: str, **more: Any) -> dict[str, Any]:
    return {
        "id": f"id-{name}",
        "name": name,
        "displayName": f"Sweep {name}",
        "state": "RUNNING",
        "method": "bayes",
        "bestLoss": 0.25,
        "runCount": 2,
        "config": SWEEP_YAML,
        "createdAt": "2024-01-01T00:00:00Z",
        "updatedAt": "2024-01-02T00:00:00Z",
        **more,
    }


def make_project(name: str, **lists: Any) -> dict[str, Any]:
    return {
        "id": f"id-{name}",
        "internalId": f"internal-{name}",
        "name": name,
        "entityName": "team",
        "createdAt": "2024-01-01T00:00:00Z",
        "sweeps": [],
        **lists,
    }


@dataclass
class Setting:
    """A mirror of a fake server."""

    server: Server
    mirror: Mirror
    asked: list[int] = field(default_factory=list)

    def sync(self, **options: Any) -> Any:
        before = len(self.server.documents)
        report = self.mirror.sync(["team"], **options)
        self.asked.append(len(self.server.documents) - before)
        return report

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        return rows(self.mirror, sql)

    @property
    def documents(self) -> list[str]:
        """What the latest sync sent."""
        return self.server.documents[-self.asked[-1] :]


@pytest.fixture
def setting(tmp_path, monkeypatch):
    server = Server(projects=[make_project("one"), make_project("two")])
    monkeypatch.setattr(
        Mirror, "connect", lambda self: Connection(BASE_URL, "a test", upstream_of(server))
    )
    environ = {"WANDB_BASE_URL": BASE_URL, "HOME": str(tmp_path), "WANDB_API_KEY": "k" * 40}
    return Setting(server, Mirror.open(tmp_path / "mirror", environ=environ))


def test_sweeps_are_mirrored_with_their_config_read(setting):
    setting.server.projects[0]["sweeps"] = [make_sweep("s1")]
    setting.server.projects[1]["sweeps"] = [make_sweep("s1", config="{", displayName=None)]
    report = setting.sync()
    assert not report.has_skips
    found = setting.rows(
        "SELECT project, sweep_id, name, state, method, metric_name, metric_goal, best_loss, "
        "run_count FROM sweeps ORDER BY project"
    )
    assert found == [
        ("one", "s1", "Sweep s1", "running", "bayes", "val/loss", "minimize", 0.25, 2),
        ("two", "s1", None, "running", "bayes", None, None, 0.25, 2),
    ]
    [(config, text)] = setting.rows("SELECT config, config_yaml FROM sweeps WHERE project = 'one'")
    assert json.loads(config)["parameters"] == {
        "lr": {"min": 0.001, "max": 0.1},
        "day": {"value": "2024-01-02"},
    }
    assert text == SWEEP_YAML
    assert setting.rows("SELECT config FROM sweeps WHERE project = 'two'") == [(None,)]


def test_a_bomb_of_yaml_references_is_no_config(setting):
    bomb = "a: &a [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"{new}: &{new} [{','.join([f'*{old}'] * 10)}]\n" for old, new in pairwise("abcdefgh")
    )
    setting.server.projects[0]["sweeps"] = [make_sweep("s1", config=bomb)]
    setting.sync()
    assert setting.rows("SELECT config, length(config_yaml) FROM sweeps") == [(None, len(bomb))]


def test_a_sweep_that_goes_is_marked_and_comes_back(setting):
    sweeps = setting.server.projects[0]["sweeps"] = [make_sweep("s1"), make_sweep("s2")]
    setting.sync()
    taken = sweeps.pop()
    setting.sync()
    gone = "SELECT sweep_id, deleted_at IS NOT NULL FROM sweeps ORDER BY 1"
    assert setting.rows(gone) == [("s1", False), ("s2", True)]
    sweeps.append(taken | {"state": "FINISHED"})
    setting.sync()
    assert setting.rows(gone) == [("s1", False), ("s2", False)]
    assert setting.rows("SELECT state FROM sweeps WHERE sweep_id = 's2'") == [("finished",)]


def test_a_sync_without_news_asks_once_for_the_lists_of_twenty_projects(setting):
    setting.server.projects[:] = [
        make_project(f"p{number}", sweeps=[make_sweep(f"s{each}") for each in range(150)])
        for number in range(20)
    ]
    setting.sync(only=["sweeps"])
    assert setting.rows("SELECT count(*) FROM sweeps") == [(3000,)]
    for project in setting.server.projects:
        del project["sweeps"][90:]
    setting.sync(only=["sweeps"])
    report = setting.sync(only=["sweeps"])
    assert report.published is None
    assert setting.asked[-1] == 3  # the viewer, the projects, and every project's sweeps


def test_a_server_that_refuses_several_lists_at_once_is_asked_for_one_at_a_time(setting):
    setting.server.projects[0]["sweeps"] = [make_sweep("s1")]
    setting.server.refuses = lambda text: "too many aliases" if "n1:" in text else None
    report = setting.sync()
    assert not report.has_skips
    assert setting.rows("SELECT sweep_id FROM sweeps") == [("s1",)]
    setting.sync(only=["sweeps"])
    assert setting.asked[-1] == 4  # the refusal is remembered


def test_a_server_without_sweeps_says_so_and_the_rest_is_mirrored(setting):
    setting.server.schema_text = without("  sweeps(first: Int, after: String): SweepConnection\n")
    report = setting.sync()
    assert not report.has_skips
    assert any("no project.sweeps" in note for note in report.projects[0].notes)
    assert setting.rows("SELECT count(*) FROM projects") == [(2,)]


def test_a_field_that_an_older_server_lacks_is_null(setting):
    setting.server.schema_text = SCHEMA.replace("  runCountExpected: Int\n", "")
    setting.server.projects[0]["sweeps"] = [make_sweep("s1", runCountExpected=9)]
    setting.sync()
    assert setting.rows("SELECT expected_runs, run_count FROM sweeps") == [(None, 2)]


def test_sweeps_that_cannot_be_read_stop_nothing_else_and_are_in_the_books(setting):
    setting.server.projects[0]["sweeps"] = [make_sweep("s1")]
    setting.server.projects[1]["sweeps"] = None
    report = setting.sync()
    assert report.has_skips
    assert setting.rows("SELECT sweep_id FROM sweeps") == [("s1",)]
    assert setting.rows("SELECT kind, key FROM sync_errors") == [("sweeps", "team/two")]
    setting.server.projects[1]["sweeps"] = []
    assert not setting.sync().has_skips
    assert setting.rows("SELECT count(*) FROM sync_errors") == [(0,)]
