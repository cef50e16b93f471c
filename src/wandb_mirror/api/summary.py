"""A run's summary: a dict that also answers to dots (``wandb.apis.public.summary``)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping
from typing import Any

from wandb_mirror.api.refusals import BYTES, refused


class SummarySubDict(MutableMapping[str, Any]):
    """A nested value of a summary; what is set in it is local."""

    def __init__(self, values: dict[str, Any], run: Any) -> None:
        self._json_dict = values
        self._run = run

    def __getitem__(self, key: str) -> Any:
        """Return a value; a nested one answers to dots too."""
        value = self._json_dict[_strip(key)]
        return SummarySubDict(value, self._run) if isinstance(value, dict) else value

    def get(self, k: str, default: Any = None) -> Any:
        """Return a value, or a default where it is missing."""
        return self[k] if _strip(k) in self._json_dict else default

    def __setitem__(self, key: str, value: Any) -> None:
        """Set a value here, not upstream."""
        self._json_dict[_strip(key)] = _plain(value)

    def __delitem__(self, key: str) -> None:
        """Remove a value here, not upstream."""
        del self._json_dict[_strip(key)]

    def __iter__(self) -> Iterator[str]:
        """Yield the keys, in upstream's order."""
        return iter(self._json_dict)

    def __len__(self) -> int:
        """Return how many keys there are."""
        return len(self._json_dict)

    def __getattr__(self, name: str) -> Any:
        """Return a value; as in W&B's client one that is missing is a ``KeyError``."""
        if name.startswith("_"):
            raise AttributeError(name)
        return self[name]

    def __setattr__(self, name: str, value: Any) -> None:
        """Set a value here, not upstream."""
        if name.startswith("_"):
            object.__setattr__(self, name, value)
        else:
            self[name] = value

    def __repr__(self) -> str:
        """Return the values as a dict."""
        return repr(self._json_dict)

    def update(self, key_vals: Mapping[str, Any] | None = None, overwrite: bool = True) -> None:  # type: ignore[override]
        """Merge values here and queue them, as W&B's client saves them; raises ``BadEdit``."""
        for key, value in (key_vals or {}).items():
            if overwrite or key not in self:
                self[key] = value
        self._run._queue(["summary"])


class HTTPSummary(SummarySubDict):
    """The summary of a run."""

    open_h5 = refused(BYTES)
    read_h5 = refused(BYTES)
    write_h5 = refused(BYTES)

    def load(self) -> None:
        """Do nothing: it is there."""


def _strip(key: str) -> str:
    """Return a key as W&B's client stores it."""
    return key.strip() if isinstance(key, str) else key


def _plain(value: Any) -> Any:
    return dict(value._json_dict) if isinstance(value, SummarySubDict) else value
