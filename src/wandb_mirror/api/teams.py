"""Teams and their members (``wandb.apis.public.teams``)."""

from __future__ import annotations

from typing import Any

from wandb_mirror.api.attrs import Attrs
from wandb_mirror.api.generations import Generation, Generations, Row
from wandb_mirror.api.refusals import ACCOUNTS, SECRETS, refused, refused_property
from wandb_mirror.errors import NotMirrored


class Member(Attrs):
    """A member of a team."""

    delete = refused(ACCOUNTS)
    api_key = refused_property(SECRETS)

    def __init__(self, team: str, row: Row, names: dict[str, str]) -> None:
        username = row["username"]
        super().__init__(
            {
                "id": row.get("membership_id"),
                "username": username,
                "name": row.get("name") or names.get(username) or username,
                "email": row.get("email"),
                "pending": row.get("is_pending"),
                "photoUrl": row.get("photo_url"),
                "accountType": row.get("account_type") or row["role"],
                "role": row["role"],
                "admin": row.get("is_admin"),
            }
        )
        self.team = team

    def __repr__(self) -> str:
        """Return the name and the role."""
        return f"<Member {self._attrs['name']} ({self._attrs['accountType']})>"


class Team(Attrs):
    """A team."""

    create = refused(ACCOUNTS)
    invite = refused(ACCOUNTS)
    create_service_account = refused(ACCOUNTS)

    def __init__(self, generations: Generations, name: str) -> None:
        super().__init__({})
        self._generations = generations
        self.name = name
        self.load()

    def load(self, force: bool = False) -> dict[str, Any]:
        """Return the fields that are known; raises ``NotMirrored``."""
        del force
        generation: Generation = self._generations.current()
        rows = generation.live("teams", "team = ?", [self.name])
        if not rows:
            raise NotMirrored(
                f"Could not find team {self.name}: it is not in this mirror; "
                "'wandb-mirror sync' fetches the teams of the projects it takes"
            )
        members = generation.live("team_members", "team = ? ORDER BY username", [self.name])
        names = generation.user_names
        row = rows[0]
        self._attrs = {
            "id": row["storage_id"],
            "available": row["available"],
            "photoUrl": row["photo_url"],
            "readOnly": row["read_only"],
            "readOnlyAdmin": row["read_only_admin"],
            "isTeam": row["is_team"],
            "entityType": row["entity_type"],
            "privateOnly": row["private_only"],
            "storageBytes": row["storage_bytes"],
            "codeSavingEnabled": row["code_saving_enabled"],
            "defaultAccess": row["default_access"],
            "isPaid": row["is_paid"],
            "organization": row["organization"],
            "orgEntity": row["org_entity"],
            "members": [Member(self.name, each, names) for each in members],
        }
        return self._attrs

    @property
    def members(self) -> list[Member]:
        """Its members."""
        return list(self._attrs["members"])

    def __repr__(self) -> str:
        """Return its name."""
        return f"<Team {self.name}>"
