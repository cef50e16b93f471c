"""What the sandbox is asked with: plain HTTP, and the real ``wandb.Api``."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from fixtures.sandbox import sandbox  # noqa: F401  (a fixture)
from wandb_mirror.sandbox import Sandbox, generate_world

Ask = Callable[..., httpx.Response]


@pytest.fixture(scope="session")
def client() -> Iterator[httpx.Client]:
    """Return a client for all tests: making one reads the certificates of the machine."""
    with httpx.Client() as client:
        yield client


@pytest.fixture
def ask(client) -> Ask:
    """Return a function that sends a document to a box, with its key unless another is given."""

    def send(box: Sandbox, document: str, *, key: str | None = None, **variables: Any):
        return client.post(
            f"{box.base_url}/graphql",
            json={"query": document, "variables": variables, "operationName": ""},
            auth=("api", box.api_key if key is None else key),
        )

    return send


@pytest.fixture(scope="session")
def sdk(tmp_path_factory) -> Iterator[tuple[Sandbox, Any]]:
    """Return a box and a real ``wandb.Api`` that reads it; for all tests of a session together."""
    folder = str(tmp_path_factory.mktemp("wandb"))
    world = generate_world(projects=2, runs=25, steps=1100, metrics=4, has_oddities=True)
    with pytest.MonkeyPatch.context() as patch, Sandbox(world) as box:
        for name in [name for name in os.environ if name.startswith("WANDB")]:
            patch.delenv(name)
        settings = {
            "BASE_URL": box.base_url,
            "API_KEY": box.api_key,
            "MODE": "online",
            "SILENT": "true",
            "CONSOLE": "off",
            "ERROR_REPORTING": "false",
            "DISABLE_GIT": "true",
            **dict.fromkeys(("CACHE_DIR", "CONFIG_DIR", "DATA_DIR", "ARTIFACT_DIR", "DIR"), folder),
        }
        for name, value in settings.items():
            patch.setenv(f"WANDB_{name}", value)
        patch.setenv("NETRC", f"{folder}/netrc")
        patch.setenv("NO_PROXY", "127.0.0.1,localhost")
        import wandb

        yield box, wandb.Api()
        wandb.teardown()
