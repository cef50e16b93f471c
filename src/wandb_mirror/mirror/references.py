"""Files of artifacts that lie elsewhere: fetched where somebody asks for them, and nowhere else.

What a reference's digest means is the affair of the store it points at (an ETag, a version), so of
these files only the size is checked, and they are not kept among the mirror's own bytes.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from wandb_mirror.blobs.files import FileOf
from wandb_mirror.errors import BadName, WrongContent
from wandb_mirror.upstream.client import Client
from wandb_mirror.upstream.transfers import download_rest

LOCAL, REMOTE = "file", ("http", "https")
"""Schemes that can be fetched; other stores want clients and keys of their own."""


def fetch_reference(
    file: FileOf, copy: Any, allowed: Sequence[str], client: Callable[[], Client]
) -> None:
    """Write what a reference points at to an open file; no key is sent.

    Raises ``BadName`` for what may not be fetched, ``OSError``, and what ``Client.download`` does.
    """
    reference = file.reference or ""
    try:
        scheme = urlsplit(reference).scheme
    except ValueError as error:
        raise BadName(f"{reference} is no address: {error}") from error
    if scheme not in (LOCAL, *REMOTE):
        raise BadName(
            f"{reference} lies where only its own client gets at it; fetch it with a tool for "
            f"{scheme or 'local'} paths"
        )
    if scheme not in allowed:
        raise BadName(f"{reference}: add {scheme!r} to files.reference_schemes to fetch it")
    if scheme == LOCAL:
        with Path(unquote(urlsplit(reference).path)).open("rb") as content:
            shutil.copyfileobj(content, copy)
    else:
        download_rest(client(), reference, copy, most=file.size_bytes)
    copy.flush()


def check_size(file: FileOf, copy: Any) -> None:
    """Raise ``WrongContent`` where another size came than was recorded."""
    size = copy.seek(0, 2)
    if file.size_bytes not in (None, size):
        raise WrongContent(f"{file.reference} has {size} bytes, not {file.size_bytes} as recorded")
