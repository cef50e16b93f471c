"""What holds for all tests."""

from __future__ import annotations

import os

from hypothesis import settings

# a busy machine is no reason to fail: nothing here is about time
settings.register_profile("untimed", deadline=None)
# a change is held against the same examples as the one before it; new ones are drawn everywhere else
settings.register_profile("ci", deadline=None, derandomize=True, database=None)
settings.load_profile("ci" if os.environ.get("CI") else "untimed")
