"""Spry on asyncio and uvloop: sockets, the clock and tasks for the core."""

from __future__ import annotations

from spry_asyncio.driver import Driver
from spry_asyncio.pump import Pump
from spry_asyncio.runner import run
from spry_asyncio.server import RunningServer, serve

__all__ = ["Driver", "Pump", "RunningServer", "run", "serve"]
