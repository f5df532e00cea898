"""Testing without sockets, event loops and waiting: an application, or any core, in memory and in virtual time."""

from __future__ import annotations

from spry_core.testing.client import TestClient
from spry_core.testing.client_stream import ClientStream
from spry_core.testing.client_websocket import ClientWebSocket
from spry_core.testing.memory import MemoryDriver
from spry_core.testing.parked import Deadlock, ForeignAwaitable
from spry_core.testing.peer import MemoryPeer
from spry_core.testing.pipe import End, stream
from spry_core.testing.pump import MemoryPump
from spry_core.testing.response import ClientRejected, ClientResponse
from spry_core.testing.task import Cancelled
from spry_core.testing.weather import HalfClose, Lane, Loss, Reset, Weather

__all__ = [
    "Cancelled",
    "ClientRejected",
    "ClientResponse",
    "ClientStream",
    "ClientWebSocket",
    "Deadlock",
    "End",
    "ForeignAwaitable",
    "HalfClose",
    "Lane",
    "Loss",
    "MemoryDriver",
    "MemoryPeer",
    "MemoryPump",
    "Reset",
    "TestClient",
    "Weather",
    "stream",
]
