"""From a query to the bytes of its reply, without HTTP."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    execute_sync,
    get_variable_values,
)

from wandb_mirror.sandbox.behaviour import Behaviour
from wandb_mirror.sandbox.connections import PageTricks
from wandb_mirror.sandbox.context import Context, Selections
from wandb_mirror.sandbox.documents import Document, Documents
from wandb_mirror.sandbox.problems import QueryProblem
from wandb_mirror.sandbox.projection import Projection, make_leaf_writer
from wandb_mirror.sandbox.reads import READS
from wandb_mirror.sandbox.run_reads import RUN_READS
from wandb_mirror.sandbox.schema import make_schema
from wandb_mirror.sandbox.world import World
from wandb_mirror.sandbox.writes import WRITES

RESOLVERS = {**READS, **RUN_READS, **WRITES}


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP status and a body."""

    status: int
    body: bytes


class Engine:
    """Answers GraphQL requests over a world; not for several threads at once."""

    def __init__(self, world: World, behaviour: Behaviour, store_url: str = "") -> None:
        self.world = world
        self._store_url = store_url
        self.behaviour = behaviour
        self._schema = make_schema(lacks=behaviour.lacking, renames=behaviour.renames)
        self._aliases = {new: old for old, new in behaviour.renames.items()}
        self._documents = Documents(
            self._schema, allows_introspection=behaviour.allows_introspection
        )
        self._selections = Selections()
        self._replies = _Replies(behaviour.cache_bytes)
        self._write_leaf = make_leaf_writer(self._write_time)
        self._number = 0

    def _write_time(self, time: datetime) -> str:
        """Return a time as this server writes them, in seconds unless it has a fraction."""
        return time.replace(tzinfo=None).isoformat() + self.behaviour.time_zone

    def answer(self, body: bytes, *, is_known: bool, tricks: PageTricks | None = None) -> Reply:
        """Return the reply to a request's body."""
        self._number += 1
        with self.world.lock:
            is_kept = tricks is None and self.behaviour.ties == "stable"
            key = (body, is_known)
            if is_kept and (found := self._replies.get(key, self.world.version)) is not None:
                return Reply(200, found)
            if self.behaviour.ignores_after:
                tricks = PageTricks(ignores_after=True)
            context = Context(
                self.world,
                self.behaviour,
                is_known,
                self._write_leaf,
                tricks or PageTricks(),
                self._selections,
                self._number,
                self._store_url,
            )
            try:
                text, is_whole = self._execute(read_payload(body), context)
            except _Invalid as problem:
                return _failure(problem.status, problem.errors)
            except QueryProblem as problem:
                return _failure(problem.status, [{"message": str(problem)}])
            reply = text.encode()
            # A mutation moves the version, and so is never kept.
            if is_kept and is_whole and not context.is_passing:
                self._replies.put(key, reply, self.world.version)
            return Reply(200, reply)

    def _execute(self, payload: Mapping[str, Any], context: Context) -> tuple[str, bool]:
        """Return the reply's text, and whether all went well."""
        if not isinstance(payload.get("query"), str):
            raise QueryProblem("Must provide query string.", status=400)
        document = self._documents.read(payload["query"])
        if document.errors:
            raise _Invalid(document.errors)
        operation = document.choose(payload.get("operationName"))
        if isinstance(operation, str):
            raise QueryProblem(operation, status=400)
        most = self.behaviour.max_root_fields
        if most is not None and len(operation.selection_set.selections) > most:
            raise QueryProblem(f"A document may have {most} aliases at its root, not more.")
        variables: Any = get_variable_values(
            self._schema, operation.variable_definitions or (), dict(payload.get("variables") or {})
        )
        if isinstance(variables, list):
            raise _Invalid(tuple(dict(error.formatted) for error in variables))
        projection = Projection(
            self._schema,
            document,
            variables,
            RESOLVERS,
            self._aliases,
            context,
            lambda node: self._introspect(document, operation, node, payload.get("variables")),
        )
        text = projection.write(operation)
        if projection.errors:
            return f'{{"data":{text},"errors":{json.dumps(projection.errors)}}}', False
        return f'{{"data":{text}}}', True

    def _introspect(
        self,
        document: Document,
        operation: OperationDefinitionNode,
        node: FieldNode,
        variables: Mapping[str, Any] | None,
    ) -> str:
        """Return what the schema says of itself; graphql-core knows how."""
        alone = OperationDefinitionNode(
            operation=OperationType.QUERY,
            name=None,
            variable_definitions=operation.variable_definitions,
            directives=(),
            selection_set=SelectionSetNode(selections=(node,)),
        )
        tree = DocumentNode(definitions=(alone, *document.fragments.values()))
        result = execute_sync(self._schema, tree, variable_values=dict(variables or {}))
        key = node.alias.value if node.alias else node.name.value
        return json.dumps((result.data or {}).get(key))


def read_payload(body: bytes) -> dict[str, Any]:
    """Return what a request's body says; nothing where it is no JSON object."""
    try:
        payload = json.loads(body)
    except ValueError:
        return {}
    return payload if isinstance(payload, dict) else {}


class _Invalid(QueryProblem):
    """A query that the schema does not allow."""

    def __init__(self, errors: tuple[dict[str, Any], ...]) -> None:
        super().__init__("; ".join(str(error["message"]) for error in errors), status=400)
        self.errors = [{**error, "message": _quote(str(error["message"]))} for error in errors]


def _quote(message: str) -> str:
    """Return a message with names quoted as W&B's server quotes them."""
    return message.replace("'", '"')


def _failure(status: int, errors: list[dict[str, Any]]) -> Reply:
    return Reply(status, json.dumps({"errors": errors, "data": None}).encode())


class _Replies:
    """Replies by request, for as long as the world stands still, up to a number of bytes."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._version = -1
        self._bytes = 0
        self._kept: OrderedDict[tuple[bytes, bool], bytes] = OrderedDict()

    def get(self, key: tuple[bytes, bool], version: int) -> bytes | None:
        if version != self._version:
            self._kept.clear()
            self._version, self._bytes = version, 0
        found = self._kept.get(key)
        if found is not None:
            self._kept.move_to_end(key)
        return found

    def put(self, key: tuple[bytes, bool], reply: bytes, version: int) -> None:
        if version != self._version or len(reply) > self._limit_bytes:
            return
        self._kept[key] = reply
        self._bytes += len(reply) + len(key[0])
        while self._bytes > self._limit_bytes:
            (body, _), gone = self._kept.popitem(last=False)
            self._bytes -= len(gone) + len(body)
