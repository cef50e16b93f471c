from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

BENCH = Path(__file__).parent.parent / "bench"


def run(*arguments):
    command = [sys.executable, str(BENCH / "run.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_a_scenario_ends_with_one_table():
    done = run("start_up")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("| what | wall |") == 1
    assert "| command, cold: --help |" in done.stdout


@pytest.mark.parametrize("name", sorted(path.stem for path in (BENCH / "scenarios").glob("*.py")))
def test_a_scenario_checks_its_answer(name):
    assert "raise SystemExit" in (BENCH / "scenarios" / f"{name}.py").read_text()
