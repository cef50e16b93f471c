"""Processes that log with the real client into a sandbox."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from wandb_mirror.sandbox import Sandbox

# The client takes a transmit interval in whole seconds; a fraction leaves it at 15.
START = """
import math, sys, time, wandb
run = wandb.init(
    entity="demo-team", project="real", id=sys.argv[1], resume=sys.argv[2] or None,
    settings=wandb.Settings(x_file_stream_transmit_interval=1, x_stats_sampling_interval=0.2),
    **(dict(config={"lr": 0.1, "nested": {"a": [1, None]}, "big": 2**53 + 1}, tags=["t", "ü"],
       notes="why", group="g", job_type="train", name="a name") if not sys.argv[2] else {}),
)
"""


def start_logging(
    box: Sandbox, folder: Path, code: str, run_id: str, *, resume: str = ""
) -> subprocess.Popen[str]:
    """Start a process that logs ``code`` to ``demo-team/real``."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("WANDB")}
    folders = ("CACHE_DIR", "CONFIG_DIR", "DATA_DIR", "ARTIFACT_DIR", "DIR")
    values = {
        "BASE_URL": box.base_url,
        "API_KEY": box.api_key,
        "MODE": "online",
        "SILENT": "true",
        "CONSOLE": "wrap",
        "ERROR_REPORTING": "false",
        "DISABLE_GIT": "true",
        **dict.fromkeys(folders, str(folder)),
    }
    env |= {f"WANDB_{name}": value for name, value in values.items()}
    env |= {"NETRC": str(folder / "netrc"), "NO_PROXY": "127.0.0.1,localhost"}
    return subprocess.Popen(
        [sys.executable, "-c", START + code, run_id, resume],
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
