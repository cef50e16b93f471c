"""Samples of runs' machines: all that upstream hands out, of several runs at once."""

from __future__ import annotations

from collections.abc import Sequence

from wandb_mirror.errors import Refused
from wandb_mirror.jsontext import dumps
from wandb_mirror.kinds.pages import SamplesReply, ScopeOf
from wandb_mirror.kinds.spec import Kind
from wandb_mirror.upstream.documents import samples_document
from wandb_mirror.upstream.shapes import Upstream
from wandb_mirror.upstream.writer import Document


def fetch_samples(
    upstream: Upstream, kind: Kind, scope: ScopeOf, own_keys: Sequence[str]
) -> list[SamplesReply]:
    """Return the samples of several parents, in the order asked for.

    Raises ``NotOffered`` where the server has none.
    """

    def make(some: Sequence[str]) -> Document:
        return samples_document(kind, scope, upstream.capabilities, some, samples=kind.page_size)

    replies = []
    for node, _ in upstream.ask_for_each(kind, scope, kind.path[:-1], own_keys, make):
        if node is None:
            replies.append(SamplesReply((), None, exists=False))
            continue
        lines, count = node.get("lines"), node.get("line_count")
        if not isinstance(lines, list):
            raise Refused(f"{upstream.client.host} answers without the samples it was asked for")
        texts = [line if isinstance(line, str) else dumps(line) for line in lines]
        replies.append(SamplesReply(texts, count if type(count) is int else None))
    return replies
