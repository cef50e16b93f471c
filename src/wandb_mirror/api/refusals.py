"""Members that a mirror cannot serve, each with why and with what to use instead.

They are data, so that the page that compares us with ``wandb.Api`` is made from them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

from wandb_mirror.errors import OnlyUpstream

LOGGING = "a mirror logs nothing; use wandb.init() and wandb.Run"
UPLOADS = "a mirror uploads no content; use wandb.Api"
ACCOUNTS = "a mirror administers no accounts; use wandb.Api or the web page of the team"
SECRETS = "keys and secrets are never mirrored; use wandb.Api"
LAUNCH = "launch, jobs and queues are not mirrored; use wandb.Api"
BYTES = "W&B's own formats are read by its client; use wandb.Api, or read the downloaded files"
CONTROL = "a mirror controls no running thing; use wandb.Api"
EDITS = "a mirror does not queue edits of this; use wandb.Api, then sync"
DELETES = "nothing is deleted in passing; use wandb-mirror delete PATH"
SERVER_ONLY = "only the server knows this; use wandb.Api"


class Refused:
    """A method that says why it is not there, when it is called; raises ``OnlyUpstream``."""

    def __init__(self, why: str) -> None:
        self.why = why
        self.name = ""

    def __set_name__(self, owner: type, name: str) -> None:
        """Learn the name it stands under."""
        self.name = f"{owner.__name__}.{name}"

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        """Return what raises when it is called; the member itself from its class's ``__dict__``."""
        return self.refuse

    def refuse(self, *_: object, **__: object) -> NoReturn:
        """Raise ``OnlyUpstream``."""
        raise OnlyUpstream(f"{self.name}: {self.why}")


class RefusedProperty(Refused):
    """An attribute that says why it is not there, when it is read; raises ``OnlyUpstream``."""

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        """Raise where an object is asked; return the member itself where the class is."""
        return self if instance is None else self.refuse()

    def __set__(self, instance: object, value: object) -> None:
        """Raise where an object is asked to take a value."""
        self.refuse()


Refusal = Callable[[str], Any]
refused: Refusal = Refused
"""Return a method that is refused, for a class's body."""
refused_property: Refusal = RefusedProperty
"""Return an attribute that is refused, for a class's body."""
