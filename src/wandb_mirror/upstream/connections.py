"""Connections to a server, and what its certificate is checked against."""

from __future__ import annotations

import ssl
from importlib.metadata import version
from pathlib import Path

import httpx

from wandb_mirror.errors import BadSettings
from wandb_mirror.settings import UpstreamSettings


def open_connections(
    settings: UpstreamSettings, transport: httpx.BaseTransport | None
) -> httpx.Client:
    """Return the connections; httpx heeds ``SSL_CERT_FILE`` and the environment's proxies."""
    verify = _trust(settings.ca_file)
    try:
        return httpx.Client(
            timeout=settings.timeout_seconds,
            limits=httpx.Limits(
                max_connections=settings.workers, max_keepalive_connections=settings.workers
            ),
            headers={"User-Agent": f"wandb-mirror/{version('wandb-mirror')}"},
            verify=verify,
            transport=transport,
            follow_redirects=False,
        )
    except (OSError, ssl.SSLError) as error:
        raise BadSettings("SSL_CERT_FILE names no file with certificate authorities") from error
    except (ValueError, httpx.InvalidURL, ImportError):
        # The message may repeat the proxy's password; so no cause is kept either.
        raise BadSettings("the proxy that the environment names cannot be used") from None


def _trust(ca_file: str) -> ssl.SSLContext | bool:
    """Return what certificates are checked against."""
    if not ca_file:
        return True
    try:
        return ssl.create_default_context(cafile=str(Path(ca_file).expanduser()))
    except (OSError, ssl.SSLError) as error:
        raise BadSettings(f"upstream.ca_file: {ca_file} holds no certificate authority") from error
