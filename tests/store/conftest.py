"""A store on an upgraded file; the upgrade itself is paid once."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from wandb_mirror.store.store import Store


@pytest.fixture(scope="session")
def fresh_file(tmp_path_factory):
    """Return a file that was opened once; whoever uses it copies it."""
    path = tmp_path_factory.mktemp("fresh") / "store.sqlite"
    Store.open(path).close()
    return path


@pytest.fixture
def path(fresh_file, tmp_path) -> Path:
    return Path(shutil.copy(fresh_file, tmp_path / "store.sqlite"))


@pytest.fixture
def store(path):
    with Store.open(path) as store:
        yield store
