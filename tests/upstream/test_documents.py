from __future__ import annotations

import re
from pathlib import Path

import graphql
import pytest

from fakes.serving import SCHEMA
from wandb_mirror.kinds import KINDS
from wandb_mirror.kinds.pages import ScopeOf, StepsRequest
from wandb_mirror.upstream.capabilities import Capabilities
from wandb_mirror.upstream.documents import (
    can_name,
    exports_document,
    index_document,
    listing_document,
    metrics_document,
    node_document,
    nodes_document,
    samples_document,
    steps_document,
)

SCOPE = ScopeOf("team", "vision", "p1", "r1")
PUBLISHED = Path(__file__).parents[2] / ".." / "shared" / "wandb" / "schema.graphql"


def schemas():
    yield pytest.param(SCHEMA, id="ours")
    text = PUBLISHED.read_text() if PUBLISHED.exists() else ""
    mark = pytest.mark.skipif(not text, reason="the collected schema is not here")
    yield pytest.param(text, id="collected", marks=mark)


def documents_of(kind, capabilities):
    if kind.shape == "steps":
        windows = [StepsRequest("r1", 0, 10), StepsRequest("r2", 5, 9, is_first=False)]
        yield steps_document(kind, SCOPE, capabilities, windows)
        yield exports_document(kind, SCOPE, capabilities, ["r1", "r2"])
        yield index_document(kind, SCOPE, capabilities, ["r1", "r2"])
        yield metrics_document(kind, SCOPE, capabilities, [("r1", ["{}"]), ("r2", [])])
        return
    if kind.shape == "samples":
        yield samples_document(kind, SCOPE, capabilities, ["r1", "r2"], samples=9)
        return
    if kind.shape == "node" or kind.node_path:
        yield node_document(kind, SCOPE, capabilities)
    if can_name(kind):
        yield nodes_document(kind, SCOPE, capabilities, ["r1", "r2"])
    if kind.shape in ("connection", "list"):
        for fields in (kind.fields, kind.light_fields):
            yield listing_document(
                kind,
                SCOPE,
                capabilities,
                fields=fields,
                first=3,
                after="x",
                filters="{}" if kind.seek else None,
                order=kind.order,
            )
        yield listing_document(kind, SCOPE, capabilities, fields=kind.fields, first=3)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.plural)
@pytest.mark.parametrize("schema", list(schemas()))
def test_every_document_is_valid_and_names_the_variables_it_is_sent_with(kind, schema):
    built = graphql.build_schema(schema, assume_valid_sdl=True)
    for document in documents_of(kind, Capabilities()):
        parsed = graphql.parse(document.text)
        assert graphql.validate(built, parsed) == []
        (operation,) = parsed.definitions
        declared = {each.variable.name.value for each in operation.variable_definitions or ()}
        assert declared == set(document.variables)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.plural)
def test_every_field_is_asked_for_once_under_its_column(kind):
    for document in documents_of(kind, Capabilities()):
        for column in document.sources:
            times = len(
                re.findall(rf"^ *(?:\.\.\. on \w+ {{ )?{column}: \w", document.text, re.MULTILINE)
            )
            # Of two windows only the first asks for the fields; of two objects both do.
            of_each = ("query Nodes", "query Exports", "query Samples", "query Index")
            assert times == (2 if document.text.startswith(of_each) else 1)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.plural)
def test_what_a_server_lacks_is_asked_for_no_more_and_nothing_else_is_lost(kind):
    for number, document in enumerate(documents_of(kind, Capabilities())):
        for lacking in set(document.places.values()) - document.needs:
            if lacking.startswith("type "):
                continue
            now = list(documents_of(kind, Capabilities(frozenset({lacking}))))[number]
            assert lacking not in now.places.values()
            gone = set(document.places.values()) - set(now.places.values()) - {lacking}
            assert all(name.startswith("type ") for name in gone)
            graphql.parse(now.text)


def test_a_scalar_that_a_server_does_not_know_is_sent_as_a_plain_one():
    (kind,) = (kind for kind in KINDS if kind.shape == "steps")
    lacking = Capabilities(frozenset({"type Int64"}))
    document = steps_document(kind, SCOPE, lacking, [StepsRequest("r1", 0, 10)])
    assert "$min_0: Int\n" in document.text
    assert "Int64" not in document.text


def test_a_window_asks_for_as_many_samples_as_it_has_steps():
    (kind,) = (kind for kind in KINDS if kind.shape == "steps")
    document = steps_document(kind, SCOPE, Capabilities(), [StepsRequest("r1", 7, 107)])
    values = document.variables
    assert (values["min_0"], values["max_0"], values["samples_0"]) == (7, 107, 100)
    wide = steps_document(kind, SCOPE, Capabilities(), [StepsRequest("r1", 0, 2**40)])
    assert wide.variables["samples_0"] == 2**31 - 1


def test_keys_of_people_and_services_are_never_asked_for():
    for kind in KINDS:
        for document in documents_of(kind, Capabilities()):
            assert not re.search(r"api_?keys?|secret|token", document.text, re.IGNORECASE)
