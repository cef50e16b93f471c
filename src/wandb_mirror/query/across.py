"""Some metrics of many runs in one query: the rows that hold all of them."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from wandb_mirror.errors import NotMirrored
from wandb_mirror.jsontext import loads
from wandb_mirror.query.compile import quote
from wandb_mirror.query.published import Published


def load_across(published: Published, run_nos: Sequence[int], keys: Sequence[str]) -> pa.Table:
    """Return ``run_id``, ``_step`` and some metrics of runs of one project, in the order of runs.

    Rows hold all of ``keys``. A metric that is a number somewhere is DOUBLE, with NULL where it is
    not; any other is JSON text. Raises ``NotMirrored`` for a metric that no run of the project has.
    """
    if not run_nos:
        return pa.table({name: [] for name in ("run_id", "_step", *keys)})
    columns = ["r.run_id", "h0.step AS _step"]
    source = ""
    for place, key in enumerate(keys):
        numbers, is_number = _find(published, run_nos[0], key)
        value = "value" if is_number else "json"
        columns.append(f"h{place}.{value} AS {quote(key)}")
        part = f"(FROM _data.history WHERE key_no IN ({', '.join(map(str, numbers))})) h{place}"
        source += part if place == 0 else f" JOIN {part} USING (run_no, step)"
    return published.join(
        f"SELECT {', '.join(columns)} FROM {source} JOIN chosen c ON c.number = run_no "
        "JOIN _data.runs r USING (run_no) ORDER BY c.place, h0.step",
        run_nos,
    )


def _find(published: Published, run_no: int, key: str) -> tuple[list[int], bool]:
    """Return the numbers of a metric in a run's project, and whether it is a number somewhere."""
    found = published.rows(
        "SELECT k.key_no, k.path, coalesce(sum(m.count), 0) > 0 FROM _data.keys k "
        "JOIN _data.runs r ON r.project_no = k.project_no "
        "LEFT JOIN _data.metric_stats m ON m.key_no = k.key_no "
        "WHERE r.run_no = ? AND k.source = 'metric' GROUP BY ALL",
        [run_no],
    )
    paths = {number: loads(path) for number, path, _ in found}
    exact = [number for number, path in paths.items() if path == [key]]
    numbers = exact or [number for number, path in paths.items() if ".".join(path) == key]
    if not numbers:
        shown = sorted({".".join(path) for path in paths.values()})
        raise NotMirrored(
            f"no run of this project has a metric {key!r}; there are "
            + (", ".join(shown[:20]) or "none")
        )
    return numbers, any(numeric for number, _, numeric in found if number in numbers)
