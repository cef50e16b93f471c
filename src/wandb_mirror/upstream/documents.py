"""GraphQL text from a kind: every field aliased to its column, what the server lacks left out.

Each field, argument and variable stands on a line of its own, and a document knows what stands on
each line: a server that points at a line says so what it lacks, however it calls its types.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from wandb_mirror.kinds.pages import ScopeOf, StepsRequest
from wandb_mirror.kinds.spec import Field, Kind
from wandb_mirror.upstream.capabilities import Capabilities
from wandb_mirror.upstream.writer import (
    JSON_SCALAR,
    STEP_SCALAR,
    Document,
    Writer,
    alias_of,
    place_of,
    type_of,
)

ALL_SAMPLES = 2**31 - 1
"""More rows than any run has; the largest number that ``samples`` takes."""
Wanted = tuple[str, str, Any]
"""An argument's name, its type, and its value; None where it is not sent."""


def node_document(kind: Kind, scope: ScopeOf, capabilities: Capabilities) -> Document:
    """Return the query for one object."""
    writer = Writer(kind, scope, capabilities)
    with writer.down(kind.node_path or kind.path):
        writer.fields(kind.fields)
    return writer.finish("Node")


def can_name(kind: Kind) -> bool:
    """Tell whether single objects of a kind can be read by their own keys."""
    return any(part == kind.own_key for at in kind.node_path[-1:] for _, part in at.arguments)


def nodes_document(
    kind: Kind, scope: ScopeOf, capabilities: Capabilities, own_keys: Sequence[str]
) -> Document:
    """Return the query for several objects by their own keys, an alias each."""
    writer = Writer(kind, scope, capabilities)
    *before, last = kind.node_path
    place = place_of(kind.node_path)
    with writer.down(before):
        writer.require(place, last.arguments)
        for number, own_key in enumerate(own_keys):
            arguments = [
                (argument, writer.bind(f"{part}_{number}", type_of(argument), own_key))
                for argument, part in last.arguments
                if part == kind.own_key
            ]
            with writer.inside(f"{alias_of(number)}: {last.field}", place, arguments):
                writer.fields(kind.fields)
    return writer.finish("Nodes")


def listing_document(
    kind: Kind,
    scope: ScopeOf,
    capabilities: Capabilities,
    *,
    fields: Iterable[Field],
    first: int,
    after: str | None = None,
    filters: str | None = None,
    order: str | None = None,
) -> Document:
    """Return the query for one page of a listing; ``filters`` is JSON text."""
    writer = Writer(kind, scope, capabilities)
    arguments: Sequence[Wanted] = (
        ("first", "Int", first),
        ("after", "String", after),
        ("filters", JSON_SCALAR, filters),
        ("order", "String", order),
    )
    with writer.down(kind.path[:-1]):
        write_listing(writer, fields, arguments)
    return writer.finish("Listing")


def details_document(
    kind: Kind, scope: ScopeOf, capabilities: Capabilities, own_keys: Sequence[str]
) -> Document:
    """Return the query for whole objects from a connection that takes a list of their keys."""
    writer = Writer(kind, scope, capabilities)
    *before, last = kind.detail_path
    place = place_of(kind.detail_path)
    with writer.down(before):
        writer.require(place, last.arguments)
        arguments = [
            (argument, writer.bind("own_keys", "[ID!]!", list(own_keys)))
            for argument, _ in last.arguments
        ]
        with writer.inside(last.field, place, arguments):
            _write_nodes(writer, place, kind.fields)
    return writer.finish("Details")


def contents_document(
    kind: Kind, scope: ScopeOf, capabilities: Capabilities, names: Sequence[str]
) -> Document:
    """Return the query for signed URLs of files by their names."""
    writer = Writer(kind, scope, capabilities)
    *before, last = kind.contents
    place = place_of(kind.contents)
    with writer.down(before):
        writer.require(place, last.arguments)
        arguments = [
            (argument, writer.bind(argument, "[String!]", list(names)))
            for argument, _ in last.arguments
        ]
        arguments.append(("first", writer.bind("first", "Int", len(names))))
        with (
            writer.inside(last.field, place, arguments),
            writer.inside("edges", f"{place}.edges", ()),
            writer.inside("node", f"{place}.edges.node", ()),
        ):
            writer.line("name", f"{place}.edges.node.name")
            writer.line("directUrl", f"{place}.edges.node.directUrl")
    writer.needs.add(f"{place}.edges.node.directUrl")
    writer.sources.update({field.column: field.source for field in kind.fields})
    return writer.finish("Contents")


def urls_document(kind: Kind, scopes: Sequence[ScopeOf], capabilities: Capabilities) -> Document:
    """Return the query for the signed URLs of several files, an alias each."""
    writer = Writer(kind, ScopeOf(), capabilities)
    for number, scope in enumerate(scopes):
        writer.scope, writer.number = scope, number
        with writer.down(kind.path):
            writer.line("url: directUrl", f"{place_of(kind.path)}.directUrl")
    writer.needs.add(f"{place_of(kind.path)}.directUrl")
    writer.sources.update({field.column: field.source for field in kind.fields})
    return writer.finish("Urls")


