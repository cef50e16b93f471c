"""Compare a mirror with upstream, project by project, and write down that it was done."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from typing import TYPE_CHECKING

from wandb_mirror.kinds import KINDS
from wandb_mirror.kinds.pages import ScopeOf
from wandb_mirror.mirror.comparing import Comparing, Verdict
from wandb_mirror.mirror.selection import find_switched_off, settle_redaction
from wandb_mirror.mirror.targets import find_projects
from wandb_mirror.mirror.verify import Verifier
from wandb_mirror.pull.reach import Reach

if TYPE_CHECKING:
    from wandb_mirror.mirror.mirror import Mirror


def verify_mirror(
    mirror: Mirror, projects: Sequence[str], *, is_deep: bool, repairs: bool
) -> Verdict:
    """Compare, and fetch again what differs where ``repairs``; see ``Mirror.verify``."""
    mirror.require()
    with (
        closing(mirror.connect()) as connection,
        mirror.work("verify", connection.base_url) as (store, warehouse),
    ):
        connection.recall(store, mirror.now())
        settings = mirror.settings
        redaction = settle_redaction(store, settings.sync.redact, mirror.now())
        comparing = Comparing(store, warehouse, redaction)
        viewers = connection.log_in(KINDS)
        reach = Reach(
            connection.upstream,
            comparing,
            mirror.stop,
            mirror.progress,
            settings.upstream.workers,
            metrics=settings.history.metrics,
            left_out={"artifacts.skip_types": settings.artifacts.skip_types},
        )
        switched_off = find_switched_off(settings.sync, ())
        kinds = [kind for kind in KINDS if kind.plural not in switched_off]
        verifier = Verifier(store, warehouse, reach, comparing, is_deep, kinds, settings)
        rows = find_projects(store, projects)
        sync_id = store.begin_sync(mirror.now())
        status = "verify failed"
        try:
            for kind, row in viewers:
                comparing.compare(kind, ScopeOf(), [row])
            synced = {entity for entity, _ in store.load_scopes()}
            for entity in dict.fromkeys(row["entity"] for row in rows):
                if entity in synced:  # others are led to, and nothing is read but that project
                    verifier.compare_entity(entity)
            for row in rows:
                verifier.compare_project(row)
            status = comparing.verdict.status
        finally:
            used = connection.upstream.client.usage
            store.finish_sync(
                sync_id,
                now=mirror.now(),
                status=status,
                requests=used.requests,
                retries=used.retries,
                throttled=used.throttled,
                bytes_received=used.bytes_received,
                rows=0,
            )
    verdict = comparing.verdict
    if repairs and (verdict.different or verdict.behind):
        mirror.sync(list(projects), is_full_refresh=bool(verdict.different))
    return verdict
