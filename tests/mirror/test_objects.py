"""Sweeps, reports, teams and automations; and lists of many projects in one document."""

from __future__ import annotations

import json
import re
import sqlite3
from contextlib import closing
from itertools import pairwise

import pytest

from fakes.serving import without
from mirror.objects import SWEEP_YAML, make_collection, make_project, make_run, make_sweep


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
    setting.sync(only=["sweeps", "reports", "artifact_types"])
    assert setting.asked[-1] == 4  # the refusal is remembered; each project is one look


def test_all_lists_of_a_project_are_one_look_and_what_is_withheld_takes_no_other_with_it(setting):
    one = setting.server.projects[0]
    one["sweeps"] = [make_sweep("s1")]
    one["allViews"] = [make_report("r1")]
    make_collection(one, "c1", "model")["aliases"] = []
    lists = ["sweeps", "reports", "artifact_types", "artifact_collections", "automations"]
    setting.sync(only=lists)
    assert setting.sync(only=lists).published is None
    assert setting.asked[-1] == 4  # the viewer, the team's own, the projects, all that they list
    setting.server.refuses = lambda text: "permission denied" if "allViews" in text else None
    one["sweeps"].append(make_sweep("s2"))
    assert setting.sync(only=lists).has_skips
    assert setting.rows("SELECT DISTINCT kind FROM sync_errors") == [("reports",)]
    assert setting.sync(only=lists).has_skips
    assert setting.asked[-1] == 4 + 1 + 2  # reports for themselves, then of each project
    with closing(sqlite3.connect(setting.mirror.store_path)) as store:
        assert store.execute("SELECT DISTINCT attempts FROM sync_errors").fetchall() == [(2,)]
    counts = "SELECT (SELECT count(*) FROM sweeps), (SELECT count(*) FROM artifact_collections)"
    assert setting.rows(counts) == [(2, 1)]
    assert setting.rows("SELECT report_id FROM reports WHERE deleted_at IS NULL") == [("r1==",)]


def test_a_server_that_refuses_lists_of_several_kinds_is_asked_for_one_kind_at_a_time(setting):
    setting.server.projects[0]["sweeps"] = [make_sweep("s1")]
    refuse = re.compile(r"sweeps\(.*allViews\(", re.DOTALL)
    setting.server.refuses = lambda text: "too many fields" if refuse.search(text) else None
    assert not setting.sync(only=["sweeps", "reports"]).has_skips
    assert setting.rows("SELECT sweep_id FROM sweeps") == [("s1",)]
    setting.sync(only=["sweeps", "reports"])
    assert setting.asked[-1] == 4  # both projects' sweeps, and both projects' reports


def test_a_server_without_sweeps_says_so_and_the_rest_is_mirrored(setting):
    setting.server.schema_text = without("  sweeps(first: Int, after: String): SweepConnection\n")
    report = setting.sync()
    assert not report.has_skips
    assert "sweeps" in report.projects[0].not_offered
    assert setting.rows("SELECT count(*) FROM projects") == [(2,)]


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


def make_report(name, **more):
    return {
        "id": f"{name}==",
        "name": name,
        "displayName": f"Report: {name}!",
        "user": {"id": "u1", "username": "ada"},
        "spec": '{"blocks": []}',
        "createdAt": "2024-01-01T00:00:00Z",
        "updatedAt": "2024-01-02T00:00:00Z",
        **more,
    }


REPORTS = "SELECT report_id, title, username, spec, deleted_at IS NULL FROM reports ORDER BY 1"


def test_specs_of_reports_are_read_for_those_alone_that_changed(setting):
    reports = setting.server.projects[0]["allViews"] = [make_report("a"), make_report("b")]
    setting.sync()
    told = ("ada", '{"blocks":[]}', True)
    assert setting.rows(REPORTS) == [("a==", "Report: a!", *told), ("b==", "Report: b!", *told)]
    setting.sync()
    assert not [text for text in setting.documents if "spec" in text]
    reports[1] |= {"spec": '{"blocks": [1]}', "updatedAt": "2024-02-02T00:00:00Z"}
    setting.sync()
    assert len([text for text in setting.documents if "spec" in text]) == 1
    assert setting.rows(REPORTS)[1][3] == '{"blocks":[1]}'
    taken = reports.pop(0)
    setting.sync()
    assert [row[-1] for row in setting.rows(REPORTS)] == [False, True]
    reports.append(taken)
    setting.sync()
    assert [row[-1] for row in setting.rows(REPORTS)] == [True, True]
    [(url,)] = setting.rows("SELECT url FROM reports WHERE name = 'a'")
    assert url.endswith("/team/one/reports/Report-a---a")


