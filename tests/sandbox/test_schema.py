"""The sandbox's schema is part of W&B's, and can be cut to that of an older server."""

from __future__ import annotations

from pathlib import Path

import pytest
from graphql import GraphQLSchema, build_schema

from wandb_mirror.sandbox.schema import make_schema

UPSTREAM = Path(__file__).parents[2].parent / "shared" / "wandb" / "schema.graphql"


def describe(schema: GraphQLSchema) -> dict[str, str]:
    """Return every field, argument and input of a schema with its type."""
    found = {}
    for name, type_ in schema.type_map.items():
        if name.startswith("__"):
            continue
        found[name] = type(type_).__name__
        for field_name, field in getattr(type_, "fields", {}).items():
            found[f"{name}.{field_name}"] = str(field.type)
            for argument_name, argument in getattr(field, "args", {}).items():
                found[f"{name}.{field_name}({argument_name})"] = str(argument.type)
        for interface in getattr(type_, "interfaces", ()):
            found[f"{name} implements {interface.name}"] = "yes"
    return found


@pytest.mark.skipif(not UPSTREAM.exists(), reason="W&B's schema is not beside this checkout")
def test_every_name_and_type_is_upstream_s_own():
    ours, upstream = describe(make_schema()), describe(build_schema(UPSTREAM.read_text("utf-8")))
    assert {name: type_ for name, type_ in ours.items() if upstream.get(name) != type_} == {}


def test_what_a_server_lacks_is_gone_and_nothing_else():
    lacks = {"Run.updatedAt", "Project.runs(filters)", "User"}
    whole = describe(make_schema())
    gone = whole.keys() - describe(make_schema(lacks=lacks)).keys()
    users = {name for name, type_ in whole.items() if type_.strip("[]!") == "User"}
    asked = {name for name in whole if name.partition("(")[0] in users}
    assert {name for name in gone if not name.startswith("User")} == {
        "Project.runs(filters)",
        "Run.updatedAt",
        *(name for name in users | asked if not name.startswith("User")),
    }


def test_types_may_have_other_names():
    names = describe(make_schema(renames={"Run": "Bucket", "JSONString": "String"}))
    assert names["Project.run"] == "Bucket"
    assert names["Bucket.config"] == "String"
    assert not {"Run", "JSONString"} & names.keys()


@pytest.mark.parametrize("name", ["Run.nothing", "Nothing", "Project.runs(nothing)"])
def test_lacking_what_is_not_there_is_a_mistake(name):
    with pytest.raises(ValueError, match="not in the schema"):
        make_schema(lacks={name})
