"""Stateful Hypothesis machines: a peer, a client, a slow reader, a room, to be let loose on an application."""

from __future__ import annotations

from spry_core.testing.machines.answers import Answer, AnswerReader
from spry_core.testing.machines.harness import Machine, Steps
from spry_core.testing.machines.http_client import HttpClient, HttpSteps
from spry_core.testing.machines.line import Line
from spry_core.testing.machines.room import Heard, Room, RoomSteps, Way
from spry_core.testing.machines.slow_reader import SlowReader, SlowSteps
from spry_core.testing.machines.websocket_peer import WebSocketPeer, WebSocketSteps

__all__ = [
    "Answer",
    "AnswerReader",
    "Heard",
    "HttpClient",
    "HttpSteps",
    "Line",
    "Machine",
    "Room",
    "RoomSteps",
    "SlowReader",
    "SlowSteps",
    "Steps",
    "Way",
    "WebSocketPeer",
    "WebSocketSteps",
]
