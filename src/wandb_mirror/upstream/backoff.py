"""How long to wait before the same request is tried again, or not to.

The policy is W&B's own client's (core/internal/clients): 2 to 60 seconds, doubling, with up to a
quarter of jitter on top, and the server's own figure where it gives one. A retry library would
hide the one thing that varies here, ``Retry-After``, behind its own clock.

A server that asks for patience gets it, and so does one that answered before and cannot be reached:
a network that is gone for ten minutes ends no sync.
"""

from __future__ import annotations

from wandb_mirror.errors import Retry, Throttled, Unexplained, Unreachable, UpstreamBroken
from wandb_mirror.upstream.replies import TooLarge

SHORTEST_SECONDS = 2.0
LONGEST_SECONDS = 60.0
PATIENCE_SECONDS = 900.0
"""A request that would wait longer than this, all its tries together, is given up."""
TIMES_WHEN_PATIENT = 4
"""So many times ``max_retries`` for a server that may be there again in a while; of the default,
more than fit into ``PATIENCE_SECONDS``."""
JITTER = 0.25
TRIES_WHEN_LARGE = 2
"""What a smaller page may mend, or nobody explains, is not asked for again and again as it is."""


def judge_wait(
    tries: int,
    error: Retry | Unexplained,
    *,
    max_retries: int,
    jitter: float,
    waited_seconds: float = 0.0,
    has_answered: bool = False,
) -> float | None:
    """Return the seconds to wait after try number ``tries`` failed, or None to give up.

    ``jitter`` is a random number from 0 to 1, ``waited_seconds`` what earlier tries have cost;
    ``has_answered`` tells whether the server ever did.
    """
    if isinstance(error, TooLarge):
        return None
    limit = max_retries
    if isinstance(error, Unexplained) or (isinstance(error, UpstreamBroken) and error.is_too_large):
        limit = min(max_retries, TRIES_WHEN_LARGE - 1)
    if isinstance(error, Throttled) or (has_answered and isinstance(error, Unreachable)):
        limit = TIMES_WHEN_PATIENT * max_retries
    if tries > limit:
        return None
    said = error.after_seconds if isinstance(error, Throttled) else None
    if said is not None and tries == 1:
        wait = said
    else:
        doubled = SHORTEST_SECONDS * 2.0 ** min(tries - 1 - (said is not None), 10)
        wait = max(said or 0.0, min(LONGEST_SECONDS, doubled) * (1 + JITTER * jitter))
    return wait if waited_seconds + wait <= PATIENCE_SECONDS else None
