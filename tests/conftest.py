"""What holds for all tests."""

from __future__ import annotations

from hypothesis import settings

# a busy machine is no reason to fail: nothing here is about time
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
