"""Compare a mirror with upstream, project by project, and write down that it was done."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from typing import TYPE_CHECKING

from wandb_mirror.kinds import KINDS
from wandb_mirror.mirror.keeper import MirrorKeeper
from wandb_mirror.mirror.selection import find_switched_off
from wandb_mirror.mirror.targets import find_projects
from wandb_mirror.mirror.verify import Verdict, Verifier
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
        connection.log_in(KINDS)
        keeper = MirrorKeeper(store, warehouse, mirror.now, lambda: None)
        reach = Reach(
            connection.upstream,
            keeper,
            mirror.stop,
            mirror.progress,
            mirror.settings.upstream.workers,
            metrics=mirror.settings.history.metrics,
            left_out={"artifacts.skip_types": mirror.settings.artifacts.skip_types},
        )
        switched_off = find_switched_off(mirror.settings.sync, ())
        kinds = [kind for kind in KINDS if kind.plural not in switched_off]
        verifier = Verifier(store, warehouse, reach, is_deep, kinds)
        rows = find_projects(store, projects)
        sync_id = store.begin_sync(mirror.now())
        status = "verify failed"
        try:
            for row in rows:
                verifier.compare_project(row)
            status = verifier.verdict.status
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
    if repairs and (verifier.verdict.different or verifier.verdict.behind):
        named = list(projects) or None
        mirror.sync(named or [], is_full_refresh=bool(verifier.verdict.different))
    return verifier.verdict
