"""Find the key, where W&B's own client would find it, and in its order.

An argument, then ``WANDB_API_KEY`` or ``WANDB_IDENTITY_TOKEN_FILE``, then netrc (what ``wandb
login`` writes), then the wandb settings file. No function here puts a secret into a message.
"""

from __future__ import annotations

import netrc
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import urlsplit

from wandb_mirror.errors import BadSettings, NoCredentials
from wandb_mirror.jsontext import loads
from wandb_mirror.settings import DEFAULT_BASE_URL, expand_home, read_wandb_settings

FORGE_HOSTS = {
    "forge.coreweave.com": "api.wandb.ai",
    "api.forge.coreweave.com": "api.wandb.ai",
    "qa.forge.coreweave.com": "api.qa.wandb.ai",
    "api.qa.forge.coreweave.com": "api.qa.wandb.ai",
}
"""Hosts of the newer client's default address and the API hosts behind them (wandb 0.31)."""
APP_HOSTS = {"api.wandb.ai": "wandb.ai", "api.qa.wandb.ai": "qa.wandb.ai"}
NO_API_HOSTS = frozenset({"wandb.ai", "www.wandb.ai", "app.wandb.ai"})
"""What people copy from their browser; the API is not there."""
SHORTEST_KEY = 40
JWT_SHAPE = re.compile(r"[\w-]+\.[\w-]+\.[\w-]+", re.ASCII)
HEADER_NAME = re.compile(r"[\w!#$%&'*+.^`|~-]+", re.ASCII)
HEADER_VALUE = re.compile(r"[\t\x20-\x7e]*")


@dataclass(frozen=True, slots=True)
class Credentials:
    """A key or an identity token, and where it was found."""

    source: str
    """For people: ``WANDB_API_KEY``, ``netrc file ~/.netrc``."""
    api_key: str | None = field(default=None, repr=False)
    token_file: Path | None = None
    """A file with a JWT that is exchanged for an access token."""
    extra_headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    """``WANDB__EXTRA_HTTP_HEADERS``: what a proxy before the server wants to see, often a secret;
    so it goes where the key goes, and nowhere else."""


def normalize_base_url(url: str) -> str:
    """Return the server's address as the mirror keeps it: no slash at the end, API hosts only.

    Raises ``BadSettings`` for what is not an http or https address.
    """
    try:
        parts = urlsplit(url.strip())
        port = parts.port
    except ValueError:
        raise BadSettings("the server's address cannot be read; write https://HOST") from None
    if parts.username or parts.password:
        raise BadSettings("the server's address must not hold a name or a password")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise BadSettings(f"{url!r} is not a server's address; write https://HOST")
    if parts.hostname in FORGE_HOSTS:
        return f"https://{FORGE_HOSTS[parts.hostname]}"
    if parts.hostname in NO_API_HOSTS:
        raise BadSettings(f"{url!r} is where people look; the server is {DEFAULT_BASE_URL}")
    if parts.hostname in APP_HOSTS:
        return f"https://{parts.hostname}"
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    is_usual = port is None or port == {"http": 80, "https": 443}[parts.scheme]
    where = host if is_usual else f"{host}:{port}"
    return f"{parts.scheme}://{where}{parts.path.rstrip('/')}"


def app_url(base_url: str) -> str:
    """Return where people look at the projects of a server."""
    parts = urlsplit(base_url)
    host = APP_HOSTS.get(parts.hostname or "")
    return f"https://{host}" if host else base_url


def find_credentials(
    base_url: str, *, api_key: str | None, environ: Mapping[str, str], home: Path
) -> Credentials:
    """Return the first credentials found; raises ``NoCredentials`` where there are none."""
    found = (
        _from_argument(api_key)
        or _from_environment(environ, home)
        or _from_netrc(base_url, environ, home)
        or _from_wandb_settings(base_url, environ, home)
    )
    if found is None:
        host = urlsplit(base_url).netloc
        raise NoCredentials(
            f"no API key for {host}. Give one in one of three ways: set WANDB_API_KEY, run "
            f"'wandb login', or add a line to ~/.netrc: machine {host} login user password KEY. "
            f"Your key is shown at {app_url(base_url)}/authorize"
        )
    if found.api_key is not None:
        _check_key(found.api_key, found.source)
    return replace(found, extra_headers=_read_extra_headers(environ))


