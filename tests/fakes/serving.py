"""A server that answers GraphQL, as a function from request to response.

It validates by graphql-core against a schema of its own, from which a test may take things away,
and resolves plain dicts. Filters, orders and cursors are as simple as the tests need them.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import graphql
import httpx

from wandb_mirror.settings import UpstreamSettings
from wandb_mirror.upstream.authority import Authority
from wandb_mirror.upstream.capabilities import Capabilities
from wandb_mirror.upstream.client import Client
from wandb_mirror.upstream.credentials import Credentials
from wandb_mirror.upstream.shapes import Upstream

KEY = "k" * 40
BASE_URL = "https://api.test"

SCHEMA = """
scalar JSONString
scalar JSON
scalar Int64
type Query {
  viewer: User
  models(entityName: String, first: Int, after: String): ProjectConnection
  project(entityName: String, name: String): Project
}
type User { id: ID! username: String name: String email: String admin: Boolean entity: String }
type PageInfo { endCursor: String hasNextPage: Boolean }
type ProjectConnection { edges: [ProjectEdge] pageInfo: PageInfo }
type ProjectEdge { node: Project }
type Project {
  id: ID!
  internalId: ID!
  name: String
  entityName: String
  description: String
  access: String
  createdAt: String
  updatedAt: String
  runCount: Int
  runs(first: Int, after: String, filters: JSONString, order: String): RunConnection
  run(name: String!): Run
  sweeps(first: Int, after: String): SweepConnection
}
type SweepConnection { edges: [SweepEdge] pageInfo: PageInfo }
type SweepEdge { node: Sweep }
type Sweep {
  id: ID!
  name: String!
  displayName: String
  state: String!
  method: String!
  description: String
  bestLoss: Float
  runCount: Int!
  runCountExpected: Int
  config: String!
  createdAt: String
  updatedAt: String
}
type RunConnection { edges: [RunEdge] pageInfo: PageInfo }
type RunEdge { node: Run }
type Run {
  id: ID!
  name: String!
  displayName: String
  state: String
  user: User
  group: String
  jobType: String
  sweepName: String
  notes: String
  description: String
  tags: [String!]
  commit: String
  host: String
  createdAt: String
  heartbeatAt: String
  updatedAt: String
  computeSeconds: Float
  historyLineCount: Int
  historyKeys: JSON
  config: JSONString
  summaryMetrics: JSONString
  systemMetrics: JSONString
  history(minStep: Int64, maxStep: Int64, samples: Int): [String!]
}
"""


@dataclass(slots=True)
class Server:
    """Answers what its schema has; ``projects`` are dicts by upstream's names."""

    schema_text: str = SCHEMA
    projects: list[dict[str, Any]] = field(default_factory=list)
    viewer: dict[str, Any] | None = field(default_factory=lambda: {"id": "u1", "username": "ada"})
    tells_one_error: bool = False
    tells_no_lines: bool = False
    heeds_filters: bool = True
    largest_page: int = 1000
    refuses: Callable[[str], str | None] = lambda _: None
    documents: list[str] = field(default_factory=list)
    requests: list[httpx.Request] = field(default_factory=list)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        asked = json.loads(request.content)
        self.documents.append(asked["query"])
        if (message := self.refuses(asked["query"])) is not None:
            return httpx.Response(200, json={"errors": [{"message": message}], "data": None})
        schema = graphql.build_schema(self.schema_text)
        document = graphql.parse(asked["query"])
        if errors := graphql.validate(schema, document):
            return httpx.Response(400, json={"errors": self._tell(errors)})
        result = graphql.execute(
            schema,
            document,
            root_value={
                "viewer": self.viewer,
                "models": self._models,
                "project": self._project,
            },
            variable_values=asked["variables"],
            field_resolver=self._resolve,
        )
        reply: dict[str, Any] = {"data": result.data}
        if result.errors:
            reply["errors"] = [error.formatted for error in result.errors]
        return httpx.Response(200, json=reply)

    def _tell(self, errors: list[Any]) -> list[Any]:
        told = [dict(error.formatted) for error in errors]
        if self.tells_no_lines:
            told = [{"message": error["message"]} for error in told]
        return told[:1] if self.tells_one_error else told

    def _models(self, entityName: str, first: int = 50, after: str | None = None) -> Any:  # noqa: N803
        found = [self._shown(each) for each in self.projects if each["entityName"] == entityName]
        return self._page(found, first, after) if found else None

    def _project(self, entityName: str, name: str) -> Any:  # noqa: N803
        for each in self.projects:
            if (each["entityName"], each["name"]) == (entityName, name):
                return self._shown(each)
        return None

    def _shown(self, project: dict[str, Any]) -> dict[str, Any]:
        runs = project.get("runs", [])

        def list_runs(
            first: int = 50,
            after: str | None = None,
            filters: str | None = None,
            order: str | None = None,
        ) -> Any:
            chosen = list(runs)
            if filters is not None and self.heeds_filters:
                ((name, condition),) = json.loads(filters).items()
                chosen = [run for run in chosen if _matches(run.get(name), condition)]
            return self._page(chosen, first, after)

        def find_run(name: str) -> Any:
            return next((_shown_run(run) for run in runs if run and run["name"] == name), None)

        return {**project, "runs": list_runs, "run": find_run, "runCount": len(runs)}

    def _resolve(self, source: Any, info: Any, **arguments: Any) -> Any:
        value = source.get(info.field_name)
        if callable(value):
            return value(**arguments)
        if str(info.return_type).rstrip("!").endswith("Connection") and isinstance(value, list):
            return self._page(value, arguments.get("first", 50), arguments.get("after"))
        return value

    def _page(self, found: list[Any], first: int, after: str | None) -> dict[str, Any]:
        start = int(after or 0)
        end = start + min(first, self.largest_page)
        return {
            "edges": [{"node": each and _shown_run(each)} for each in found[start:end]],
            "pageInfo": {"endCursor": str(end), "hasNextPage": end < len(found)},
        }


