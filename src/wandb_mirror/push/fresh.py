"""Read what is edited as it is this moment."""

from __future__ import annotations

from collections.abc import Sequence

from wandb_mirror.edits.pointers import label_rows
from wandb_mirror.edits.spec import Editable
from wandb_mirror.kinds import kind_named
from wandb_mirror.kinds.pages import RowPage, ScopeOf
from wandb_mirror.store.store import Store
from wandb_mirror.upstream.shapes import Upstream


def fetch_fresh(
    upstream: Upstream, editable: Editable, scope: ScopeOf, own_keys: Sequence[str]
) -> RowPage:
    """Return objects by their own keys, whole; what is not there is left out."""
    kind = editable.read
    if kind.holds != "project":
        return upstream.fetch_detail_page(kind, scope, own_keys)
    row = upstream.fetch_node(kind, scope)
    return RowPage([] if row is None else [row], has_next=False)


def load_labels(store: Store, editable: Editable, scope: ScopeOf, own_key: str) -> dict[str, str]:
    """Return what people call the rows that an object's names may point to."""
    labels: dict[str, str] = {}
    for spec in editable.fields:
        if (pointed := spec.points_to) is not None:
            own = {"project_id": scope.project_id, editable.own_key: own_key}
            inside = [
                row[pointed.inside]
                for rows in store.load_rows(
                    kind_named(editable.kind), where=own, columns=[pointed.inside]
                )
                for row in rows
            ]
            columns = [pointed.id_column, pointed.number]
            for name in inside:
                where = {"project_id": scope.project_id, pointed.inside: name}
                for rows in store.load_rows(kind_named(pointed.kind), where=where, columns=columns):
                    labels |= label_rows(pointed, rows)
    return labels