def test_a_server_without_views_by_id_lists_reports_whole(setting):
    setting.server.schema_text = without("  views(ids: [ID!]!): ViewConnection\n")
    setting.server.projects[0]["allViews"] = [make_report("a")]
    assert not setting.sync().has_skips
    assert setting.rows("SELECT spec FROM reports") == [('{"blocks":[]}',)]


PLANTED = "planted-secret"


@pytest.fixture
def staffed(setting):
    """Return a mirror of a team with members, integrations, automations and a registry."""
    server = setting.server
    webhook = {
        "__typename": "GenericWebhookIntegration",
        "id": "w1",
        "name": "deploy",
        "urlEndpoint": f"https://me:{PLANTED}@hooks.test/deploy?token={PLANTED}",
        "accessTokenRef": PLANTED,
        "secretRef": PLANTED,
    }
    slack = {"__typename": "SlackIntegration", "id": "s1", "teamName": "lab", "channelName": "ml"}
    registry = make_project("wandb-registry-model", entityName="org_entity", access="PRIVATE")
    server.entities["org"] = {"id": "e9", "name": "org", "projects": [registry]}
    server.entities["team"] = {
        "id": "e1",
        "name": "team",
        "isTeam": True,
        "organization": {"id": "o1", "name": "Lab Inc", "orgEntity": server.entities["org"]},
        "members": [
            {"id": "m1", "username": "ada", "name": "Ada", "role": "admin", "apiKey": PLANTED},
            {"id": "m2", "username": None, "name": "new@lab", "pending": True, "apiKey": PLANTED},
        ],
        "integrations": [webhook, slack],
    }
    models = make_collection(server.projects[0], "net", "model")
    server.projects[0]["triggers"] = [
        {
            "id": "t1",
            "name": "deploy",
            "enabled": True,
            "scope": models,
            "triggeringCondition": {
                "__typename": "FilterEventTriggeringCondition",
                "eventType": "ADD_ARTIFACT_ALIAS",
                "filter": '{"alias": "production"}',
            },
            "triggeredAction": {
                "__typename": "GenericWebhookTriggeredAction",
                "integration": webhook,
                "requestPayload": '{"event": "${event_type}"}',
            },
        }
    ]
    report = setting.sync()
    assert not report.has_skips, report.projects
    return setting


def test_people_teams_and_integrations_are_mirrored(staffed):
    assert staffed.rows("SELECT team, is_team, organization, org_entity FROM teams") == [
        ("team", True, "Lab Inc", "org")
    ]
    assert staffed.rows("SELECT team, username, role, name FROM team_members ORDER BY name") == [
        ("team", "ada", "admin", "Ada"),
        ("team", None, None, "new@lab"),
    ]
    assert staffed.rows("SELECT username FROM users ORDER BY 1") == [("ada",)]
    assert staffed.rows("SELECT id, entity, kind, name, target FROM integrations ORDER BY 1") == [
        ("s1", "team", "slack", "ml", "lab/ml"),
        ("w1", "team", "webhook", "deploy", "https://hooks.test/deploy"),
    ]
    assert staffed.rows("SELECT organization, registry, visibility FROM registries") == [
        ("Lab Inc", "model", "PRIVATE")
    ]
    staffed.server.entities["team"]["members"].pop()
    staffed.server.entities["org"]["projects"].clear()
    staffed.sync()
    assert staffed.rows("SELECT username FROM team_members") == [("ada",)]
    assert staffed.rows("SELECT registry FROM registries WHERE inaccessible_since IS NOT NULL") == [
        ("model",)
    ]


def test_what_a_team_has_is_asked_for_once_and_reported_where_there_are_no_projects(staffed):
    before = len(staffed.server.documents)
    report = staffed.mirror.sync(["team/one", "team/two"], only=["integrations"])
    assert len(staffed.server.documents) - before == 2  # the viewer and the team
    [found] = report.projects
    assert (found.entity, found.project, found.seen) == ("team", "", {"integrations": 2})


