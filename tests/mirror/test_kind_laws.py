"""Laws that every kind keeps; a new one is in here as soon as it is in ``KINDS``.

What of them a kind cannot keep, its own file says: a manifest is read once a version, samples are
the same until their count moves. Its shelf (``fakes.shelves``) makes what is to be there by that.
"""

from __future__ import annotations

import sys

import pytest

from fakes.anything import TEAM, Maker, parent_of, read_rows
from fakes.shelves import shelf_of
from wandb_mirror.errors import NotFound
from wandb_mirror.kinds import KINDS
from wandb_mirror.kinds.project import PROJECT

SINGLE = [kind for kind in KINDS if kind.shape == "node"]
MANY = [kind for kind in KINDS if kind.shape != "node" and kind.holds != "project"]


def test_every_kind_is_held_to_the_laws():
    assert {kind.plural for kind in (*MANY, *SINGLE, PROJECT)} == {kind.plural for kind in KINDS}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.plural)
def test_every_kind_says_how_it_is_read(kind):
    about = sys.modules[f"wandb_mirror.kinds.{kind.name}"].__doc__
    for word in ("Order", "Resumable", "Cost", "Gone", "Older servers"):
        assert f"{word}: " in about


def kinds_above(kind):
    above = parent_of(kind)
    return [kind.plural] if above is None else [*kinds_above(above), kind.plural]


@pytest.fixture(params=MANY, ids=lambda kind: kind.plural)
def shelf(request, setting):
    for project in setting.server.projects:
        del project["sweeps"]
    setting.server.entities["team"] = {"id": "e1", "name": "team", "isTeam": True}
    if request.param.switched_by:
        setting.change(f"sync.{request.param.switched_by}", value=True)
    return shelf_of(request.param, Maker(setting.server))


def sync(setting, shelf, **options):
    return setting.sync(only=kinds_above(shelf.kind), **options)


def published(setting, kind, *, gone=False):
    return read_rows(setting.rows, kind, gone=gone)


def differences(found, wanted):
    """Return the own keys and columns at which rows differ; {} where they are equal."""
    return {
        (key, column): (found.get(key, {}).get(column), wanted.get(key, {}).get(column))
        for key in {*found, *wanted}
        for column in {*found.get(key, {}), *wanted.get(key, {})}
        if found.get(key, {}).get(column) != wanted.get(key, {}).get(column)
    }


def assert_shown(setting, shelf, wanted):
    assert not differences(shelf.read(setting.rows), wanted)


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
            found = shelf.read(setting.rows, gone=True)
            assert {key[-1] for key in found} == gone
    assert sync(setting, shelf).published is None


def test_a_listing_of_many_pages_is_there_whole_and_so_is_one_that_shrinks(setting, shelf):
    for count in shelf.sizes:
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


def test_fields_that_an_older_server_lacks_are_null_and_a_kind_that_it_lacks_is_named(
    setting, shelf
):
    wanted = shelf.show([0, 1])
    lacking = shelf.forget_fields()
    report = sync(setting, shelf)
    assert not report.has_skips, report.projects
    wanted = {
        key: {column: None if column in lacking else value for column, value in row.items()}
        for key, row in wanted.items()
    }
    assert_shown(setting, shelf, wanted)
    shelf.show([0, 1, 2])
    shelf.forget_listing()
    report = sync(setting, shelf)
    assert not report.has_skips, report.projects
    assert shelf.kind.plural in {name for each in report.projects for name in each.not_offered}
    assert_shown(setting, shelf, wanted)


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
