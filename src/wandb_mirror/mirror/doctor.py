"""Look at everything a sync depends on, and say what is wrong with each."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from wandb_mirror.errors import MirrorError
from wandb_mirror.kinds import KINDS
from wandb_mirror.mirror.connect import Connection
from wandb_mirror.mirror.facts import BASE_URL, CAPABILITIES
from wandb_mirror.mirror.lock import describe_holder, is_locked
from wandb_mirror.query.published import Published
from wandb_mirror.settings import Settings
from wandb_mirror.store.store import Store
from wandb_mirror.upstream.capabilities import Capabilities

MEGABYTE = 1_000_000
NETWORK_FILE_SYSTEMS = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "glusterfs", "lustre", "gpfs"}
)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    what: str
    is_well: bool
    text: str

    def to_dict(self) -> dict[str, Any]:
        """Return the finding as JSON has it."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Premises:
    """Where a mirror is and what it is made with."""

    folder: Path
    store_path: Path
    published_path: Path
    settings: Settings
    connect: Callable[[], Connection]


def examine(mirror: Premises) -> Iterator[Finding]:
    """Yield what was found, one thing after another; none of it changes anything."""
    yield _try("settings", lambda: _settings(mirror))
    yield _try("key and server", lambda: _login(mirror))
    yield _try("server's capabilities", lambda: _capabilities(mirror))
    yield _disk(mirror)
    yield judge_file_system(mirror.folder.resolve(), _read_mounts())
    yield _try("lock", lambda: _lock(mirror))
    yield _try("store", lambda: _store(mirror))
    yield _try("published file", lambda: _published(mirror))


def _try(what: str, look: Callable[[], str]) -> Finding:
    """Return what ``look`` says, or the error it raises."""
    try:
        return Finding(what, is_well=True, text=look())
    except MirrorError as error:
        return Finding(what, is_well=False, text=str(error))


def _settings(mirror: Premises) -> str:
    upstream = mirror.settings.upstream
    return (
        f"wandb-mirror {version('wandb-mirror')}, DuckDB {version('duckdb')}; "
        f"server {upstream.base_url}, {upstream.workers} workers; folder {mirror.folder}"
    )


def _login(mirror: Premises) -> str:
    with closing(mirror.connect()) as connection:
        names = [str(row.get("username")) for _, row in connection.log_in(KINDS)]
        who = f"logged in as {names[0]}" if names else "the server does not say who we are"
        return f"{who} at {connection.base_url}, with the key from {connection.key_source}"


def _capabilities(mirror: Premises) -> str:
    if not mirror.store_path.exists():
        return "not known before the first sync"
    with Store.open(mirror.store_path) as store:
        lacking = sorted(Capabilities.from_json(store.load_fact(CAPABILITIES)).missing)
    if not lacking:
        return "the server has everything that is asked for"
    return f"the server has no {', '.join(lacking)}: what depends on it stays empty"


def _disk(mirror: Premises) -> Finding:
    folder = mirror.folder if mirror.folder.exists() else mirror.folder.absolute().parent
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free // MEGABYTE
    least = mirror.settings.sync.least_free_disk_mb
    text = f"{free} MB free where {folder} lies (a sync stops below {least} MB)"
    return Finding("disk", free >= least, text)


def judge_file_system(folder: Path, mounts: str) -> Finding:
    """Say whether a mirror's files lie where SQLite's and DuckDB's locks hold.

    ``mounts`` is the text of ``/proc/mounts``, empty where the system has none.
    """
    lines = [line.split() for line in mounts.splitlines()]
    points = {parts[1].replace("\\040", " "): parts[2] for parts in lines if len(parts) > 2}  # noqa: PLR2004
    over = [point for point in points if folder.is_relative_to(point)]
    if not over:
        return Finding("file system", is_well=True, text="not known on this system")
    kind = points[max(over, key=len)]
    if kind in NETWORK_FILE_SYSTEMS or kind.startswith("fuse."):
        text = (
            f"{folder} lies on a network file system ({kind}): locks and write-ahead logs are not "
            "safe there; put the mirror on a local disk, and publish.path where others read"
        )
        return Finding("file system", is_well=False, text=text)
    return Finding("file system", is_well=True, text=f"{kind}, on this machine")


def _read_mounts() -> str:
    try:
        return Path("/proc/mounts").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _lock(mirror: Premises) -> str:
    if not mirror.folder.exists() or not is_locked(mirror.folder):
        return "free"
    return f"held: {describe_holder(mirror.folder)}"


def _store(mirror: Premises) -> str:
    if not mirror.store_path.exists():
        return f"none yet in {mirror.folder}"
    with Store.open(mirror.store_path) as store:
        errors = len(store.load_errors())
        server = store.load_fact(BASE_URL)
    wrong = f"; {errors} objects could not be read, see sync_errors" if errors else ""
    return f"{mirror.store_path}, of server {server}{wrong}"


def _published(mirror: Premises) -> str:
    if not mirror.published_path.exists():
        return f"none yet at {mirror.published_path}"
    with Published.open(mirror.published_path) as published:
        runs, projects = published.rows(
            "SELECT count(*), count(DISTINCT entity || '/' || project) FROM runs"
        )[0]
        left_out = published.rows(
            "SELECT count(*) FROM _data.keys k LEFT JOIN _data.places p ON p.key_no = k.key_no "
            "WHERE p.key_no IS NULL"
        )[0][0]
    more = f"; {left_out} keys have no column in a wide table" if left_out else ""
    return f"{mirror.published_path}: {runs} runs of {projects} projects{more}"