def test_automations_say_what_happens_when(staffed):
    [(name, enabled, scope, event, action)] = staffed.rows(
        "SELECT name, enabled, scope, event, action FROM automations "
        "WHERE scope::JSON->>'$.collection' = 'net'"
    )
    assert (name, enabled) == ("deploy", True)
    assert json.loads(scope)["__typename"] == "ArtifactSequence"
    assert json.loads(event)["eventType"] == "ADD_ARTIFACT_ALIAS"
    assert json.loads(action)["integration"] == {"id": "w1"}
    taken = staffed.server.projects[0]["triggers"].pop()
    staffed.sync()
    live = "SELECT count(*) FROM automations WHERE deleted_at IS NULL"
    assert staffed.rows(live) == [(0,)]
    staffed.server.projects[0]["triggers"].append(taken | {"enabled": False})
    staffed.sync()
    assert staffed.rows("SELECT enabled, deleted_at FROM automations") == [(False, None)]


def test_an_automation_of_a_whole_team_is_there_beside_those_of_its_projects(staffed):
    [of_project] = staffed.server.projects[0]["triggers"]
    team = {"__typename": "Entity", "id": "e1", "name": "team"}
    of_team = {**of_project, "id": "t2", "name": "tell everybody", "scope": team}
    staffed.server.entities["team"]["triggers"] = [of_project, of_team]
    assert not staffed.sync().has_skips
    assert staffed.rows("SELECT id, entity, project FROM automations ORDER BY id") == [
        ("t1", "team", "one"),
        ("t2", "team", None),
    ]


def test_no_secret_is_asked_for_or_kept(staffed):
    for word in ("apiKey", "accessTokenRef", "secretRef"):
        assert not [text for text in staffed.server.documents if word in text]
    for path in staffed.mirror.folder.iterdir():
        if path.is_file():
            assert PLANTED.encode() not in path.read_bytes()


def test_a_sync_without_news_of_a_large_team_asks_little(setting):
    projects = [make_project(f"p{number}") for number in range(20)]
    for project in projects:
        project["sweeps"] = [make_sweep(f"s{each}") for each in range(10)]
        for each in range(5):
            made = make_collection(project, f"c{each}", "model")
            made["aliases"] = [{"alias": "latest", "artifact": None}]
        project["allViews"] = [make_report(f"{project['name']}-{each}") for each in range(3)]
    setting.server.projects[:] = projects
    setting.sync()
    report = setting.sync()
    assert report.published is None
    assert setting.asked[-1] <= 12, setting.documents


@pytest.fixture
def peopled(setting):
    """Return a mirror of five projects of four runs each."""
    setting.server.projects[:] = [make_project(f"p{number}") for number in range(5)]
    for project in setting.server.projects:
        project["runs"] = [make_run(f"r{each}") for each in range(4)]
    setting.sync(only=["runs"])
    return setting


def count_listings(setting):
    return sum(text.count("runs(") for text in setting.documents)


def test_runs_of_several_projects_are_looked_through_in_one_request(peopled):
    assert peopled.sync(only=["runs"]).published is None
    assert peopled.asked[-1] == 3  # the viewer, the projects, and all runs
    assert count_listings(peopled) == 5
    first, _, third, *_ = peopled.server.projects
    first["runs"][2]["displayName"] = "edited"
    third["runs"].append(make_run("new"))
    del third["runs"][0]
    peopled.sync(only=["runs"])
    assert peopled.asked[-1] == 5  # and the whole of what changed, a request a project
    assert peopled.rows(
        "SELECT project, run_id, name, deleted_at IS NULL FROM runs "
        "WHERE name = 'edited' OR run_id = 'new' OR deleted_at IS NOT NULL ORDER BY ALL"
    ) == [
        ("p0", "r2", "edited", True),
        ("p2", "new", "new", True),
        ("p2", "r0", "r0", False),
    ]


def test_projects_too_large_to_be_looked_through_together_are_asked_for_alone(peopled):
    for project in peopled.server.projects[:2]:
        project["runs"] = [make_run(f"r{each}") for each in range(700)]
    peopled.sync(only=["runs"])
    assert peopled.sync(only=["runs"]).published is None
    assert peopled.asked[-1] == 4  # one and the first, then the second with the small ones


def test_where_several_listings_are_refused_at_once_each_project_is_asked_for_alone(peopled):
    peopled.server.refuses = lambda text: "too many aliases" if "n1:" in text else None
    assert not peopled.sync(only=["runs"]).has_skips
    assert peopled.asked[-1] == 2 + 1 + 5
    assert peopled.rows("SELECT count(*) FROM runs WHERE deleted_at IS NULL") == [(20,)]
