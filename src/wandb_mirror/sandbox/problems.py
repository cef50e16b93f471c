"""What a query may end in, besides data."""

from __future__ import annotations

import json
from typing import Any


class QueryProblem(Exception):
    """A query that the server answers with an error.

    ``status`` is the HTTP status of the whole reply; at 200 the field is null and the rest stays.
    """

    def __init__(self, message: str, *, status: int = 200) -> None:
        super().__init__(message)
        self.status = status


def read_json(text: str | None, what: str) -> Any:
    """Return what an argument of JSON text holds, or None; raises ``QueryProblem``."""
    if not text:
        return None
    try:
        return json.loads(text)
    except ValueError as error:
        raise QueryProblem(f"invalid {what}: {error}", status=400) from error
