"""How fresh a mirror is, what it holds, and what went wrong last."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from wandb_mirror.errors import NotMirrored
from wandb_mirror.mirror.facts import BASE_URL, CAPABILITIES, STANDING
from wandb_mirror.mirror.lock import describe_holder, is_locked
from wandb_mirror.query.published import Published
from wandb_mirror.store.store import Store
from wandb_mirror.upstream.capabilities import Capabilities


def read_status(folder: Path, store_path: Path, published_path: Path) -> dict[str, Any]:
    """Return the status as JSON has it; times are ISO 8601 with Z."""
    with Store.open(store_path) as store:
        log = store.load_log()
        errors = store.load_errors()
        scopes = store.load_scopes()
        status: dict[str, Any] = {
            "folder": str(folder),
            "server": store.load_fact(BASE_URL),
            "scopes": ["/".join(part for part in scope if part) for scope in scopes],
            "server_lacks": sorted(Capabilities.from_json(store.load_fact(CAPABILITIES)).missing),
            "last_sync": _spell(log[-1]) if log else None,
            "last_complete_sync_at": next(
                (_spell(each)["finished_at"] for each in reversed(log) if each["status"] == "done"),
                None,
            ),
            "sync_errors": [_spell(each) for each in errors],
            "stopped_at": store.load_fact(STANDING) or None,
            "edits": dict(Counter(edit.state for edit in store.outbox.load())),
            "is_locked": is_locked(folder),
        }
        if status["is_locked"]:
            status["holder"] = describe_holder(folder)
        elif status["last_sync"] and status["last_sync"]["status"] == "running":
            status["last_sync"]["status"] = "cut off"  # it was killed, or the power went
    status["published"] = _read_published(published_path)
    return status


def _read_published(path: Path) -> dict[str, Any] | None:
    """Return what the published file holds, or None where there is none."""
    try:
        published = Published.open(path)
    except NotMirrored:
        return None
    with published:
        facts = dict(published.rows("SELECT name, value FROM _data.facts"))
        rows = published.rows(
            "SELECT entity || '/' || project, count(*), sum(history_rows), "
            "count(*) FILTER (WHERE history_status IN ('partial', 'failed')) "
            "FROM runs WHERE deleted_at IS NULL GROUP BY 1 ORDER BY 1"
        )
    return {
        "path": str(path),
        "published_at": facts.get("published_at"),
        "generation": int(facts.get("generation", 0)),
        "bytes": path.stat().st_size,
        "projects": [
            {"project": name, "runs": runs, "history_rows": int(steps), "incomplete": incomplete}
            for name, runs, steps, incomplete in rows
        ],
    }


def _spell(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row of the books with its times as text."""
    return {
        name: value.isoformat(timespec="seconds") + "Z" if hasattr(value, "isoformat") else value
        for name, value in row.items()
    }
