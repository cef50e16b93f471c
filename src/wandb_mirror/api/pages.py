"""Lists that are read page by page, with the manners of ``wandb.apis.paginator``."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any, Generic, Self, TypeVar, overload

T = TypeVar("T")
MOST_TOGETHER = 5000
"""Objects that are read together once somebody goes on past the first page."""


class Pages(Iterator[T], ABC, Generic[T]):
    """Objects of one generation of the published file, read as they are needed.

    As in W&B's client the list is its own iterator: ``for`` starts it over, ``next`` goes on.
    """

    def __init__(self, per_page: int = 50) -> None:
        self.per_page = per_page
        self.objects: list[T] = []
        self.index = -1
        self._is_complete = False

    @abstractmethod
    def _read(self, offset: int, limit: int) -> list[T]:
        """Return the objects from ``offset`` on, at most ``limit``."""

    @abstractmethod
    def _count(self) -> int:
        """Return how many there are."""

    @property
    def more(self) -> bool:
        """Whether objects are left to be read."""
        return not self._is_complete

    @property
    def cursor(self) -> str | None:
        """Where the next page starts; None before the first."""
        return str(len(self.objects)) if self.objects else None

    def _load_page(self) -> bool:
        """Read the next page; False where there is none."""
        if self._is_complete:
            return False
        at = len(self.objects)
        limit = max(1, self.per_page) if at == 0 else max(self.per_page, min(at * 4, MOST_TOGETHER))
        found = self._read(at, limit + 1)  # one more, to know whether there is more
        self.objects += found[:limit]
        self._is_complete = len(found) <= limit
        return bool(found)

    def __len__(self) -> int:
        """Return how many there are, read or not."""
        return len(self.objects) if self._is_complete else self._count()

    def __bool__(self) -> bool:
        """Tell whether there is one."""
        return bool(self.objects) or self._load_page()

    def __iter__(self) -> Self:
        """Start over."""
        self.index = -1
        return self

    def __next__(self) -> T:
        """Return the next object."""
        self.index += 1
        if len(self.objects) <= self.index and not self._load_page():
            raise StopIteration
        return self.objects[self.index]

    def next(self) -> T:
        """Return the next object."""
        return next(self)

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> list[T]: ...

    def __getitem__(self, index: int | slice) -> T | list[T]:
        """Return one or several; reads as far as is needed."""
        stop: Any = index.stop if isinstance(index, slice) else index + 1
        start: Any = index.start if isinstance(index, slice) else index
        is_from_end = (stop is None or stop < 0) or (start is not None and start < 0)
        while (is_from_end or len(self.objects) < stop) and self._load_page():
            pass
        return self.objects[index]


class Held(Pages[T]):
    """Objects that are all there at once."""

    def __init__(self, objects: list[T], per_page: int = 50) -> None:
        super().__init__(per_page)
        self._all = objects

    def _read(self, offset: int, limit: int) -> list[T]:
        return self._all[offset : offset + limit]

    def _count(self) -> int:
        return len(self._all)
