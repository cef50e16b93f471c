"""Mutations from what is to be sent: one object an alias, several in a document.

Before each write stands the same mutation with nothing but the id. It changes nothing that the
write behind it would not, and its reply is the object as it was at that moment: no server offers
"write only if unchanged", so this is how a lost race is noticed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from wandb_mirror.edits.spec import Deletion, Editable
from wandb_mirror.errors import BadRow, UpstreamBroken
from wandb_mirror.kinds.pages import Row, ScopeOf
from wandb_mirror.kinds.spec import Kind
from wandb_mirror.upstream.capabilities import Capabilities
from wandb_mirror.upstream.rows import read_row
from wandb_mirror.upstream.writer import Document, Writer, alias_of

BEFORE = "before_"
GUARD = "reading an object before it is written"
"""The capability to take a mutation that names an object and changes nothing of it."""


@dataclass(frozen=True, slots=True)
class Sending:
    """What goes to one object."""

    scope: ScopeOf
    upstream_id: str
    wires: Mapping[str, Any]
    """Argument to value: the fields that were edited, and no others."""


@dataclass(frozen=True, slots=True)
class Reply:
    """One object as it was and as it is."""

    before: Row | None
    after: Row


def mutation_document(
    kind: Kind, editable: Editable, capabilities: Capabilities, sendings: Sequence[Sending]
) -> Document:
    """Return the mutations of some objects, in the order in which a server applies them."""
    writer = Writer(kind, ScopeOf(), capabilities)
    written = {
        spec.column
        for spec in editable.fields
        if any(spec.argument in each.wires for each in sendings)
    }
    seen = [field for field in kind.fields if field.column in written or field.column in kind.key]
    for number, each in enumerate(sendings):
        given = {editable.id_argument: each.upstream_id}
        steps = [
            (f"{BEFORE}{alias_of(number)}", {}, seen),
            (alias_of(number), each.wires, kind.fields),
        ]
        for alias, wires, fields in steps[capabilities.lacks(GUARD) :]:
            variable = writer.bind(f"input_{alias}", editable.input_type, {**given, **wires})
            with (
                writer.inside(
                    f"{alias}: {editable.mutation}", editable.mutation, [("input", variable)]
                ),
                writer.inside(editable.reply, f"{editable.mutation}.{editable.reply}", ()),
            ):
                writer.fields(fields)
    document = writer.finish("Edits")
    return replace(document, text=f"mutation{document.text.removeprefix('query')}")


def read_reply(
    kind: Kind,
    editable: Editable,
    data: Mapping[str, Any],
    document: Document,
    sending: Sending,
    number: int,
) -> Reply:
    """Return what a server says of one object; raises ``UpstreamBroken`` where it says nothing."""
    after = _read(kind, editable, data, document, sending, alias_of(number))
    if after is None:
        raise UpstreamBroken("upstream does not say what became of an edit")
    before = _read(
        kind, editable, data, document, sending, f"{BEFORE}{alias_of(number)}", is_part=True
    )
    return Reply(before, after)


def _read(
    kind: Kind,
    editable: Editable,
    data: Mapping[str, Any],
    document: Document,
    sending: Sending,
    alias: str,
    *,
    is_part: bool = False,
) -> Row | None:
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
