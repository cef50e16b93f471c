"""Find the key, where W&B's own client would find it, and in its order.

An argument, then ``WANDB_API_KEY`` or ``WANDB_IDENTITY_TOKEN_FILE``, then netrc (what ``wandb
login`` writes), then the wandb settings file. No function here puts a secret into a message.
"""

from __future__ import annotations

import configparser
import netrc
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from wandb_mirror.errors import BadSettings, NoCredentials

FORGE_HOSTS = {
    "forge.coreweave.com": "api.wandb.ai",
    "api.forge.coreweave.com": "api.wandb.ai",
    "qa.forge.coreweave.com": "api.qa.wandb.ai",
    "api.qa.forge.coreweave.com": "api.qa.wandb.ai",
}
"""Hosts of the newer client's default address and the API hosts behind them (wandb 0.31)."""
APP_HOSTS = {"api.wandb.ai": "wandb.ai", "api.qa.wandb.ai": "qa.wandb.ai"}
SHORTEST_KEY = 40
JWT_SHAPE = re.compile(r"[\w-]+\.[\w-]+\.[\w-]+")


@dataclass(frozen=True, slots=True)
class Credentials:
    """A key or an identity token, and where it was found."""

    source: str
    """For people: ``WANDB_API_KEY``, ``netrc file ~/.netrc``."""
    api_key: str | None = field(default=None, repr=False)
    token_file: Path | None = None
    """A file with a JWT that is exchanged for an access token."""


def normalize_base_url(url: str) -> str:
    """Return the server's address as the mirror keeps it: no slash at the end, API hosts only.

    Raises ``BadSettings`` for what is not an http or https address.
    """
    parts = urlsplit(url.strip())
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise BadSettings(f"{url!r} is not a server's address; write https://HOST")
    if parts.username or parts.password:
        raise BadSettings("the server's address must not hold a name or a password")
    if parts.hostname in FORGE_HOSTS:
        return f"https://{FORGE_HOSTS[parts.hostname]}"
    return f"{parts.scheme}://{parts.netloc.lower()}{parts.path.rstrip('/')}"


def app_url(base_url: str) -> str:
    """Return where people look at the projects of a server."""
    parts = urlsplit(base_url)
    host = APP_HOSTS.get(parts.hostname or "")
    return f"https://{host}" if host else base_url


def find_credentials(
    base_url: str, *, api_key: str | None, environ: Mapping[str, str], home: Path
) -> Credentials:
    """Return the first credentials found; raises ``NoCredentials`` where there are none."""
    if api_key:
        return _checked(Credentials("the argument api_key", api_key))
    key, token_file = environ.get("WANDB_API_KEY"), environ.get("WANDB_IDENTITY_TOKEN_FILE")
    if key and token_file:
        raise BadSettings("both WANDB_API_KEY and WANDB_IDENTITY_TOKEN_FILE are set; unset one")
    if key:
        return _checked(Credentials("WANDB_API_KEY", key.strip()))
    if token_file:
        return Credentials("WANDB_IDENTITY_TOKEN_FILE", token_file=Path(token_file).expanduser())
    found = _from_netrc(base_url, environ, home) or _from_settings(base_url, environ, home)
    if found is None:
        host = urlsplit(base_url).netloc
        raise NoCredentials(
            f"no API key for {host}. Give one in one of three ways: set WANDB_API_KEY, run "
            f"'wandb login', or add a line to ~/.netrc: machine {host} login user password KEY. "
            f"Your key is shown at {app_url(base_url)}/authorize"
        )
    return _checked(found)


def _checked(found: Credentials) -> Credentials:
    """Refuse what cannot be a key, as W&B's client does, without repeating it."""
    key = found.api_key or ""
    if JWT_SHAPE.fullmatch(key):
        return found
    secret = key.split("-", 1)[-1]  # on-premises keys have a prefix before the first dash
    if not re.fullmatch(r"[\w-]+", secret, re.ASCII):
        raise BadSettings(f"{found.source} holds no API key: a key has letters, digits and _ only")
    if len(secret) < SHORTEST_KEY:
        raise BadSettings(
            f"{found.source} holds no API key: a key has {SHORTEST_KEY} or more characters, "
            f"this has {len(secret)}"
        )
    return found


def _from_netrc(base_url: str, environ: Mapping[str, str], home: Path) -> Credentials | None:
    """Return what a netrc file has for the server's host."""
    named = environ.get("NETRC")
    candidates = [Path(named).expanduser()] if named else [home / ".netrc", home / "_netrc"]
    for path in candidates:
        try:
            entries = netrc.netrc(path)
        except FileNotFoundError:
            continue
        except (netrc.NetrcParseError, OSError, UnicodeDecodeError) as error:
            line = getattr(error, "lineno", None)
            place = f"{path}, line {line}" if line else str(path)
            raise BadSettings(f"netrc file {place} cannot be read; mend it or set NETRC") from error
        for host in _hosts(base_url):
            if (entry := entries.hosts.get(host)) and entry[2]:
                return Credentials(f"netrc file {path}", entry[2])
    return None


def _hosts(base_url: str) -> list[str]:
    """Return the names under which a server may stand in a netrc file."""
    host = urlsplit(base_url).netloc
    return [host, *(forge for forge, behind in FORGE_HOSTS.items() if behind == host)]


def _from_settings(base_url: str, environ: Mapping[str, str], home: Path) -> Credentials | None:
    """Return the key of the wandb settings file, when that file is about the same server."""
    folder = Path(environ.get("WANDB_CONFIG_DIR") or home / ".config" / "wandb").expanduser()
    path = folder / "settings"
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read_string(path.read_text(encoding="utf-8"))
    except OSError:
        return None
    except (configparser.Error, UnicodeDecodeError) as error:
        raise BadSettings(f"the wandb settings file {path} cannot be read") from error
    section = parser["default"] if parser.has_section("default") else {}
    key, server = section.get("api_key"), section.get("base_url")
    if not key or not server or normalize_base_url(server) != base_url:
        return None
    return Credentials(f"wandb settings file {path}", key)
