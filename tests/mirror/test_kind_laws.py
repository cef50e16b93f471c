"""Laws that every kind with listings keeps; a new one is in here as soon as it is in ``KINDS``.

Others are held by tests of their own: what is one object (``test_objects``), manifests, which never
change (``test_artifacts``), projects (``test_changes``), what runs log (``test_change_law``).
"""

from __future__ import annotations

import json

import pytest

from fakes.anything import Maker, Shelf, parent_of
from wandb_mirror.kinds import STORED
from wandb_mirror.kinds.spec import Type

JSONS = (Type.JSON, Type.JSON_TEXT, Type.YAML)
LISTED = [
    kind for kind in STORED if kind.shape in ("connection", "list") and kind.holds != "project"
]


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
    shelf.hide()
    report = sync(setting, shelf)
    assert_shown(setting, shelf, wanted)
    assert report.has_skips
    assert setting.rows("SELECT DISTINCT kind FROM sync_errors") == [(shelf.kind.plural,)]
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
