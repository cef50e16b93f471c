"""Users (``wandb.apis.public.users``)."""

from __future__ import annotations

from typing import Any

from wandb_mirror.api.attrs import Attrs
from wandb_mirror.api.generations import Generation
from wandb_mirror.api.refusals import ACCOUNTS, SECRETS, refused, refused_property
from wandb_mirror.jsontext import loads


class User(Attrs):
    """A user of the server, as far as the mirror knows them."""

    create = refused(ACCOUNTS)
    generate_api_key = refused(SECRETS)
    delete_api_key = refused(SECRETS)
    api_keys = refused_property(SECRETS)
    user_api = refused_property(SECRETS)

    @property
    def teams(self) -> list[str]:
        """Names of the teams that the user is a member of."""
        return list(self._attrs.get("teams") or [])

    def __repr__(self) -> str:
        """Return the user as people know them."""
        for key in ("email", "username", "id"):
            if value := self._attrs.get(key):
                return f"<User {value}>"
        name = self._attrs.get("name")
        return f"<User {name!r}>" if name else "<User ???>"


def load_viewer(generation: Generation) -> User | None:
    """Return the user whose key the mirror was synced with, None before the first sync."""
    found = generation.one("SELECT * FROM _data.viewers LIMIT 1")
    return None if found is None else make_user(generation, found)


def make_user(generation: Generation, row: dict[str, Any]) -> User:
    """Return a user made from a row."""
    username = row["username"]
    return User(
        {
            "id": row.get("user_id"),
            "name": row.get("name"),
            "username": username,
            "email": row.get("email"),
            "admin": row.get("is_admin", row.get("admin")),
            "entity": row.get("default_entity"),
            "flags": row.get("flags"),
            "deletedAt": row.get("user_deleted_at"),
            "teams": loads(row["teams"]) if row.get("teams") else _teams_of(generation, username),
        }
    )


def name_user(generation: Generation, username: str) -> User:
    """Return the user of a name, with as much as the mirror knows of them."""
    rows = generation.live("users", "username = ?", [username])
    return make_user(generation, rows[0] if rows else {"username": username})


def _teams_of(generation: Generation, username: str) -> list[str]:
    if "team_members" not in generation.views:
        return []
    rows = generation.rows(
        "SELECT team FROM main.team_members WHERE username = ? ORDER BY team", [username]
    )
    return [row["team"] for row in rows]


def search_users(generation: Generation, text: str) -> list[User]:
    """Return the users that are known whose username or mail address contains a text."""
    rows = generation.live(
        "users",
        "contains(lower(username), lower(?)) OR contains(lower(email), lower(?))",
        [text, text],
    )
    return [make_user(generation, row) for row in rows]
