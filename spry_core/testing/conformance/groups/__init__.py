"""The scenarios, one module for each group or two."""

from __future__ import annotations

from spry_core.testing.conformance.groups.cancellation import CANCELLATION
from spry_core.testing.conformance.groups.closing import CLOSING
from spry_core.testing.conformance.groups.contexts import CONTEXTS
from spry_core.testing.conformance.groups.control import CONTROL, KEEPALIVES
from spry_core.testing.conformance.groups.disconnect import HALF_CLOSE, RESETS
from spry_core.testing.conformance.groups.http import HTTP
from spry_core.testing.conformance.groups.leaving import LEAVING
from spry_core.testing.conformance.groups.lives import LIFESPAN, SHUTDOWN
from spry_core.testing.conformance.groups.messages import FRAGMENTS, MESSAGES
from spry_core.testing.conformance.groups.opening import OPENING
from spry_core.testing.conformance.groups.pressure import BACKPRESSURE, FAIRNESS
from spry_core.testing.conformance.groups.streaming import STREAMING
from spry_core.testing.conformance.groups.tasks import TASKS
from spry_core.testing.conformance.groups.timers import TIMERS

__all__ = [
    "BACKPRESSURE",
    "CANCELLATION",
    "CLOSING",
    "CONTEXTS",
    "CONTROL",
    "FAIRNESS",
    "FRAGMENTS",
    "HALF_CLOSE",
    "HTTP",
    "KEEPALIVES",
    "LEAVING",
    "LIFESPAN",
    "MESSAGES",
    "OPENING",
    "RESETS",
    "SHUTDOWN",
    "STREAMING",
    "TASKS",
    "TIMERS",
]
