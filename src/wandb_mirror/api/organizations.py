"""Organizations (``wandb.apis.public.organizations``)."""

from __future__ import annotations

from dataclasses import dataclass

from wandb_mirror.api.generations import Generation
from wandb_mirror.errors import NotMirrored


@dataclass(frozen=True, slots=True)
class OrgEntity:
    """The entity that owns an organization's registries."""

    id: str | None
    name: str | None
    entity_type: str = "organization"


@dataclass(frozen=True, slots=True)
class Organization:
    """An organization that teams are part of."""

    id: str | None
    name: str
    org_entity: OrgEntity


def find_organization(generation: Generation, name: str | None) -> Organization:
    """Return an organization, the first that is mirrored where none is named.

    Raises ``NotMirrored``.
    """
    condition = "organization IS NOT NULL AND coalesce(organization = ?, true)"
    rows = generation.live("teams", f"{condition} ORDER BY organization, team", [name])
    if not rows:
        raise NotMirrored(
            f"Organization {name!r} not found: it is not in this mirror; 'wandb-mirror sync' "
            "fetches those of the teams it takes"
        )
    row = rows[0]
    owner = OrgEntity(row["org_entity_id"], row["org_entity"])
    return Organization(row["organization_id"], row["organization"], owner)
