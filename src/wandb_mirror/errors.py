"""Every error of the package, grouped by what the caller does next.

MirrorError
  Stop
    BadSettings
    BadFilter (ValueError)
    BadPath (ValueError)
    BadEdit (ValueError)
    BadQuery
    NoCredentials
    Unauthorized
    NotFound
    NotMirrored (ValueError)
      NotDownloaded
    OnlyUpstream
    WrongServer
    StoreTooNew
    CorruptFile
    DiskFull
    Locked
    BudgetSpent
    Interrupted
  Retry
    Throttled
    Unreachable
    UpstreamBroken
  Skip
    BadRow
    Refused
      Unexplained
    BadName (ValueError)
    WrongContent
    NotOffered

*Stop*: fix something and start again. *Retry*: the same call may work later. *Skip*: this one
thing is set aside, recorded in ``sync_errors``, and the rest goes on.

A message says what, where, and what to do next.
"""

from __future__ import annotations


class MirrorError(Exception):
    """Anything this package raises on purpose."""


class Stop(MirrorError):
    """Nothing goes on until somebody fixes what the message names."""


class BadSettings(Stop):
    """A setting, flag or settings file cannot be used as it is."""


class BadFilter(Stop, ValueError):
    """A filter or an order is malformed; the message names the place in it."""


class BadPath(Stop, ValueError):
    """A path like ``entity/project/run`` cannot be read."""


class BadEdit(Stop, ValueError):
    """An edit that upstream would not take; the message says why and what to write instead."""


class BadQuery(Stop):
    """SQL that cannot be run; the message is DuckDB's."""


class NoCredentials(Stop):
    """No API key was found; the message lists the ways to give one."""


class Unauthorized(Stop):
    """Upstream does not accept the key."""


class NotFound(Stop):
    """Upstream shows no such object: it is absent, or not visible to this key."""


class NotMirrored(Stop, ValueError):
    """The mirror does not hold what was asked for; a sync would fetch it."""


class NotDownloaded(NotMirrored):
    """Bytes are not in the mirror; the message names the command that fetches them."""


class OnlyUpstream(Stop):
    """A mirror cannot do this; the message says why and what to use instead."""


class WrongServer(Stop):
    """The mirror belongs to another server."""


class StoreTooNew(Stop):
    """A file of the mirror was written by a newer version of this program."""


class CorruptFile(Stop):
    """A file of the mirror cannot be read."""


class DiskFull(Stop):
    """No space is left where the mirror is kept; what was committed is kept."""


class Locked(Stop):
    """Another process holds the mirror's lock."""


class BudgetSpent(Stop):
    """The request budget given by the user is used up; the next sync continues."""


class Interrupted(Stop):
    """Somebody asked to stop; what was fetched is kept, the next sync continues."""


class Retry(MirrorError):
    """The same call may work later."""


class Throttled(Retry):
    """Upstream asks for patience (HTTP 429), for ``after_seconds`` where it says how long."""

    def __init__(self, message: str, *, after_seconds: float | None = None) -> None:
        super().__init__(message)
        self.after_seconds = after_seconds


class Unreachable(Retry):
    """No answer came: no network, no name, a time-out, a broken connection."""


class UpstreamBroken(Retry):
    """An answer came that makes no sense: a 5xx, no JSON, a proxy's page.

    ``is_too_large`` is true where a smaller page may pass (a 502, a 504, a time-out).
    """

    def __init__(self, message: str, *, is_too_large: bool = False) -> None:
        super().__init__(message)
        self.is_too_large = is_too_large


class Skip(MirrorError):
    """One object is set aside; the message goes into ``sync_errors``."""


class BadRow(Skip):
    """Upstream sent an object that cannot be kept as it is."""

    def __init__(self, kind: str, key: str, problem: str) -> None:
        super().__init__(f"{kind} {key}: {problem}")
        self.kind = kind
        self.key = key
        self.problem = problem


class NotOffered(Skip):
    """This server has no such thing; nothing is wrong, and nothing of it can be mirrored."""


class Refused(Skip):
    """Upstream answers a query with an error of its own that no retry will change."""


class Unexplained(Refused):
    """An error that does not say whether it is final: tried once more, in vain."""


class BadName(Skip, ValueError):
    """A name from upstream leads where no file of it may be written."""


class WrongContent(Skip):
    """Bytes are not what their checksum says; they were set aside and are never handed out."""
