"""Laws that every kind keeps; a new one is in here as soon as it is in ``KINDS``.

Two sorts are held by tests of their own: manifests, which never change (``test_artifacts``), and
what runs log, which lives in the warehouse alone (``test_change_law``).
"""

from __future__ import annotations

import json
import sys

import pytest

from fakes.anything import TEAM, Maker, Shelf, parent_of
from wandb_mirror.errors import NotFound
from wandb_mirror.kinds import KINDS, STORED
from wandb_mirror.kinds.project import PROJECT
from wandb_mirror.kinds.spec import Type

JSONS = (Type.JSON, Type.JSON_TEXT, Type.YAML)
LISTED = [
    kind for kind in STORED if kind.shape in ("connection", "list") and kind.holds != "project"
]
SINGLE = [kind for kind in STORED if kind.shape == "node"]
ELSEWHERE = {"artifact_files", "history", "system_metrics"}


def test_every_kind_is_held_to_the_laws():
    held = {kind.plural for kind in (*LISTED, *SINGLE, PROJECT)}
    assert held | ELSEWHERE == {kind.plural for kind in KINDS}
    assert not held & ELSEWHERE


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.plural)
def test_every_kind_says_how_it_is_read(kind):
    about = sys.modules[f"wandb_mirror.kinds.{kind.name}"].__doc__
    for word in ("Order", "Resumable", "Cost", "Gone", "Older servers"):
        assert f"{word}: " in about


def kinds_above(kind):
    above = parent_of(kind)
    return [kind.plural] if above is None else [*kinds_above(above), kind.plural]


@pytest.fixture(params=LISTED, ids=lambda kind: kind.plural)
def shelf(request, setting):
    for project in setting.server.projects:
        del project["sweeps"]
    setting.server.entities["team"] = {"id": "e1", "name": "team", "isTeam": True}
    if request.param.switched_by:
        setting.change(f"sync.{request.param.switched_by}", value=True)
    return Shelf(request.param, Maker(setting.server))


def sync(setting, shelf, **options):
    return setting.sync(only=kinds_above(shelf.kind), **options)


def published(setting, kind, *, gone=False):
    """Return the live rows of a kind, or those marked as gone, by their own key."""
    mark = {"deleted": "deleted_at", "inaccessible": "inaccessible_since"}.get(kind.when_gone)
    condition = "" if mark is None else f" WHERE {mark} IS {'NOT ' if gone else ''}NULL"
    columns = [field.column for field in kind.fields]
    names = ", ".join(f'"{column}"' for column in columns)
    found = setting.rows(f"SELECT {names} FROM _data.{kind.plural}{condition}")
    rows = [dict(zip(columns, row, strict=True)) for row in found]
    for row in rows:
        for field in kind.fields:
            if field.type in JSONS and row[field.column] is not None:
                row[field.column] = json.loads(row[field.column])
    return {row[kind.own_key]: row for row in rows}


def differences(found, wanted):
    """Return the own keys and columns at which rows differ; {} where they are equal."""
    return {
        (key, column): (found.get(key, {}).get(column), wanted.get(key, {}).get(column))
        for key in {*found, *wanted}
        for column in {*found.get(key, {}), *wanted.get(key, {})}
        if found.get(key, {}).get(column) != wanted.get(key, {}).get(column)
    }


def assert_shown(setting, shelf, wanted):
    assert not differences(published(setting, shelf.kind), wanted)


def test_what_is_made_edited_taken_away_and_brought_back_upstream_is_so_in_the_mirror(
    setting, shelf
):
    wanted = shelf.show([0, 1])
    report = sync(setting, shelf)
    assert not report.has_skips, report.projects
    assert_shown(setting, shelf, wanted)

    report = sync(setting, shelf)
    assert report.published is None

    for numbers, edition in (([0, 1, 2], 0), ([0, 1, 2], 1), ([0, 2], 0), ([0, 1, 2], 1)):
        wanted = shelf.show(numbers, edition=edition)
        report = sync(setting, shelf)
        assert not report.has_skips, report.projects
        assert_shown(setting, shelf, wanted)
        gone = set() if shelf.kind.when_gone == "removed" or 1 in numbers else {"1"}
        if shelf.kind.when_gone != "removed":
            found = published(setting, shelf.kind, gone=True)
            assert {key[-1] for key in found} == gone
    assert sync(setting, shelf).published is None


def test_a_listing_of_many_pages_is_there_whole_and_so_is_one_that_shrinks(setting, shelf):
    setting.server.largest_page = 2
    for count in (5, 4, 2):
        wanted = shelf.show(list(range(count)))
        sync(setting, shelf)
        assert_shown(setting, shelf, wanted)


def test_what_a_key_may_not_see_any_more_stays_as_it_was(setting, shelf):
    wanted = shelf.show([0, 1])
    sync(setting, shelf)
    hidden = shelf.hide()
    for refuse in (lambda _: None, shelf.refuse):
        setting.server.refuses = refuse
        report = sync(setting, shelf)
        assert_shown(setting, shelf, wanted)
        assert report.has_skips
        assert setting.rows("SELECT DISTINCT kind FROM sync_errors") == [(shelf.kind.plural,)]
        hidden()  # what is refused is there
    setting.server.refuses = lambda _: None
    wanted = shelf.show([0, 1, 2])
    assert not sync(setting, shelf).has_skips
    assert_shown(setting, shelf, wanted)
    assert setting.rows("SELECT count(*) FROM sync_errors") == [(0,)]


