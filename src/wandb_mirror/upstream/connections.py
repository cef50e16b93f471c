"""Connections to a server, what its certificate is checked against, and what their errors mean."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

import httpx

from wandb_mirror.errors import BadSettings, Unreachable, UpstreamBroken
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


@contextmanager
def in_our_words(host: str, timeout_seconds: float) -> Iterator[None]:
    """Make errors of the connection ours; no message repeats a header."""
    try:
        yield
    except httpx.ReadTimeout as error:
        raise UpstreamBroken(
            f"{host} did not answer within {timeout_seconds:g} s", is_too_large=True
        ) from error
    except httpx.LocalProtocolError:
        # Its message repeats the header that cannot be sent; so no cause is kept either.
        raise BadSettings("the request's headers cannot be sent; check the key") from None
    except httpx.DecodingError as error:
        raise UpstreamBroken(f"{host} sent a reply that cannot be unpacked") from error
    except (httpx.RemoteProtocolError, httpx.ReadError) as error:
        raise UpstreamBroken(f"{host} broke off in the middle of a reply") from error
    except httpx.ProxyError as error:
        raise Unreachable(f"the proxy before {host} refuses: {_why(error)}") from error
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        if "CERTIFICATE_VERIFY_FAILED" in str(error):
            raise BadSettings(
                f"the certificate of {host} is not trusted: {_why(error)}; name its "
                "authority's file in SSL_CERT_FILE or upstream.ca_file"
            ) from error
        raise Unreachable(f"{host} cannot be reached: {_why(error)}") from error


def _why(error: Exception) -> str:
    """Return what is wrong with a connection."""
    return str(error) or type(error).__name__
