"""What upstream sends becomes rows by column: times, cases and types are settled here.

What a reply does not say is never taken for an answer: a listing without its edges is an error and
not an empty listing, or the mirror would mark everything as deleted.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from wandb_mirror.errors import BadRow, Refused, UpstreamBroken
from wandb_mirror.jsontext import dumps, loads
from wandb_mirror.kinds.pages import ExportsReply, Row, RowPage, ScopeOf, StepsReply
from wandb_mirror.kinds.spec import Field, Kind, Type
from wandb_mirror.upstream.yamltext import read_yaml

LARGEST_INTEGER = 2**63
LONGEST_PROBLEM = 200
_WHOLE = re.compile(r"[+-]?[0-9]{1,20}")
_NUMBER = re.compile(r"[+-]?([0-9]*\.?[0-9]+([eE][+-]?[0-9]+)?|NaN|Infinity)")
_KEY = re.compile(r"(?=\w*[0-9])(?=\w*[A-Za-z])\w{20}")
_TIME = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2})?)(.*)")


def read_row(
    kind: Kind,
    scope: ScopeOf,
    node: Mapping[str, Any],
    *,
    fields: Iterable[Field],
    sources: Mapping[str, str],
) -> Row:
    """Return a node as a row of the scope's columns and those of ``fields``.

    ``sources`` says where the columns that were asked for come from; one that the server lacks is
    taken from the scope, where that names it, or None. Raises ``BadRow``.
    """
    row: Row = scope.columns(kind.scope_columns)
    own_key = str(node.get(kind.own_key) or "(no id)")[:LONGEST_PROBLEM]
    for field in fields:
        source = sources.get(field.column)
        if source is None:
            row[field.column] = _from_scope(scope, field.column)
            continue
        try:
            row[field.column] = _read_value(field, source, node)
        except (ValueError, TypeError, OverflowError, RecursionError) as error:
            problem = f"{source} cannot be read: {error}"[:LONGEST_PROBLEM]
            raise BadRow(kind.plural, own_key, problem) from error
    if not row.get(kind.own_key):
        raise BadRow(kind.plural, own_key, "it has no id")
    return row


def read_page(
    kind: Kind,
    scope: ScopeOf,
    connection: Mapping[str, Any] | list[Any],
    *,
    fields: Sequence[Field],
    sources: Mapping[str, str],
) -> RowPage:
    """Return the rows of a Relay connection; null edges and nodes are rows we may not see.

    A plain list is a connection of one page.
    """
    if isinstance(connection, list):
        edges_of_list = [{"node": node} for node in connection]
        connection = {"edges": edges_of_list, "pageInfo": {"hasNextPage": False}}
    edges, info = connection.get("edges"), connection.get("pageInfo")
    if not isinstance(edges, list) or not isinstance(info, Mapping):
        raise UpstreamBroken(f"upstream answers a listing of {kind.plural} without edges")
    if not isinstance(info.get("hasNextPage"), bool):
        raise UpstreamBroken(f"upstream does not say whether there are more {kind.plural}")
    rows: list[Row] = []
    bad: list[tuple[str, str]] = []
    for edge in edges:
        node = edge.get("node") if isinstance(edge, Mapping) else None
        if not isinstance(node, Mapping) or _is_hidden(kind, node, sources):
            continue
        try:
            rows.append(read_row(kind, scope, node, fields=fields, sources=sources))
        except BadRow as error:
            bad.append((error.key, error.problem))
    cursor = info.get("endCursor")
    return RowPage(
        rows,
        has_next=info["hasNextPage"],
        cursor=cursor if isinstance(cursor, str) and cursor else None,
        bad=bad,
    )


def _is_hidden(kind: Kind, node: Mapping[str, Any], sources: Mapping[str, str]) -> bool:
    """Tell whether a node is but a link to an object that we may not see."""
    is_link = "." in sources.get(kind.own_key, "")
    return is_link and node.get(kind.own_key) is None


def read_steps(node: Mapping[str, Any] | None, host: str) -> StepsReply:
    """Return a window's rows, and what upstream says of the whole history."""
    if node is None:
        return StepsReply((), None, None, exists=False)
    lines = node.get("lines")
    if not isinstance(lines, list):
        raise Refused(f"{host} answers without the steps it was asked for")
    texts = [line if isinstance(line, str) else dumps(line) for line in lines]
    return StepsReply(texts, *read_extent(node))


def read_exports(node: Mapping[str, Any] | None) -> ExportsReply:
    """Return which files hold a run's steps; null for them is none."""
    if node is None:
        return ExportsReply((), None, None, None, exists=False)
    exports = node.get("exports")
    urls, rows = ((exports or {}).get(name) or [] for name in ("parquetUrls", "liveData"))
    live: list[int] = []
    for row in rows:
        told = _loads_or_none(row) if isinstance(row, str) else row
        step = told.get("_step") if isinstance(told, Mapping) else None
        if isinstance(step, int | float):
            live.append(int(step))
    return ExportsReply(
        [url for url in urls if isinstance(url, str)], min(live, default=None), *read_extent(node)
    )


def read_extent(node: Mapping[str, Any]) -> tuple[int | None, int | None]:
    """Return how many lines there are and the last step, as far as upstream says."""
    keys, line_count = node.get("keys"), node.get("line_count")
    if isinstance(keys, str):
        keys = _loads_or_none(keys)
    last_step = keys.get("lastStep") if isinstance(keys, Mapping) else None
    return (
        line_count if type(line_count) is int else None,
        last_step if type(last_step) is int else None,
    )


