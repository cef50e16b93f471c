"""A reader as people write them, in a process of its own: it reads until it is told to stop.

Called as ``read_on.py FILE``. It prints ``reading``, and at the end how often it read and how many
generations it met.
"""

from __future__ import annotations

import sys
import threading

import duckdb

CLAIMED = "SELECT run_id, history_rows FROM runs WHERE history_rows > 0 ORDER BY run_id"
COUNTED = "SELECT run_id, count(DISTINCT step) FROM metrics GROUP BY run_id ORDER BY run_id"
WIDE = "SELECT run_id, count(*) FROM {}.history GROUP BY run_id ORDER BY run_id"
TAGS = "SELECT run_id, tags FROM runs WHERE tags <> '[]' AND run_id NOT IN (FROM tagged)"


def read(path: str) -> int:
    """Open the file, compare what it says in several places, and return how much there is."""
    with duckdb.connect() as connection:
        connection.execute(f"ATTACH '{path}' AS mirror (READ_ONLY); USE mirror")
        claimed = connection.execute(CLAIMED).fetchall()
        counted = connection.execute(COUNTED).fetchall()
        if claimed != counted:
            raise ValueError(f"runs claim {claimed} and there is {counted}")
        (schema,) = connection.execute("SELECT entity || '/' || project FROM projects").fetchone()
        wide = connection.execute(WIDE.format('"' + schema + '"')).fetchall()
        if wide != counted:
            raise ValueError(f"the wide table has {wide} and the long one {counted}")
        with_tags = f"WITH tagged AS (SELECT run_id FROM run_tags) {TAGS}"
        if odd := connection.execute(with_tags).fetchall():
            raise ValueError(f"tags are missing of {odd}")
        return sum(count for _, count in counted)


def main(path: str) -> None:
    """Read until a line comes in."""
    stop = threading.Thread(target=sys.stdin.readline, daemon=True)
    stop.start()
    print("reading", flush=True)
    readings, seen = 0, set()
    while stop.is_alive():
        seen.add(read(path))
        readings += 1
    print(readings, len(seen))


if __name__ == "__main__":
    main(sys.argv[1])