def _check_key(key: str, source: str) -> None:
    """Refuse what cannot be a key, as W&B's client does, without repeating it."""
    if JWT_SHAPE.fullmatch(key):
        return
    secret = key.split("-", 1)[-1]  # on-premises keys have a prefix before the first dash
    if not re.fullmatch(r"[\w-]+", secret, re.ASCII):
        raise BadSettings(f"{source} holds no API key: a key has letters, digits and _ only")
    if len(secret) < SHORTEST_KEY:
        raise BadSettings(
            f"{source} holds no API key: a key has {SHORTEST_KEY} or more characters, "
            f"this has {len(secret)}"
        )


def _from_argument(api_key: str | None) -> Credentials | None:
    return Credentials("the argument api_key", api_key.strip()) if api_key else None


def _from_environment(environ: Mapping[str, str], home: Path) -> Credentials | None:
    """Return what the environment gives; a key and a token at once are refused."""
    key, token_file = environ.get("WANDB_API_KEY"), environ.get("WANDB_IDENTITY_TOKEN_FILE")
    if key and token_file:
        raise BadSettings("both WANDB_API_KEY and WANDB_IDENTITY_TOKEN_FILE are set; unset one")
    if key:
        return Credentials("WANDB_API_KEY", key.strip())
    if token_file:
        return Credentials("WANDB_IDENTITY_TOKEN_FILE", token_file=expand_home(token_file, home))
    return None


def _from_netrc(base_url: str, environ: Mapping[str, str], home: Path) -> Credentials | None:
    """Return what the netrc file has for the server's host.

    Its entry ``default`` is meant for hosts that nobody named, and is not sent to W&B.
    """
    named = environ.get("NETRC")
    candidates = [expand_home(named, home)] if named else [home / ".netrc", home / "_netrc"]
    path = candidates[0]
    try:
        path = next((each for each in candidates if each.exists()), path)
        entries = netrc.netrc(path)
    except FileNotFoundError:
        return None
    except (netrc.NetrcParseError, OSError, UnicodeDecodeError) as error:
        line = getattr(error, "lineno", None)
        place = f"{path}, line {line}" if line else str(path)
        # The parser quotes what it cannot read, which may be the key: no cause is kept.
        raise BadSettings(f"netrc file {place} cannot be read; mend it or set NETRC") from None
    for host in _hosts(base_url):
        if (entry := entries.hosts.get(host)) and entry[2]:
            return Credentials(f"netrc file {path}", entry[2])
    return None


def _hosts(base_url: str) -> list[str]:
    """Return the names under which a server may stand in a netrc file."""
    host = urlsplit(base_url).netloc
    return [host, *(forge for forge, behind in FORGE_HOSTS.items() if behind == host)]


def _from_wandb_settings(
    base_url: str, environ: Mapping[str, str], home: Path
) -> Credentials | None:
    """Return the key of the wandb settings file, when that file is about the same server."""
    found = read_wandb_settings(environ, home)
    key = found.get("api_key")
    if not key or normalize_base_url(found.get("base_url") or DEFAULT_BASE_URL) != base_url:
        return None
    return Credentials("the wandb settings file", key)


def _read_extra_headers(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the headers that the user wants sent with every request."""
    text = environ.get("WANDB__EXTRA_HTTP_HEADERS")
    if not text:
        return {}
    try:
        found = loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict) or not all(
        isinstance(value, str) and HEADER_NAME.fullmatch(name) and HEADER_VALUE.fullmatch(value)
        for name, value in found.items()
    ):
        raise BadSettings("WANDB__EXTRA_HTTP_HEADERS is not a JSON object of names and texts")
    return found
