"""Where the bytes of files lie just now."""

from __future__ import annotations

from collections.abc import Sequence

from wandb_mirror.errors import NotFound
from wandb_mirror.kinds.pages import ScopeOf
from wandb_mirror.kinds.spec import Kind
from wandb_mirror.upstream.asking import ask
from wandb_mirror.upstream.documents import contents_document
from wandb_mirror.upstream.shapes import Upstream
from wandb_mirror.upstream.ways import follow


def fetch_addresses(
    upstream: Upstream, kind: Kind, scope: ScopeOf, names: Sequence[str]
) -> dict[str, str]:
    """Return signed URLs by the files' names; they are secret while they are valid.

    What upstream does not show is left out. Raises ``NotFound`` where it does not show the object
    that has the files, and what ``Client.execute`` raises.
    """
    data, _ = ask(
        upstream.client,
        upstream.capabilities,
        kind,
        lambda: contents_document(kind, scope, upstream.capabilities, names),
    )
    found = follow(data, kind.contents)
    if found is None:
        raise NotFound(f"{upstream.client.host} does not show {scope} any more, or not to this key")
    nodes = [edge.get("node") or {} for edge in found.get("edges") or () if edge]
    return {
        str(node["name"]): str(node["directUrl"])
        for node in nodes
        if node.get("name") and node.get("directUrl")
    }
