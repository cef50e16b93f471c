"""The sandbox in a process of its own."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

PROGRAM = """
from wandb_mirror.sandbox import Behaviour, generate_world, run_server
world = generate_world(projects=1, runs=3, steps=4)
run_server(world, Behaviour(), on_ready=lambda url: print(url, world.api_key, flush=True))
print("stopped", flush=True)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_tells_its_address_serves_and_stops_when_told(client, number):
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        url, key = process.stdout.readline().split()
        payload = {"query": "{ viewer { username } }"}
        reply = client.post(f"{url}/graphql", json=payload, auth=("api", key))
        assert reply.json() == {"data": {"viewer": {"username": "ada"}}}
        assert client.get(f"{url}/sandbox/stats").json()["requests"] == 1
        process.send_signal(number)
        out, err = process.communicate(timeout=20)
        assert (out, err, process.returncode) == ("stopped\n", "", 0)