def test_a_project_that_is_not_shown_any_more_takes_nothing_with_it(setting, shelf):
    wanted = shelf.show([0, 1])
    sync(setting, shelf)
    del setting.server.projects[0]
    sync(setting, shelf)
    assert_shown(setting, shelf, wanted)


def test_fields_that_an_older_server_lacks_are_null_and_the_others_are_read(setting, shelf):
    wanted = shelf.show([0, 1])
    lacking = shelf.forget_fields()
    report = sync(setting, shelf)
    assert not report.has_skips, report.projects
    assert_shown(
        setting,
        shelf,
        {
            key: {column: None if column in lacking else value for column, value in row.items()}
            for key, row in wanted.items()
        },
    )


@pytest.fixture(params=SINGLE, ids=lambda kind: kind.plural)
def single(request, setting):
    return request.param, Maker(setting.server)


def show_single(setting, single, edition):
    """Let upstream have an object as it is after so many edits; return its row by own key."""
    kind, maker = single
    made = maker.make(kind, 0, edition)
    if kind.scope == "team":
        made.node["name"] = made.row["team"] = TEAM
        setting.server.entities[TEAM] = made.node
    else:
        setting.server.viewer = made.node
    return {made.row[kind.own_key]: made.row}


def test_one_object_is_in_the_mirror_as_it_is_upstream_and_stays_when_it_is_not_shown(
    setting, single
):
    kind, _ = single
    for edition in (0, 1):
        wanted = show_single(setting, single, edition)
        assert not setting.sync(only=[kind.plural]).has_skips
        assert not differences(published(setting, kind), wanted)
        assert setting.sync(only=[kind.plural]).published is None
    if kind.scope == "server":
        return  # whose own user is not shown has a wrong key, and nothing is synced
    node = setting.server.entities.pop(TEAM)
    setting.server.entities[TEAM] = None
    setting.sync(only=[kind.plural])
    assert not differences(published(setting, kind), wanted)
    setting.server.entities[TEAM] = node
    setting.server.refuses = lambda text: "permission denied" if "is_team" in text else None
    assert setting.sync(only=[kind.plural]).has_skips
    assert not differences(published(setting, kind), wanted)
    assert setting.rows("SELECT DISTINCT kind FROM sync_errors") == [(kind.plural,)]
    setting.server.refuses = lambda _: None
    wanted = show_single(setting, single, 2)
    assert not setting.sync(only=[kind.plural]).has_skips
    assert not differences(published(setting, kind), wanted)
    assert setting.rows("SELECT count(*) FROM sync_errors") == [(0,)]


def test_who_the_key_belongs_to_now_is_the_only_viewer(setting):
    for name in ("ada", "zoe", "bo"):
        setting.server.viewer = {"id": f"id of {name}", "username": name}
        setting.sync(only=["viewers"])
        assert setting.rows("SELECT username FROM _data.viewers") == [(name,)]


def test_what_an_older_server_lacks_of_one_object_is_null(setting, single):
    kind, maker = single
    wanted = show_single(setting, single, 0)
    lacking = maker.forget_fields(kind)
    assert lacking
    assert not setting.sync(only=[kind.plural]).has_skips
    for row in wanted.values():
        row.update(dict.fromkeys(lacking))
    assert not differences(published(setting, kind), wanted)


def show_projects(setting, numbers, edition=0):
    """Let a team have these projects, the one of number 1 edited; return their rows by own key."""
    maker = Maker(setting.server)
    made = [maker.make(PROJECT, each, edition if each == 1 else 0) for each in numbers]
    for each in made:
        each.node["entityName"] = each.row["entity"] = TEAM
        each.row["run_count"] = 0
    setting.server.projects[:] = [each.node for each in made]
    return {each.row["project_id"]: each.row for each in made}


def test_projects_are_in_the_mirror_as_they_are_upstream_and_stay_when_they_are_not_shown(setting):
    setting.server.largest_page = 2
    sync_them = {"only": ["projects"]}
    for numbers, edition in (([0, 1, 2], 0), ([0, 1, 2], 1), ([0, 1, 2, 3], 1)):
        wanted = show_projects(setting, numbers, edition)
        assert not setting.sync(**sync_them).has_skips
        assert not differences(published(setting, PROJECT), wanted)
        assert setting.sync(**sync_them).published is None
    show_projects(setting, [0, 2, 3])
    setting.sync(**sync_them)
    assert not differences(
        published(setting, PROJECT, gone=True), {"project-1": wanted["project-1"]}
    )
    setting.server.projects.clear()
    with pytest.raises(NotFound):
        setting.sync(**sync_them)
    assert len(published(setting, PROJECT)) == 3
    wanted = show_projects(setting, [0, 1, 2, 3])
    setting.sync(**sync_them)
    assert not differences(published(setting, PROJECT), wanted)


def test_what_an_older_server_lacks_of_projects_is_null(setting):
    wanted = show_projects(setting, [0, 1])
    lacking = Maker(setting.server).forget_fields(PROJECT) - {"entity"}
    assert not setting.sync(only=["projects"]).has_skips
    for row in wanted.values():
        row.update(dict.fromkeys(lacking))
    assert not differences(published(setting, PROJECT), wanted)
