"""Spry on trio: sockets, the clock and tasks for the core."""

from __future__ import annotations

from spry_trio.driver import Driver
from spry_trio.pump import Pump
from spry_trio.runner import run
from spry_trio.server import RunningServer, serve

__all__ = ["Driver", "Pump", "RunningServer", "run", "serve"]
