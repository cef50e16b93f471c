"""How long the command takes to start."""

from __future__ import annotations

from collections.abc import Iterator

from measuring import Measured, run_child

HELP = """
import contextlib, io, json
from wandb_mirror.cli.main import main
out = io.StringIO()
with contextlib.redirect_stdout(out), contextlib.suppress(SystemExit):
    main(["--help"])
print(json.dumps({"answer": "Commands:" in out.getvalue()}))
"""


def run(*, is_full: bool) -> Iterator[Measured]:
    """Yield ``--help``, process start included."""
    measured = Measured("wandb-mirror --help")
    for _ in range(20 if is_full else 7):
        run_child(measured, HELP, [], None, {})
    if measured.answer is not True:
        raise SystemExit("--help does not help")
    yield measured
