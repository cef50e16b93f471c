"""A server that answers GraphQL, as a function from request to response.

It validates by graphql-core against a schema of its own, from which a test may take things away,
and resolves plain dicts. Filters, orders and cursors are as simple as the tests need them.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
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
LISTS = ("triggers", "members", "teamMembers")
FILES = "https://files.test"

SCHEMA = """
scalar JSONString
scalar JSON
scalar Int64
type Query {
  viewer: User
  models(entityName: String, first: Int, after: String): ProjectConnection
  project(entityName: String, name: String): Project
  entity(name: String): Entity
  views(ids: [ID!]!): ViewConnection
  artifact(id: ID!): Artifact
}
type User {
  id: ID!
  username: String
  name: String
  email: String
  admin: Boolean
  entity: String
  deletedAt: String
  flags: JSONString
  teams: EntityConnection
}
type EntityConnection { edges: [EntityEdge] pageInfo: PageInfo }
type EntityEdge { node: Entity }
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
  user: User
  readOnly: Boolean
  isBenchmark: Boolean
  allowAllArtifactTypesInRegistry: Boolean
  createdAt: String
  updatedAt: String
  runCount: Int
  runs(first: Int, after: String, filters: JSONString, order: String): RunConnection
  run(name: String!): Run
  sweeps(first: Int, after: String): SweepConnection
  sweep(sweepName: String!): Sweep
  artifactTypes(first: Int, after: String): ArtifactTypeConnection
  artifactCollections(first: Int, after: String): ArtifactCollectionConnection
  artifactCollection(name: String!): ArtifactCollection
  allViews(viewType: String, first: Int, after: String): ViewConnection
  triggers: [Trigger!]
  members: [ProjectMember!]
  teamMembers: [ProjectTeamMember!]
}
type Role { name: String! }
type ProjectMember { id: ID! name: String username: String email: String role: Role! }
type ProjectTeamMember { team: Entity! role: Role! }
type Entity {
  id: ID!
  name: String!
  isTeam: Boolean
  entityType: String
  available: Boolean
  photoUrl: String
  readOnly: Boolean
  readOnlyAdmin: Boolean
  privateOnly: Boolean
  storageBytes: Int64
  codeSavingEnabled: Boolean
  defaultAccess: String
  isPaid: Boolean
  organization: Organization
  members: [Member!]
  integrations(first: Int, after: String): IntegrationConnection
  triggers(first: Int, after: String): TriggerConnection
  projects(first: Int, after: String, filters: JSONString): ProjectConnection
}
type Organization { id: ID! name: String! orgEntity: Entity }
type Member {
  id: String
  username: String
  name: String!
  email: String
  role: String
  admin: Boolean
  pending: Boolean
  photoUrl: String
  accountType: String
  apiKey: String
}
interface Integration { id: ID! }
type IntegrationEdge { node: Integration }
type IntegrationConnection { edges: [IntegrationEdge] pageInfo: PageInfo }
type SlackIntegration implements Integration { id: ID! teamName: String! channelName: String! }
type GenericWebhookIntegration implements Integration {
  id: ID!
  name: String!
  urlEndpoint: String!
  accessTokenRef: String
  secretRef: String
}
type ArtifactTypeConnection { edges: [ArtifactTypeEdge] pageInfo: PageInfo }
type ArtifactTypeEdge { node: ArtifactType }
type ArtifactType { name: String! description: String createdAt: String }
type ArtifactCollectionConnection { edges: [ArtifactCollectionEdge] pageInfo: PageInfo }
type ArtifactCollectionEdge { node: ArtifactCollection }
interface ArtifactCollection {
  id: ID!
  name: String!
  defaultArtifactType: ArtifactType!
  description: String
  state: String
  createdAt: String
  updatedAt: String
  project: Project
  tags: TagConnection
  aliases(first: Int): ArtifactAliasConnection
  artifacts(first: Int, order: String): ArtifactConnection
  artifactMemberships(first: Int, after: String): MembershipConnection
}
type ArtifactSequence implements ArtifactCollection {
  id: ID!
  name: String!
  defaultArtifactType: ArtifactType!
  description: String
  state: String
  createdAt: String
  updatedAt: String
  project: Project
  tags: TagConnection
  aliases(first: Int): ArtifactAliasConnection
  artifacts(first: Int, order: String): ArtifactConnection
  artifactMemberships(first: Int, after: String): MembershipConnection
}
type ArtifactPortfolio implements ArtifactCollection {
  id: ID!
  name: String!
  defaultArtifactType: ArtifactType!
  description: String
  state: String
  createdAt: String
  updatedAt: String
  project: Project
  tags: TagConnection
  aliases(first: Int): ArtifactAliasConnection
  artifacts(first: Int, order: String): ArtifactConnection
  artifactMemberships(first: Int, after: String): MembershipConnection
}
type TagConnection { edges: [TagEdge] pageInfo: PageInfo }
type TagEdge { node: Tag }
type Tag { name: String! }
type ArtifactAliasConnection { edges: [ArtifactAliasEdge] pageInfo: PageInfo }
type ArtifactAliasEdge { node: ArtifactAlias }
type ArtifactAlias { alias: String! artifact: Artifact }
type ArtifactConnection { edges: [ArtifactEdge] pageInfo: PageInfo totalCount: Int }
type ArtifactEdge { node: Artifact }
type MembershipConnection { edges: [MembershipEdge] pageInfo: PageInfo }
type MembershipEdge { node: ArtifactCollectionMembership }
type ArtifactCollectionMembership {
  id: ID!
  versionIndex: Int
  createdAt: String
  aliases: [ArtifactAlias!]
  artifact: Artifact
}
type Artifact {
  id: ID!
  artifactType: ArtifactType!
  artifactSequence: ArtifactSequence!
  versionIndex: Int
  digest: String!
  digestAlgorithm: String
  commitHash: String
  historyStep: Int64
  size: Int64!
  fileCount: Int64!
  state: String!
  description: String
  metadata: JSONString
  tags: [Tag!]
  ttlDurationSeconds: Int64
  createdAt: String
  updatedAt: String
  currentManifest: ArtifactManifest
}
type ArtifactManifest { id: ID! file: File! }
type FileConnection { edges: [FileEdge] pageInfo: PageInfo }
type FileEdge { node: File }
type File {
  id: ID!
  name: String!
  directUrl: String!
  sizeBytes: Int64!
  mimetype: String
  md5: String
  updatedAt: String
}
type ViewConnection { edges: [ViewEdge] pageInfo: PageInfo }
type ViewEdge { node: View }
type View {
  id: ID!
  name: String
  displayName: String
  description: String
  user: User
  spec: JSONString
  createdAt: String
  updatedAt: String
}
type TriggerConnection { edges: [TriggerEdge] pageInfo: PageInfo }
type TriggerEdge { node: Trigger }
type Trigger {
  id: ID!
  name: String!
  description: String
  enabled: Boolean!
  createdAt: String
  updatedAt: String
  scope: TriggerScope!
  triggeringCondition: TriggeringCondition!
  triggeredAction: TriggeredAction!
}
union TriggerScope = Project | Entity | ArtifactSequence | ArtifactPortfolio
union TriggeringCondition = FilterEventTriggeringCondition
type FilterEventTriggeringCondition { eventType: String! filter: JSONString! }
union TriggeredAction = GenericWebhookTriggeredAction | NotificationTriggeredAction
type GenericWebhookTriggeredAction { integration: Integration! requestPayload: JSONString }
type NotificationTriggeredAction {
  integration: Integration!
  title: String
  message: String
  severity: String
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
  agents: AgentConnection
  agent(agentName: String!): Agent
  config: String!
  createdAt: String
  updatedAt: String
}
type AgentConnection { edges: [AgentEdge] }
type AgentEdge { node: Agent }
type Agent {
  id: ID!
  name: String!
  host: String!
  state: String
  totalRuns: Int!
  createdAt: String
  heartbeatAt: String
  runs(first: Int, after: String, order: String): RunConnection
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
  readOnly: Boolean
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
  sampledHistory(specs: [JSONString!]!): [JSON!]
  history(minStep: Int64, maxStep: Int64, samples: Int): [String!]
  parquetHistory(liveKeys: [String!]!): ParquetHistory
  eventsLineCount: Int
  logLineCount: Int
  logLines(first: Int, after: String, useImprovedPagination: Boolean): LogLineConnection
  events(samples: Int): [String!]
  files(first: Int, after: String): FileConnection
  inputArtifacts(first: Int, after: String): ArtifactConnection
  outputArtifacts(first: Int, after: String): ArtifactConnection
}
type LogLineConnection { edges: [LogLineEdge!]! pageInfo: PageInfo! }
type LogLineEdge { node: LogLine! }
type LogLine { number: Int timestamp: String level: String label: String line: String }
type ParquetHistory { liveData: [JSONString!]! parquetUrls: [String!]! }
"""


build_schema = cache(graphql.build_schema)


@cache
def _understand(schema_text: str, query: str) -> Any:
    """Return the schema, the document, and what is wrong with it."""
    schema, document = build_schema(schema_text), graphql.parse(query)
    return schema, document, graphql.validate(schema, document)


@dataclass(slots=True)
class Server:
    """Answers what its schema has; ``projects`` are dicts by upstream's names."""

    schema_text: str = SCHEMA
    projects: list[dict[str, Any]] = field(default_factory=list)
    viewer: dict[str, Any] | None = field(default_factory=lambda: {"id": "u1", "username": "ada"})
    entities: dict[str, dict[str, Any]] = field(default_factory=dict)
    artifacts: dict[str, dict[str, Any]] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    """Path below ``FILES`` to what lies there, for whoever has the address."""
    tells_one_error: bool = False
    tells_no_lines: bool = False
    heeds_filters: bool = True
    largest_page: int = 1000
    refuses: Callable[[str], str | None] = lambda _: None
    documents: list[str] = field(default_factory=list)
    requests: list[httpx.Request] = field(default_factory=list)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        if request.method == "GET":
            return self._file(request)
        asked = json.loads(request.content)
        self.documents.append(asked["query"])
        if (message := self.refuses(asked["query"])) is not None:
            return httpx.Response(200, json={"errors": [{"message": message}], "data": None})
        schema, document, errors = _understand(self.schema_text, asked["query"])
        if errors:
            return httpx.Response(400, json={"errors": self._tell(errors)})
        result = graphql.execute(
            schema,
            document,
            root_value={
                "viewer": self.viewer,
                "models": self._models,
                "project": self._project,
                "entity": lambda name: self.entities.get(name, {"id": name, "name": name}),
                "views": lambda ids: [
                    each
                    for project in self.projects
                    for each in project.get("allViews", [])
                    if each["id"] in ids
                ],
                "artifact": self._artifact,
            },
            variable_values=asked["variables"],
            field_resolver=self._resolve,
        )
        reply: dict[str, Any] = {"data": result.data}
        if result.errors:
            reply["errors"] = [error.formatted for error in result.errors]
        return httpx.Response(200, json=reply)

    def _artifact(self, id: str) -> Any:  # noqa: A002
        return self.artifacts.get(id)

    def _file(self, request: httpx.Request) -> httpx.Response:
        assert "Authorization" not in request.headers
        content = self.files.get(request.url.path.lstrip("/"))
        return httpx.Response(404) if content is None else httpx.Response(200, content=content)

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
        for each in self.entities.get(entityName, {}).get("projects") or []:
            if each["name"] == name:
                return self._shown(each)
        return None

    def _shown(self, project: dict[str, Any]) -> dict[str, Any]:
        shown = project.get("runs", [])
        runs = shown or []

        def list_runs(
            first: int = 50,
            after: str | None = None,
            filters: str | None = None,
            order: str | None = None,
        ) -> Any:
            if shown is None:
                return None
            chosen = list(runs)
            if filters is not None and self.heeds_filters:
                ((name, condition),) = json.loads(filters).items()
                chosen = [run for run in chosen if _matches(run.get(name), condition)]
            return self._page(chosen, first, after)

        def find_run(name: str) -> Any:
            return next((_shown_run(run) for run in runs if run and run["name"] == name), None)

        def find_collection(name: str) -> Any:
            found = project.get("artifactCollections", [])
            return next((each for each in found if each["name"] == name), None)

        def find_sweep(sweepName: str) -> Any:  # noqa: N803
            found = [each for each in project["sweeps"] if each["name"] == sweepName]
            return _shown_sweep(found[0]) if found else None

        return {
            **project,
            "sweep": find_sweep,
            "artifactCollection": find_collection,
            "runs": list_runs,
            "run": find_run,
            "runCount": len(runs),
        }

    def _resolve(self, source: Any, info: Any, **arguments: Any) -> Any:
        is_list = info.field_name in LISTS or str(info.return_type).endswith("Connection")
        value = source.get(info.field_name, [] if is_list else None)
        if callable(value):
            value = value(**arguments)
        if str(info.return_type).rstrip("!").endswith("Connection") and isinstance(value, list):
            return self._page(value, arguments.get("first", 50), arguments.get("after"))
        return value

    def _page(self, found: list[Any], first: int, after: str | None) -> dict[str, Any]:
        start = int(after or 0)
        end = start + min(first, self.largest_page)
        return {
            "edges": [{"node": each and _shown_run(each)} for each in found[start:end]],
            "pageInfo": {"endCursor": str(end), "hasNextPage": end < len(found)},
            "totalCount": len(found),
        }


def _shown_sweep(sweep: dict[str, Any]) -> dict[str, Any]:
    def find_agent(agentName: str) -> Any:  # noqa: N803
        agents = (edge["node"] for edge in sweep["agents"]["edges"])
        return next((each for each in agents if each["name"] == agentName), None)

    return {**sweep, "agent": find_agent}


def _shown_run(run: dict[str, Any]) -> dict[str, Any]:
    steps = run.get("steps", {})

    def history(
        minStep: int = 0,  # noqa: N803
        maxStep: int = 2**31,  # noqa: N803
        samples: int = 500,
    ) -> list[str] | None:
        if steps is None:
            return None
        return [text for step, text in sorted(steps.items()) if minStep <= step < maxStep][:samples]

    return {"events": [], "eventsLineCount": 0, **run, "history": history}


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
