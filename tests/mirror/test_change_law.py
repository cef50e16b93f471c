"""Whatever changes upstream in whatever order, after a sync the mirror equals it."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from mirror.changing import Changing


@pytest.mark.parametrize("updated_at", ["moves", "still", "absent"])
def test_after_every_sync_the_mirror_equals_upstream(updated_at):
    machine = type("Machine", (Changing,), {"updated_at": updated_at})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=2,
            stateful_step_count=12,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
