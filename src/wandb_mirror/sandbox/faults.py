"""What goes wrong on demand: at the n-th request, now and then, or for documents of one sort."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from random import Random
from threading import Lock
from typing import Any

from wandb_mirror.sandbox.connections import PageTricks

HTML_PAGE = "<html><body><h1>Sign in to continue</h1></body></html>"


@dataclass(frozen=True, slots=True)
class Seen:
    """A request as it came in."""

    number: int
    operation: str
    document: str
    variables: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong; the functions below make the usual ones."""

    status: int | None = None
    """Answer with this status, ``headers`` and ``body`` instead of looking at the query."""
    body: str = ""
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
    is_reset: bool = False
    truncate_at: float | None = None
    """Break off after this share of the reply."""
    error: str | None = None
    """Add this GraphQL error; ``null_path`` is null in the data."""
    null_path: tuple[str, ...] | None = None
    tricks: PageTricks | None = None
    delay_ms: float = 0.0
    is_corrupt: bool = False
    """Send a file with every byte turned over; its length and its headers are right."""


def throttle(*, retry_after: str | None = "1", reset: float | None = None) -> Fault:
    """HTTP 429, with ``Retry-After`` and W&B's ``RateLimit-*``; None leaves a header out."""
    headers = {"RateLimit-Limit": "1000", "RateLimit-Remaining": "0"}
    if retry_after is not None:
        headers["Retry-After"] = retry_after
    if reset is not None:
        headers["RateLimit-Reset"] = f"{reset:g}"
    return Fault(status=429, body='{"error":"rate limit exceeded"}', headers=headers)


def status(code: int, body: str = '{"error":"no luck"}') -> Fault:
    """Any HTTP status."""
    return Fault(status=code, body=body)


def html_page() -> Fault:
    """A proxy's page, with HTTP 200."""
    return Fault(status=200, body=HTML_PAGE, content_type="text/html")


def bad_json() -> Fault:
    """HTTP 200 with JSON that ends too early."""
    return Fault(status=200, body='{"data":{"project":')


def reset() -> Fault:
    """The connection is reset before a byte of the reply."""
    return Fault(is_reset=True)


def truncate(share: float = 0.5) -> Fault:
    """The connection is closed in the middle of the body."""
    return Fault(truncate_at=share)


def graphql_error(message: str, null_path: Collection[str] | None = None) -> Fault:
    """HTTP 200 with errors; the data is whole, or null at ``null_path``."""
    return Fault(error=message, null_path=None if null_path is None else tuple(null_path))


def empty_page() -> Fault:
    """A page without rows that has a next page."""
    return Fault(tricks=PageTricks(is_empty=True))


def same_page() -> Fault:
    """The first page, whatever was asked for, with a next page."""
    return Fault(tricks=PageTricks(ignores_after=True))


def null_node(*places: int) -> Fault:
    """A page in which some nodes are null."""
    return Fault(tricks=PageTricks(null_nodes=frozenset(places or (0,))))


def delay(milliseconds: float) -> Fault:
    """A reply that takes long."""
    return Fault(delay_ms=milliseconds)


def corrupt() -> Fault:
    """A file that went bad; ``when="/exports/"`` chooses the requests for files."""
    return Fault(is_corrupt=True)


@dataclass(slots=True)
class _Rule:
    fault: Fault
    when: Callable[[Seen], bool]
    at: frozenset[int] | None
    probability: float
    times: int | None
    matched: int = 0


class Faults:
    """The rules of a sandbox; may be changed from any thread."""

    def __init__(self, seed: int = 0) -> None:
        self._rules: list[_Rule] = []
        self._random = Random(seed)  # noqa: S311  (not for secrets)
        self._lock = Lock()

    def add(
        self,
        fault: Fault,
        *,
        at: int | Collection[int] | None = None,
        times: int | None = 1,
        probability: float = 1.0,
        when: str | Callable[[Seen], bool] | None = None,
    ) -> None:
        """Let ``fault`` happen to the next matching request.

        ``when`` is a predicate, or text that the document contains. ``times`` is for how many
        matching requests, None for ever; ``at`` names which of them instead, the first being 1;
        ``probability`` throws dice each time.
        """
        if isinstance(when, str):
            text = when
            when = lambda seen: text in seen.document  # noqa: E731
        numbers = None if at is None else frozenset((at,) if isinstance(at, int) else at)
        rule = _Rule(fault, when or (lambda _seen: True), numbers, probability, times)
        with self._lock:
            self._rules.append(rule)

    def clear(self) -> None:
        """Let nothing go wrong any more."""
        with self._lock:
            self._rules.clear()

    def choose(self, seen: Seen) -> Fault | None:
        """Return what goes wrong with a request: the first rule that says something."""
        with self._lock:
            chosen = None
            for rule in self._rules:
                if rule.when(seen):
                    rule.matched += 1
                    if chosen is None and self._strikes(rule):
                        chosen = replace(rule.fault)
            self._rules = [rule for rule in self._rules if rule.times is None or rule.times > 0]
            return chosen

    def _strikes(self, rule: _Rule) -> bool:
        if rule.at is not None:
            return rule.matched in rule.at
        if rule.probability < 1.0 and self._random.random() >= rule.probability:
            return False
        if rule.times is not None:
            rule.times -= 1
        return True
