"""Small worlds, the servers that show them, and mirrors of them."""

from __future__ import annotations

import pytest

from fakes.serving import BASE_URL, Server, upstream_of
from mirror.making import make_world, open_mirror
from mirror.objects import Setting, make_project
from wandb_mirror.mirror.connect import Connection
from wandb_mirror.mirror.mirror import Mirror
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


@pytest.fixture
def setting(tmp_path, monkeypatch):
    server = Server(projects=[make_project("one"), make_project("two")])
    monkeypatch.setattr(
        Mirror, "connect", lambda self: Connection(BASE_URL, "a test", upstream_of(server))
    )
    environ = {"WANDB_BASE_URL": BASE_URL, "HOME": str(tmp_path), "WANDB_API_KEY": "k" * 40}
    return Setting(server, Mirror.open(tmp_path / "mirror", environ=environ))