def read_manifest(kind: Kind, scope: ScopeOf, body: bytes) -> list[Row]:
    """Return a manifest's entries as rows; raises ``BadRow`` for what is none."""
    try:
        manifest = loads(body.decode())
    except (ValueError, RecursionError):
        manifest = None
    contents = manifest.get("contents") if isinstance(manifest, Mapping) else None
    if not isinstance(contents, Mapping):
        raise BadRow(kind.plural, str(scope), "its manifest cannot be read")
    sources = {field.column: field.source for field in kind.fields}
    rows = []
    for path, entry in contents.items():
        told = {**entry, kind.own_key: path} if isinstance(entry, Mapping) else {}
        node = {name: told.get(source.split(".")[0]) for name, source in sources.items()}
        rows.append(read_row(kind, scope, node, fields=kind.fields, sources=sources))
    return rows


def _loads_or_none(text: str) -> Any:
    try:
        return loads(text)
    except (ValueError, RecursionError):
        return None


def _from_scope(scope: ScopeOf, column: str) -> str | None:
    """Return what the scope says of a column, where it is one of the scope's own."""
    return getattr(scope, column) if column in ScopeOf.__slots__ else None


def _read_value(field: Field, source: str, node: Mapping[str, Any]) -> Any:
    """Return one value of a node, in the type its column has."""
    value: Any = node.get(field.column)
    for part in source.split(".")[1:]:
        value = value.get(part) if isinstance(value, Mapping) else None
    if value is None:
        return None
    if field.selection:
        value = _unroll(value)
        if field.pluck and isinstance(value, list):
            value = [each.get(field.pluck) for each in value if isinstance(each, Mapping)]
    value = READERS[field.type](value)
    return value.lower() if field.is_lower and isinstance(value, str) else value


def _unroll(value: Any) -> Any:
    """Return a JSON value in which every connection is the list of its nodes."""
    if isinstance(value, list):
        return [_unroll(each) for each in value]
    if not isinstance(value, Mapping):
        return value
    edges = value.get("edges")
    if isinstance(edges, list) and value.keys() <= {"edges", "pageInfo"}:
        return [_unroll(each.get("node")) for each in edges if isinstance(each, Mapping)]
    return {name: _unroll(each) for name, each in value.items()}


def _read_text(value: Any) -> str:
    return value if isinstance(value, str) else dumps(value)


def _read_json_text(value: Any) -> str | None:
    """Return the text as it came; what is not JSON is no value of ours.

    W&B's own client reads empty text as nothing.
    """
    if not isinstance(value, str):
        return dumps(value)
    if not value.strip():
        return None
    loads(value)
    return value


def _read_address(value: Any) -> str:
    """Return a URL without what may be secret in it."""
    parts = urlsplit(str(value))
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def _read_webhook(value: Any) -> str:
    """Return an address in whose path nothing is left that looks like a key."""
    scheme, host, path, *_ = urlsplit(_read_address(value))
    shown = ("[redacted]" if _KEY.search(part) else part for part in path.split("/"))
    return urlunsplit((scheme, host, "/".join(shown), "", ""))


def _read_integer(value: Any) -> int:
    is_whole_text = isinstance(value, str) and _WHOLE.fullmatch(value)
    if not is_whole_text and not (type(value) in (int, float) and value % 1 == 0):
        raise ValueError(f"{_show(value)} is not a whole number")
    number = int(value)
    if not -LARGEST_INTEGER <= number < LARGEST_INTEGER:
        raise ValueError(f"{_show(value)} is too large a number")
    return number


def _read_real(value: Any) -> float:
    if type(value) in (int, float) or (isinstance(value, str) and _NUMBER.fullmatch(value)):
        return float(value)
    raise ValueError(f"{_show(value)} is not a number")


def _read_boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"{_show(value)} is not true or false")
    return value


def _read_time(value: Any) -> datetime:
    """Return naive UTC; upstream leaves the zone out at times and means UTC.

    Python alone would also take ``20240101`` and ``2024-W01``, which upstream never means.
    """
    if not isinstance(value, str) or not _TIME.fullmatch(value):
        raise ValueError(f"{_show(value)} is not a time")
    time = datetime.fromisoformat(value)
    return time.astimezone(UTC).replace(tzinfo=None) if time.tzinfo else time


def _show(value: Any) -> str:
    """Return a value for a message, however large it is."""
    if isinstance(value, str | int | float | bool):
        text = str(value) if not isinstance(value, int) or abs(value) < 10**50 else "a huge number"
        return text if len(text) <= 40 else f"{text[:40]}…"  # noqa: PLR2004
    return f"a {type(value).__name__}"


READERS: dict[Type, Callable[[Any], Any]] = {
    Type.TEXT: _read_text,
    Type.INTEGER: _read_integer,
    Type.REAL: _read_real,
    Type.BOOLEAN: _read_boolean,
    Type.TIME: _read_time,
    Type.JSON: dumps,
    Type.JSON_TEXT: _read_json_text,
    Type.YAML: read_yaml,
    Type.ADDRESS: _read_address,
    Type.WEBHOOK: _read_webhook,
}
