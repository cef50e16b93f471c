"""Files of runs and of artifacts (``wandb.apis.public.files``): what they are, not their bytes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from wandb_mirror.api.attrs import Attrs
from wandb_mirror.api.generations import Generation, Row
from wandb_mirror.api.pages import Held
from wandb_mirror.api.refusals import BYTES, EDITS, refused, refused_property
from wandb_mirror.errors import BadFilter

if TYPE_CHECKING:
    from wandb_mirror.api.run_fields import RunFields

UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")
LINKS = f"links to files expire and are never kept; {BYTES}"


class File(Attrs):
    """A file of a run or an artifact."""

    url = refused_property(LINKS)
    direct_url = refused_property(LINKS)
    path_uri = refused_property(LINKS)
    download = refused(BYTES)
    delete = refused(EDITS)

    def __init__(self, attrs: dict[str, Any], run: RunFields | None = None) -> None:
        super().__init__(attrs)
        self.run = run

    @property
    def size(self) -> int:
        """Its size in bytes."""
        return int(self._attrs["sizeBytes"] or 0)

    def __repr__(self) -> str:
        """Return its name, type and size."""
        return f"<File {self.name} ({self.mimetype}) {human_size(self.size)}>"


class Files(Held[File]):
    """Files of a run."""

    def __init__(
        self,
        generation: Generation,
        run: RunFields,
        names: Sequence[str] = (),
        per_page: int = 50,
        pattern: str | None = None,
    ) -> None:
        if names and pattern:
            raise BadFilter(
                "Querying for files by both names and pattern is not supported: give one of them"
            )
        self.run = run
        condition = ""
        more: list[Any] = []
        if names:
            condition, more = " AND name IN (SELECT unnest(?))", [list(names)]
        elif pattern:
            condition, more = r" AND name LIKE ? ESCAPE '\'", [pattern]
        rows = generation.live(
            "run_files",
            f"entity = ? AND project = ? AND run_id = ?{condition} ORDER BY name",
            [run.entity, run.project, run.id, *more],
        )
        super().__init__([File(_attributes(row), run) for row in rows], per_page)

    def __repr__(self) -> str:
        """Return whose files they are, and how many."""
        return f"<Files {'/'.join(self.run.path)} ({len(self)})>"


def _attributes(row: Row) -> dict[str, Any]:
    """Return a row as upstream's fields."""
    return {
        "id": row.get("storage_id", row.get("file_id")),
        "name": row["name"],
        "sizeBytes": row["size_bytes"],
        "mimetype": row["mimetype"],
        "updatedAt": row["updated_at"],
        "md5": row["md5"],
    }


def human_size(size: int) -> str:
    """Return a size as W&B's client writes it: ``1.5KiB``."""
    for place, unit in enumerate(UNITS):
        factor = round(size / 1024**place, 1)
        if factor < 1024 or unit == UNITS[-1]:  # noqa: PLR2004
            break
    return f"{factor}{unit}"
