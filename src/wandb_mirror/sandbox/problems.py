"""What a query may end in, besides data."""

from __future__ import annotations


class QueryProblem(Exception):
    """A query that the server answers with an error.

    ``status`` is the HTTP status of the whole reply; at 200 the field is null and the rest stays.
    """

    def __init__(self, message: str, *, status: int = 200) -> None:
        super().__init__(message)
        self.status = status
