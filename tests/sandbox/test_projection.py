"""The sandbox's own executor answers what graphql-core's would."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import pytest
from graphql import execute_sync, get_named_type, is_abstract_type, is_leaf_type, parse

from wandb_mirror.sandbox import generate_world
from wandb_mirror.sandbox.behaviour import Behaviour
from wandb_mirror.sandbox.connections import PageTricks
from wandb_mirror.sandbox.context import Context, Selections
from wandb_mirror.sandbox.engine import RESOLVERS, Engine
from wandb_mirror.sandbox.projection import Ask, Raw, spell_inside
from wandb_mirror.sandbox.schema import make_schema

WORLD = generate_world(projects=2, runs=5, steps=20, metrics=3, has_oddities=True)
ENGINE = Engine(WORLD, Behaviour())
EVERY_RUN_FIELD = """query Every($e: String!, $p: String!) {
  project(entityName: $e, name: $p) { runs(first: 100, order: "+created_at") { edges { node {
    id name displayName description notes tags state config wandbConfig summaryMetrics systemMetrics
    group jobType commit host sweepName readOnly createdAt heartbeatAt updatedAt computeSeconds
    stopped fileCount historyLineCount eventsLineCount logLineCount historyKeys historyTail
    eventsTail history(samples: 1000) events sampledHistory(specs: ["{\\"keys\\":[\\"_step\\"]}"])
    parquetHistory(liveKeys: ["_step"]) { liveData parquetUrls } projectId user { username }
    project { name } some: config(keys: ["lr", "nan"]) less: summaryMetrics(keys: ["loss"])
  } } } } }"""
DOCUMENTS = {
    "every field of a run": (EVERY_RUN_FIELD, {"e": "demo-team", "p": "oddities"}),
    "every field of a generated run": (EVERY_RUN_FIELD, {"e": "demo-team", "p": "mnist-baselines"}),
    "viewer and server": (
        """{ viewer { id name username email admin photoUrl deletedAt createdAt accountType flags
               entity defaultEntity { id name isTeam entityType readOnly photoUrl projectCount
               organization { id } } apiKeys { edges { node { id name description } cursor } }
               teams { edges { cursor node { name organization { id name coreWeaveOrganizationId }
               project(name: "oddities") { name } projects(first: 1) { edges { node { name } } } } }
               pageInfo { endCursor hasNextPage hasPreviousPage startCursor } } }
             serverInfo { cliVersionInfo features { name isEnabled } latestLocalVersionInfo {
               outOfDate latestVersionString versionOnThisInstanceString } } }""",
        {},
    ),
    "projects": (
        """query P($first: Int) { models(entityName: "demo-team", first: $first, order: "-created_at")
             { edges { cursor node { id internalId name entityName entity { name } description
               access createdAt updatedAt isBenchmark readOnly user { name } totalRuns totalSweeps
               runCount some: runCount(filters: "{\\"state\\":\\"finished\\"}") run(name: "late")
               { name } bucket(name: "none", missingOk: true) { name } } }
               pageInfo { endCursor hasNextPage } } }""",
        {"first": 2},
    ),
    "fragments, aliases and merged fields": (
        """query F { a: viewer { ...U } b: viewer { __typename name ... on User { username }
             ... on Node { id } ... { email } } a: viewer { admin } }
           fragment U on User { name ...V } fragment V on User { entity ...W }
           fragment W on User { name flags }""",
        {},
    ),
    "skipped and included": (
        """query S($yes: Boolean!, $no: Boolean!) { viewer { name @skip(if: $no)
             username @skip(if: $yes) email @include(if: $yes) entity @include(if: $no)
             ... @include(if: $no) { flags } ...A @skip(if: $yes) } }
           fragment A on User { admin }""",
        {"yes": True, "no": False},
    ),
    "null on the way": ('{ project(entityName: "none", name: "p") { name runs { totalCount } } }', {}),
    "default values of variables": (
        """query D($name: String = "mnist-baselines", $first: Int = 2) {
             project(entityName: "demo-team", name: $name) {
               runs(first: $first) { edges { node { name } } } } }""",
        {},
    ),
}  # fmt: skip


def answer_by_graphql_core(document: str, variables: dict[str, Any]) -> Any:
    """Execute with graphql-core, over the same resolvers."""
    context = Context(
        WORLD, Behaviour(), is_known=True, write_leaf=str, tricks=PageTricks(),
        selections=Selections(), request_number=1,
    )  # fmt: skip

    def resolve(source: Any, info: Any, **arguments: Any) -> Any:
        value = RESOLVERS[info.parent_type.name][info.field_name](
            source, Ask(context, arguments, ())
        )
        if isinstance(value, Raw):
            return json.loads(value)
        if isinstance(value, datetime):
            return value.replace(tzinfo=None).isoformat() + "Z"
        is_leaf = is_leaf_type(get_named_type(info.return_type))
        return spell_inside(value) if is_leaf else value

    result = execute_sync(
        make_schema(), parse(document), variable_values=variables, field_resolver=resolve
    )
    assert result.errors is None
    return result.data


@pytest.mark.parametrize(("document", "variables"), DOCUMENTS.values(), ids=DOCUMENTS)
def test_replies_are_those_of_graphql_core(document, variables):
    reply = ENGINE.answer(
        json.dumps({"query": document, "variables": variables}).encode(), is_known=True
    )
    assert reply.status == 200, reply.body
    assert json.loads(reply.body) == {"data": answer_by_graphql_core(document, variables)}


def test_every_field_of_the_schema_is_answered():
    schema = make_schema()
    for name, type_ in schema.type_map.items():
        fields = None if is_abstract_type(type_) else getattr(type_, "fields", None)
        if fields is None or name.startswith("__") or name.endswith("Input"):
            continue
        assert not fields.keys() - RESOLVERS[name].keys(), name


@pytest.mark.parametrize(
    ("document", "variables", "word"),
    [
        ("query Q($n: Int!) { models(first: $n) { edges { cursor } } }", {"n": "x"}, "Int"),
        ("query Q($n: Int!) { models(first: $n) { edges { cursor } } }", {}, "n"),
        ("query Q($n: Int) { models(first: $n) { edges { cursor } } }", {"n": 2**31}, "32-bit"),
        ("{ models { edges } }", {}, "selection"),
        ("subscription { x }", {}, "subscription"),
    ],
)
def test_a_query_that_does_not_fit_is_refused(document, variables, word):
    reply = ENGINE.answer(
        json.dumps({"query": document, "variables": variables}).encode(), is_known=True
    )
    assert reply.status == 400
    assert word in reply.body.decode()
