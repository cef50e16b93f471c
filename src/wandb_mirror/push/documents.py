"""Mutations from what is to be sent: one object an alias, several in a document.

Before each write stands the same mutation with nothing but the id. It changes nothing that the
write behind it would not, and its reply is the object as it was at that moment: no server offers
"write only if unchanged", so this is how a lost race is noticed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from wandb_mirror.edits.spec import Call, Deletion, Editable, Write
from wandb_mirror.errors import BadRow, UpstreamBroken
from wandb_mirror.kinds.pages import Row, ScopeOf
from wandb_mirror.kinds.spec import Field
from wandb_mirror.upstream.capabilities import Capabilities
from wandb_mirror.upstream.rows import read_row
from wandb_mirror.upstream.writer import Document, Writer, alias_of

BEFORE = "before_"


def guard_of(editable: Editable) -> str:
    """Return the capability to take a mutation that names an object and changes nothing of it."""
    return f"reading {editable.kind} before they are written"


@dataclass(frozen=True, slots=True)
class Sending:
    """What goes to one object."""

    scope: ScopeOf
    upstream_id: str
    wires: Mapping[str, Any]
    """Argument to value: the fields that were edited, and no others."""
    write: Write
    calls: Sequence[tuple[Call, Mapping[str, Any]]] = ()
    """Mutations of their own, for fields that are not among the arguments."""


@dataclass(frozen=True, slots=True)
class Reply:
    """One object as it was and as it is, as far as the server says."""

    before: Row | None
    after: Row | None


def mutation_document(
    editable: Editable, capabilities: Capabilities, sendings: Sequence[Sending]
) -> Document:
    """Return the mutations of some objects, in the order in which a server applies them.

    Of each object: the look before, what is sent by mutations of its own, and the rest, whose reply
    is the object as it is then.
    """
    kind = editable.read
    writer = Writer(kind, ScopeOf(), capabilities)
    guards = not capabilities.lacks(guard_of(editable))
    for number, each in enumerate(sendings):
        alias = alias_of(number)
        if guards:
            _write_main(writer, editable, each, f"{BEFORE}{alias}", {})
        for place, (call, given) in enumerate(each.calls):
            own = f"{alias}_{place}"
            variable = writer.bind(f"input_{own}", call.input_type, dict(given))
            with writer.inside(f"{own}: {call.mutation}", call.mutation, [("input", variable)]):
                writer.line(call.reply, f"{call.mutation}.{call.reply.split()[0]}")
        if guards or each.wires:
            _write_main(writer, editable, each, alias, each.wires)
    if not writer.sources:  # where only mutations of their own are sent, no object is asked for
        writer.sources.update({field.column: field.source for field in kind.fields})
    document = writer.finish("Edits")
    return replace(document, text=f"mutation{document.text.removeprefix('query')}")


def _write_main(
    writer: Writer, editable: Editable, sending: Sending, alias: str, wires: Mapping[str, Any]
) -> None:
    write = sending.write
    given = {write.id_argument: sending.upstream_id, **wires}
    variable = writer.bind(f"input_{alias}", write.input_type, given)
    with (
        writer.inside(f"{alias}: {write.mutation}", write.mutation, [("input", variable)]),
        writer.inside(editable.reply, f"{write.mutation}.{editable.reply}", ()),
    ):
        writer.fields(_seen(editable, sending) if alias.startswith(BEFORE) else writer.kind.fields)


def _seen(editable: Editable, sending: Sending) -> list[Field]:
    """Return what of an object is looked at before it is written: what is edited, and its key."""
    called = {call.mutation for call, _ in sending.calls}
    columns = {
        spec.column
        for spec in editable.fields
        if {spec.argument, spec.gone_argument} & sending.wires.keys()
        or any(call and call.mutation in called for call in (spec.comes, spec.goes))
    }
    kind = editable.read
    return [each for each in kind.fields if each.column in columns or each.column in kind.key]


def read_reply(
    editable: Editable, data: Mapping[str, Any], document: Document, sending: Sending, number: int
) -> Reply:
    """Return what a server says of one object; raises ``UpstreamBroken`` where it says nothing."""
    is_asked = f"input_{alias_of(number)}" in document.variables
    after = _read(editable, data, document, sending, alias_of(number))
    if after is None and is_asked:
        raise UpstreamBroken("upstream does not say what became of an edit")
    before = _read(editable, data, document, sending, f"{BEFORE}{alias_of(number)}", is_part=True)
    return Reply(before, after)


def _read(
    editable: Editable,
    data: Mapping[str, Any],
    document: Document,
    sending: Sending,
    alias: str,
    *,
    is_part: bool = False,
) -> Row | None:
    kind = editable.read
    payload = data.get(alias)
    node = payload.get(editable.reply) if isinstance(payload, Mapping) else None
    if not isinstance(node, Mapping):
        return None
    fields = [field for field in kind.fields if not is_part or field.column in node]
    try:
        return read_row(kind, sending.scope, node, fields=fields, sources=document.sources)
    except BadRow as error:
        raise UpstreamBroken(
            f"upstream answers an edit with what cannot be read: {error}"
        ) from error


def deletion_document(
    deletion: Deletion, ids: Sequence[str], **more: Any
) -> tuple[str, dict[str, Any]]:
    """Return the mutation that deletes objects, one where it takes one, and its variables."""
    text = (
        f"mutation Delete(\n  $input: {deletion.input_type}\n) {{\n"
        f"  {deletion.mutation}(input: $input) {{ {deletion.reply} }}\n}}"
    )
    named = list(ids) if deletion.takes_several else ids[0]
    return text, {"input": {deletion.argument: named, **more}}