def _shown_run(run: dict[str, Any]) -> dict[str, Any]:
    steps = run.get("steps", {})

    def history(minStep: int = 0, maxStep: int = 2**31, samples: int = 500) -> list[str]:  # noqa: N803
        return [text for step, text in sorted(steps.items()) if minStep <= step < maxStep][:samples]

    return {**run, "history": history}


def _matches(value: Any, condition: dict[str, Any]) -> bool:
    ((operator, operand),) = condition.items()
    return value in operand if operator == "$in" else value >= operand


def without(*removed: str) -> str:
    """Return the schema without some lines or pieces of text."""
    text = SCHEMA
    for piece in removed:
        assert piece in text, piece
        text = text.replace(piece, "")
    return text


def client_of(answer: Callable[[httpx.Request], httpx.Response], **settings: Any) -> Client:
    """Return a client of a fake, which waits for nothing: its clock jumps."""
    clock = Clock()
    return Client(
        BASE_URL,
        Authority(BASE_URL, Credentials("a test", KEY)),
        UpstreamSettings(**settings),
        stop=clock,  # type: ignore[arg-type]
        transport=httpx.MockTransport(answer),
        clock=clock,
        jitter=lambda: 0.0,
    )


def upstream_of(server: Server, **settings: Any) -> Upstream:
    """Return what the library makes of a server."""
    return Upstream(client_of(server, **settings), Capabilities())


@dataclass(slots=True)
class Clock:
    """A clock and a stop event in one: waiting moves the time, nobody asks to stop."""

    now: float = 0.0
    waits: list[float] = field(default_factory=list)
    stops_after: int | None = None

    def __call__(self) -> float:
        return self.now

    def wait(self, seconds: float) -> bool:
        self.waits.append(seconds)
        self.now += seconds
        return self.stops_after is not None and len(self.waits) > self.stops_after
