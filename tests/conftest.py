"""Settings for every test: how Hypothesis looks for examples."""

from __future__ import annotations

import os

from hypothesis import settings

# No deadline: it is measured with the machine's clock, and a busy machine is no fault of the code. Where CI is set,
# the examples are the same at every run, so that a change is judged by what it changed; elsewhere they are new ones.
settings.register_profile("spry", deadline=None, derandomize="CI" in os.environ, print_blob=True)
settings.load_profile("spry")
