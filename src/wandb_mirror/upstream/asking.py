"""Ask, and ask again without what the server says it does not have.

Each round must teach something new, so the rounds are bounded by what a document names, also with
a server that tells one thing at a time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from wandb_mirror.errors import NotOffered, Refused
from wandb_mirror.kinds.spec import Kind
from wandb_mirror.upstream.capabilities import Capabilities
from wandb_mirror.upstream.client import Client
from wandb_mirror.upstream.replies import Missing, MissingFields
from wandb_mirror.upstream.writer import PLAIN_SCALARS, Document


def ask(
    client: Client, capabilities: Capabilities, kind: Kind | None, make: Callable[[], Document]
) -> tuple[dict[str, Any], Document]:
    """Return the data of the reply, and the document that it is the reply to.

    ``kind`` is None for a document of several, which asks for none that the server is known not to
    have. Raises ``NotOffered`` where the server lacks what the kind cannot do without, ``Refused``
    where its error teaches nothing.
    """
    while True:
        document = make()
        if kind is not None and (lacking := find_lacking(capabilities, kind, document)):
            raise NotOffered(f"{client.host} has no {lacking}: no {kind.plural} from there")
        try:
            return client.execute(document.text, document.variables), document
        except MissingFields as error:
            names = {name for each in error.missing for name in locate(document, each)}
            if capabilities.learn(names):
                continue
            # another thread may have learned the same meanwhile: then the next document differs,
            # or it cannot be asked at all
            is_told = make().text != document.text or (
                kind is not None and find_lacking(capabilities, kind, document)
            )
            if not is_told:
                raise Refused(str(error)) from error


def find_lacking(capabilities: Capabilities, kind: Kind, document: Document) -> str | None:
    """Return what the document cannot do without and the server does not have."""
    if lacking := capabilities.lacking(document.needs):
        return lacking[0]
    for field in kind.fields:
        if field.column == kind.own_key and field.column not in document.sources_of.get(
            kind.plural, ()
        ):
            return f"{kind.upstream_type}.{field.source}"
    return None


def locate(document: Document, missing: Missing) -> set[str]:
    """Return which capabilities a server's finding is about.

    What it points at decides among those that fit its words; its words alone where it points
    nowhere.
    """
    pointed = [document.places[line] for line in missing.lines if line in document.places]
    fitting = {place for place in document.places.values() if _fits(missing, place)}
    within = [place for place in pointed if missing.name in document.inside.get(place, ())]
    if within and not fitting.intersection(pointed):
        # A field that selects within itself is asked for as a whole or not at all.
        return set(within)
    if missing.sort == "type" and missing.name not in PLAIN_SCALARS:
        # Nothing else can be sent in its stead: the argument is as good as missing.
        return {place for place in pointed if place.endswith(")")}
    return fitting.intersection(pointed) or fitting


def _fits(missing: Missing, place: str) -> bool:
    """Tell whether a capability can be what a server's words are about."""
    if missing.sort == "type":
        return place == f"type {missing.name}"
    if missing.sort == "argument":
        return place.endswith(f"({missing.name})")
    owner, *names = place.split(".")
    if owner[0].isupper():  # a field of a kind, which may lie in a nested object
        return missing.name in names
    return missing.name == (names or [owner])[-1]
