"""Files of runs and of artifacts (``wandb.apis.public.files``): what they are, not their bytes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from wandb_mirror.api.attrs import Attrs
from wandb_mirror.api.contents import HeldFile
from wandb_mirror.api.generations import Generation, Row
from wandb_mirror.api.pages import Held
from wandb_mirror.api.refusals import DELETES, refused, refused_property
from wandb_mirror.blobs.digest import Digest, human_size
from wandb_mirror.blobs.files import FileOf
from wandb_mirror.errors import BadFilter, OnlyUpstream
from wandb_mirror.jsontext import loads

if TYPE_CHECKING:
    from wandb_mirror.api.run_fields import RunFields

LINKS = "links to files expire and are never kept; use wandb.Api, or File.download()"


class File(Attrs):
    """A file of a run or an artifact."""

    url = refused_property(LINKS)
    direct_url = refused_property(LINKS)
    path_uri = refused_property(LINKS)
    delete = refused(DELETES)

    def __init__(
        self, attrs: dict[str, Any], run: RunFields | None = None, held: HeldFile | None = None
    ) -> None:
        super().__init__(attrs)
        self.run = run
        self._held = held

    def download(
        self, root: str = ".", replace: bool = False, exist_ok: bool = False, api: object = None
    ) -> TextIO:
        """Copy it below a folder and return it, open for reading as text.

        Raises ``ValueError`` where something is there, unless ``replace`` or ``exist_ok`` say
        otherwise, ``NotDownloaded`` where its bytes are not in the mirror, ``BadName``.
        """
        del api
        if self._held is None:
            raise OnlyUpstream(f"File.download: {LINKS}")
        path = Path(self._held.shelf.path_in(root, self.name))
        if path.exists() and not replace:
            if exist_ok:
                return path.open()
            raise ValueError(
                "File already exists, pass replace=True to overwrite "
                "or exist_ok=True to leave it as is and don't error."
            )
        return Path(self._held.put(root)).open()

    def load_json(self) -> Any:
        """Return what it holds as JSON, None where its bytes are not here or are no JSON."""
        content = None if self._held is None else self._held.read()
        try:
            return None if content is None else loads(content.decode())
        except ValueError:
            return None

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
        super().__init__([_make(row, run) for row in rows], per_page)

    def __repr__(self) -> str:
        """Return whose files they are, and how many."""
        return f"<Files {'/'.join(self.run.path)} ({len(self)})>"


def _make(row: Row, run: RunFields) -> File:
    """Return a file of a run."""
    file = FileOf(row["name"], row["size_bytes"], Digest.read(row["md5"]))
    path = "/".join(run.path)
    return File(_attributes(row), run, HeldFile(run._generations.shelf, path, file, is_run=True))


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
