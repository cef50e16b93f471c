"""Small worlds, the servers that show them, and mirrors of them."""

from __future__ import annotations

import pytest

from mirror.making import make_world, open_mirror
from wandb_mirror.sandbox import Sandbox


@pytest.fixture
def world():
    return make_world()


@pytest.fixture
def box(world):
    with Sandbox(world) as box:
        yield box


@pytest.fixture
def mirror(tmp_path, box):
    return open_mirror(tmp_path / "mirror", box)