def write_listing(writer: Writer, fields: Iterable[Field], wanted: Sequence[Wanted]) -> None:
    """Write one page of a listing, inside what it is a part of."""
    *before, last = writer.kind.path
    place = place_of(writer.kind.path)
    writer.require(place, (*last.arguments, *last.constants))
    arguments = writer.bind_scope(last)
    if writer.kind.shape == "list":
        with writer.inside(last.field, place, arguments):
            writer.fields(fields)
        return
    arguments += [
        (name, writer.bind_value(name, graphql_type, value))
        for name, graphql_type, value in wanted
        if value is not None and not writer.capabilities.lacks(f"{place}({name})")
    ]
    name = last.field
    if not before and writer.number is not None:
        name = f"{alias_of(writer.number)}: {name}"
    with writer.inside(name, place, arguments):
        _write_nodes(writer, place, fields)
        writer.line("pageInfo { endCursor hasNextPage }", f"{place}.pageInfo")
    writer.needs.add(f"{place}.pageInfo")


def _write_nodes(writer: Writer, place: str, fields: Iterable[Field]) -> None:
    with (
        writer.inside("edges", f"{place}.edges", ()),
        writer.inside("node", f"{place}.edges.node", ()),
    ):
        writer.fields(fields)
    writer.needs |= {f"{place}.edges", f"{place}.edges.node"}


def steps_document(
    kind: Kind, scope: ScopeOf, capabilities: Capabilities, requests: Sequence[StepsRequest]
) -> Document:
    """Return the query for windows of several parents' steps, an alias a parent.

    ``samples`` is the number of steps in the window: so every row comes, as W&B's own reader
    asks (core/internal/runhistoryreader/livedata.go). A run has fewer rows than that may say.
    """
    writer = Writer(kind, scope, capabilities)
    field = kind.path[-1].field
    parents = writer.parents(kind.path[:-1], [each.run_id for each in requests])
    for number, (each, place) in enumerate(zip(requests, parents, strict=True)):
        window = [
            ("minStep", writer.bind(f"min_{number}", STEP_SCALAR, each.min_step)),
            ("maxStep", writer.bind(f"max_{number}", STEP_SCALAR, each.max_step)),
            ("samples", writer.bind(f"samples_{number}", "Int", count_samples(each))),
        ]
        if each.is_first:
            writer.fields(kind.fields)
        writer.require(f"{place}.{field}", window)
        writer.open(f"lines: {field}", f"{place}.{field}", window, "")
    return writer.finish("Steps")


def count_samples(request: StepsRequest) -> int:
    """Return for how many samples a window is asked, so that every row of it comes."""
    return min(request.max_step - request.min_step, ALL_SAMPLES)


def exports_document(
    kind: Kind, scope: ScopeOf, capabilities: Capabilities, own_keys: Sequence[str]
) -> Document:
    """Return the query for the files that hold several parents' steps, an alias a parent."""
    if kind.exports is None:
        raise ValueError(f"kind {kind.name}: its steps are in no files")
    writer = Writer(kind, scope, capabilities)
    exports = kind.exports
    for place in writer.parents(kind.path[:-1], own_keys):
        writer.fields(kind.fields)
        inside = f"{place}.{exports.field}"
        writer.require(inside, exports.constants)
        with writer.inside(f"exports: {exports.field}", inside, exports.constants):
            writer.line("parquetUrls", f"{inside}.parquetUrls")
            writer.line("liveData", f"{inside}.liveData")
        writer.needs |= {f"{inside}.parquetUrls", f"{inside}.liveData"}
    return writer.finish("Exports")


def samples_document(
    kind: Kind,
    scope: ScopeOf,
    capabilities: Capabilities,
    own_keys: Sequence[str],
    *,
    samples: int,
) -> Document:
    """Return the query for up to so many samples of several parents, an alias a parent."""
    writer = Writer(kind, scope, capabilities)
    field = kind.path[-1].field
    for place in writer.parents(kind.path[:-1], own_keys):
        writer.fields(kind.fields)
        most = [("samples", writer.bind("samples", "Int", samples))]
        writer.require(f"{place}.{field}", most)
        writer.open(f"lines: {field}", f"{place}.{field}", most, "")
    return writer.finish("Samples")


def index_document(
    kind: Kind, scope: ScopeOf, capabilities: Capabilities, own_keys: Sequence[str]
) -> Document:
    """Return the query for what upstream says of several parents' steps as a whole."""
    writer = Writer(kind, scope, capabilities)
    for _ in writer.parents(kind.path[:-1], own_keys):
        writer.fields(kind.fields)
    return writer.finish("Index")


def metrics_document(
    kind: Kind,
    scope: ScopeOf,
    capabilities: Capabilities,
    asked: Sequence[tuple[str, Sequence[str]]],
) -> Document:
    """Return the query for samples of several parents by specs, JSON texts, an alias a parent."""
    if kind.sampled is None:
        raise ValueError(f"kind {kind.name}: its steps are not sampled")
    writer = Writer(kind, scope, capabilities)
    parents = writer.parents(kind.path[:-1], [own_key for own_key, _ in asked])
    for number, ((_, specs), place) in enumerate(zip(asked, parents, strict=True)):
        chosen = [("specs", writer.bind(f"specs_{number}", "[JSONString!]!", list(specs)))]
        inside = f"{place}.{kind.sampled.field}"
        writer.require(inside, chosen)
        writer.open(f"samples: {kind.sampled.field}", inside, chosen, "")
    return writer.finish("Metrics")
