"""How long a command takes from nothing to its answer: the process's start and its imports."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from measuring import Measured, run_child, serving

SYNC = """
import json, os, sys
from wandb_mirror import Mirror
Mirror.open(sys.argv[1], environ=os.environ).sync(["bench"])
print(json.dumps({"answer": None}))
"""
COMMAND = """
import contextlib, io, json, sys
from wandb_mirror.cli.main import main
out = io.StringIO()
with contextlib.redirect_stdout(out), contextlib.suppress(SystemExit):
    main(sys.argv[1:])
print(json.dumps({"answer": out.getvalue()}))
"""


def run(*, is_full: bool) -> Iterator[Measured]:
    """Yield ``--help``, ``status``, ``runs`` and a sync with nothing to do."""
    with (
        serving(runs=200, steps=10, config_keys=20) as server,
        tempfile.TemporaryDirectory() as place,
    ):
        environ = {
            "WANDB_BASE_URL": server.base_url,
            "WANDB_API_KEY": server.api_key,
            "HOME": place,
        }
        folder = str(Path(place) / "mirror")
        run_child(Measured("set-up"), SYNC, [folder], server, environ)
        for words, wanted in (
            (["--help"], "Commands:"),
            (["--mirror", folder, "status", "--json"], '"runs"'),
            (["--mirror", folder, "runs", "bench/mnist-baselines", "--json"], '"run_id"'),
            (["--mirror", folder, "sync", "bench", "--json"], '"published":null'),
        ):
            shown = " ".join(words[2:] if len(words) > 1 else words)
            measured = Measured(f"command, cold: {shown}")
            for _ in range(20 if is_full else 5):
                run_child(measured, COMMAND, words, server, environ)
            if wanted not in measured.answer.replace(" ", ""):
                raise SystemExit(f"wandb-mirror {shown} answered {measured.answer[:500]!r}")
            yield measured
