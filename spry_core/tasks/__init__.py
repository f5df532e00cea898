"""What handlers do with time and with each other, on any backend: `sleep`, `timeout`, `event`, `now`, `scope`.

All of it is built on the driver's six verbs and on the deadlines of whoever started the task: a session, or the lifespan of
the application. That host keeps the moments in its `Timers`, its pump sleeps until the next of them. The host is found in a
context variable that `enter` sets.
"""

from __future__ import annotations

from spry_core.tasks.host import Host, become_host, current_host, enter, event, now
from spry_core.tasks.raised import part, unwrap
from spry_core.tasks.scopes import Starter, TaskScope, scope
from spry_core.tasks.timers import Timer, Timers
from spry_core.tasks.waiting import Timeout, sleep, timeout

__all__ = [
    "Host",
    "Starter",
    "TaskScope",
    "Timeout",
    "Timer",
    "Timers",
    "become_host",
    "current_host",
    "enter",
    "event",
    "now",
    "part",
    "scope",
    "sleep",
    "timeout",
    "unwrap",
]
