"""Orders like ``+created_at`` and ``-summary_metrics.loss``, several by commas.

Missing values and NaN come last in both directions; the run's id breaks ties. No sign means ``+``.
"""

from __future__ import annotations

from wandb_mirror.errors import BadFilter
from wandb_mirror.query.compile import Catalog, quote
from wandb_mirror.query.fields import PLACES, ColumnField, KeyField, TagField, resolve

DEFAULT_ORDER = "+created_at"


def compile_order(order: object, catalog: Catalog) -> str:
    """Return what stands after ORDER BY; raises ``BadFilter``."""
    if not isinstance(order, str | None):
        raise BadFilter(f"order {order!r}: write text, keys by comma, like +created_at")
    parts: list[str] = []
    for text in (order or DEFAULT_ORDER).split(","):
        key = text.strip()
        direction = "DESC" if key.startswith("-") else "ASC"
        path = key[1:] if key[:1] in ("+", "-") else key
        if not path or path[0] in "+-":
            raise BadFilter(f"order {order!r}: name a field after one sign, like +created_at")
        for expression, is_number in _expressions(path, catalog):
            last = f"{expression} IS NULL"
            if is_number:
                last = f"({last} OR isnan({expression}::DOUBLE))"
            parts += [last, f"{expression} {direction}"]
    return ", ".join([*parts, "r.run_id"])


def _expressions(path: str, catalog: Catalog) -> list[tuple[str, bool]]:
    """Return what to sort by, and whether it is a number: numbers before text."""
    found = resolve(path, f"order {path}")
    if isinstance(found, ColumnField):
        if found.column in PLACES:
            return []
        return [(f"r.{quote(found.column)}", found.type.value in ("integer", "real"))]
    if isinstance(found, TagField):
        tag = found.tag.replace("'", "''")
        rows = f"FROM _data.run_tags t WHERE t.run_no = r.run_no AND t.tag = '{tag}'"
        return [(f"EXISTS ({rows})", False)]
    if not isinstance(found, KeyField) or found.source == "metric":
        raise BadFilter(
            f"order {path}: only fields of runs, config.KEY and summary_metrics.KEY sort"
        )
    keys = [
        key
        for name in found.names
        for key in sorted(catalog.keys.get((found.source, name), ()), key=lambda key: -key.depth)
    ]
    if not keys:
        return []
    if len(keys) == 1 and keys[0].column is not None:
        return [(f"r.{quote(keys[0].column)}", keys[0].type in ("BIGINT", "DOUBLE"))]
    expressions = []
    for column, is_number in (("number", True), ("text", False)):
        values = ", ".join(
            f"(SELECT v.{column} FROM _data.run_{found.source} v "
            f"WHERE v.run_no = r.run_no AND v.key_no = {key.key_no})"
            for key in keys
        )
        expressions.append((f"coalesce({values})" if len(keys) > 1 else values, is_number))
    return expressions
