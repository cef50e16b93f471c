"""Mutations are what W&B's schema takes, for every field that can be edited."""

from __future__ import annotations

from pathlib import Path

import graphql
import pytest

from wandb_mirror.edits.catalog import DELETIONS, EDITABLES
from wandb_mirror.kinds import kind_named
from wandb_mirror.kinds.pages import ScopeOf
from wandb_mirror.push.documents import Sending, deletion_document, mutation_document
from wandb_mirror.sandbox.schema import load_sdl
from wandb_mirror.upstream.capabilities import Capabilities

PUBLIC = Path(__file__).parents[2].parent / "shared" / "wandb" / "schema.graphql"


def schemas():
    yield graphql.build_schema(load_sdl())
    if PUBLIC.exists():
        yield graphql.build_schema(PUBLIC.read_text())


VALUES = {"String": "text", "[String]": ["a"], "JSONString": "{}"}


@pytest.mark.parametrize("editable", EDITABLES, ids=lambda each: each.kind)
def test_every_mutation_is_valid_and_so_are_its_variables(editable):
    wires = {spec.argument: VALUES[spec.graphql_type] for spec in editable.fields}
    sendings = [Sending(ScopeOf("e", "p", "1"), f"id {n}", wires) for n in range(2)]
    document = mutation_document(kind_named(editable.kind), editable, Capabilities(), sendings)
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
