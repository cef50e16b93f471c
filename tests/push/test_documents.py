"""Mutations are what W&B's schema takes, for every field that can be edited."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import graphql
import pytest

from wandb_mirror.edits.catalog import DELETIONS, EDITABLES
from wandb_mirror.edits.edit import Edit, Target
from wandb_mirror.edits.values import ABSENT
from wandb_mirror.kinds import kind_named
from wandb_mirror.kinds.pages import ScopeOf
from wandb_mirror.push.documents import deletion_document, guard_of, mutation_document
from wandb_mirror.push.plan import Plan
from wandb_mirror.push.wires import make_sending
from wandb_mirror.sandbox.schema import load_sdl
from wandb_mirror.upstream.capabilities import Capabilities
from wandb_mirror.upstream.documents import (
    can_name,
    details_document,
    node_document,
    nodes_document,
)

PUBLIC = Path(__file__).parents[2].parent / "shared" / "wandb" / "schema.graphql"


def schemas():
    yield graphql.build_schema(load_sdl())
    if PUBLIC.exists():
        yield graphql.build_schema(PUBLIC.read_text())


VALUES = {"String": "text", "[String]": ["a"], "JSONString": "{}", "Int64": 5}
TARGET = Target("kind", "1", "own", "e/p/own")


def every_edit(editable):
    """Return an edit of every field, of a set one each way."""
    keys = {"scalar": [""], "map": ["a", "b"], "set": ["a", "b"]}
    for spec in editable.fields:
        for number, key in enumerate(keys[spec.sort]):
            value = [True, False][number] if spec.sort == "set" else "v1"
            value = ABSENT if spec.sort == "map" and number else value
            value = 5 if spec.graphql_type == "Int64" else value
            yield Edit(TARGET, spec.name, key, None, value)


@pytest.mark.parametrize("lacking", [(), ("guard",)], ids=["guarded", "plain"])
@pytest.mark.parametrize("editable", EDITABLES, ids=lambda each: each.kind)
def test_every_mutation_is_valid_and_so_are_its_variables(editable, lacking):
    fresh = {field.column: None for field in editable.read.fields}
    fresh |= {editable.id_column: "id", editable.own_key: "own", "collection": "c"}
    for spec in editable.fields:
        if spec.points_to:
            fresh[spec.column] = '[{"alias": "b", "artifact": {"id": "A1"}}]'
    writes = [None] if editable.writes is None else [None, *editable.writes[1]]
    scope = ScopeOf("e", "p", "1")
    for form in writes:
        row = fresh | ({} if form is None else {editable.writes[0]: form})
        plan = Plan(TARGET, row, sending=list(every_edit(editable)), labels={"A1": "v1"})
        sendings = [make_sending(editable, scope, plan)] * 2
        capabilities = Capabilities({guard_of(editable)} if lacking else set())
        document = mutation_document(editable, capabilities, sendings)
        assert_valid((document.text, dict(document.variables)))
        alone = [replace(sending, wires={}) for sending in sendings if sending.calls]
        if alone:
            document = mutation_document(editable, capabilities, alone)
            assert_valid((document.text, dict(document.variables)))


@pytest.mark.parametrize("editable", EDITABLES, ids=lambda each: each.kind)
def test_every_fresh_read_is_valid(editable):
    scope = ScopeOf("e", "p", "1", artifact_id="a")
    kind = editable.read
    if kind.detail_path:
        document = details_document(kind, scope, Capabilities(), ["a", "b"])
    elif can_name(kind):
        document = nodes_document(kind, scope, Capabilities(), ["a", "b"])
    else:
        document = node_document(kind, scope, Capabilities())
    assert_valid((document.text, dict(document.variables)))


@pytest.mark.parametrize("deletion", DELETIONS.values(), ids=DELETIONS)
def test_every_deletion_is_valid_and_so_are_its_variables(deletion):
    assert_valid(deletion_document(deletion, ["id"]))


def assert_valid(*pairs):
    for schema in schemas():
        for text, variables in pairs:
            parsed = graphql.parse(text)
            assert graphql.validate(schema, parsed) == []
            [operation] = parsed.definitions
            problems = graphql.execution.get_variable_values(
                schema, operation.variable_definitions, variables
            )
            assert not isinstance(problems, list), problems


@pytest.mark.parametrize("editable", EDITABLES, ids=lambda each: each.kind)
def test_every_column_that_is_edited_is_one_of_its_kind(editable):
    kind = kind_named(editable.kind)
    for column in [editable.id_column, *(spec.column for spec in editable.fields)]:
        assert kind.field(column)
        assert editable.read.field(column)
