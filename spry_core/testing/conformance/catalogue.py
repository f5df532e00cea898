"""All scenarios."""

from __future__ import annotations

from typing import Final

from spry_core.testing.conformance.groups import (
    BACKPRESSURE,
    CANCELLATION,
    CLOSING,
    CONTEXTS,
    CONTROL,
    FAIRNESS,
    FRAGMENTS,
    HALF_CLOSE,
    HTTP,
    KEEPALIVES,
    LEAVING,
    LIFESPAN,
    MESSAGES,
    OPENING,
    RESETS,
    SHUTDOWN,
    STREAMING,
    TASKS,
    TIMERS,
)
from spry_core.testing.conformance.scenario import Scenario

SCENARIOS: Final[tuple[Scenario, ...]] = (
    *HTTP,
    *STREAMING,
    *OPENING,
    *MESSAGES,
    *FRAGMENTS,
    *CONTROL,
    *BACKPRESSURE,
    *KEEPALIVES,
    *CLOSING,
    *LEAVING,
    *CANCELLATION,
    *TIMERS,
    *SHUTDOWN,
    *HALF_CLOSE,
    *RESETS,
    *TASKS,
    *CONTEXTS,
    *FAIRNESS,
    *LIFESPAN,
)
"""Every scenario of every group, in the order of the report."""
