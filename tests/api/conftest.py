"""A server with a usual project and one of everything odd, a mirror of it, and both clients."""

from __future__ import annotations

import os
import sys

import pytest

from api.full import USUAL, make_full
from mirror.making import TEAM, make_world, open_mirror
from wandb_mirror import Api
from wandb_mirror.sandbox import Sandbox

UNREADABLE = (f"{TEAM}/oddities/null-texts", f"{TEAM}/oddities/nobody")
"""The real client stumbles over null for tags and for the user."""


@pytest.fixture(scope="session")
def served():
    world = make_world(
        projects=1,
        runs=40,
        steps=60,
        has_oddities=True,
        sweeps=3,
        datasets=2,
        models=2,
        has_registry=True,
        has_run_files=True,
        reports=3,
        has_automations=True,
    )
    for path in UNREADABLE:
        run = world.run(path)
        run.tags, run.user = run.tags or [], run.user or world.viewer
    with Sandbox(world) as box:
        yield box


@pytest.fixture(scope="session")
def mirror(served, tmp_path_factory):
    mirror = open_mirror(tmp_path_factory.mktemp("api") / "mirror", served)
    assert mirror.sync([TEAM]).problems == 0
    return mirror


_refusing = False


def _watch(event, arguments):
    if _refusing and event == "socket.connect":
        raise AssertionError(f"a socket was opened: {arguments}")


sys.addaudithook(_watch)


@pytest.fixture
def offline():
    """Make any connection fail."""
    global _refusing  # noqa: PLW0603  (an audit hook cannot be taken away again)
    _refusing = True
    yield
    _refusing = False


@pytest.fixture
def api(mirror, monkeypatch, offline):
    for name in [name for name in os.environ if name.startswith("WANDB_")]:
        monkeypatch.delenv(name)
    return Api(mirror=mirror.folder)


@pytest.fixture(scope="session")
def full(mirror, tmp_path_factory):
    """Return an ``Api`` over a file that has every view of the contract, and two runs' ids."""
    runs = sorted(run.id for run in Api(mirror=mirror.folder).runs(USUAL)[:2])
    folder = tmp_path_factory.mktemp("full")
    make_full(mirror.published_path, folder, runs)
    return Api(mirror=folder), runs


@pytest.fixture(scope="session")
def real(served, tmp_path_factory):
    """Return the real client; it starts a process of its own, so only once."""
    folder = tmp_path_factory.mktemp("wandb")
    own = {
        "WANDB_BASE_URL": served.base_url,
        "WANDB_API_KEY": served.api_key,
        "WANDB_MODE": "online",
        "WANDB_SILENT": "true",
        "WANDB_CONSOLE": "off",
        "WANDB_ERROR_REPORTING": "false",
        "WANDB_DISABLE_GIT": "true",
        "WANDB_CACHE_DIR": str(folder / "cache"),
        "WANDB_CONFIG_DIR": str(folder / "config"),
        "WANDB_DATA_DIR": str(folder / "data"),
        "WANDB_ARTIFACT_DIR": str(folder / "artifacts"),
        "NETRC": str(folder / "netrc"),
        "NO_PROXY": "127.0.0.1,localhost",
    }
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("WANDB_")]:
            patch.delenv(name)
        for name, value in own.items():
            patch.setenv(name, value)
        wandb = pytest.importorskip("wandb")
        yield wandb.Api(timeout=60)
