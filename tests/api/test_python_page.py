"""The page about Python is true: its examples run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "python.md"


def test_the_examples_of_the_page_run(full, offline, monkeypatch):
    pytest.importorskip("pandas")
    monkeypatch.setenv("WANDB_MIRROR", str(full[0]._generations.path.parent))
    names = {}
    examples = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert len(examples) == 5
    for example in examples:
        exec(example, names)  # noqa: S102
    assert names["best"].value > 0
    steps = [row["_step"] for row in names["table"].to_pylist()]
    assert steps
    assert set(steps) <= set(range(10, 20))
