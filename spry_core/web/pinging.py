"""The Pings of an application that wait for their Pongs (RFC 6455 §5.5.2, §5.5.3).

Those of keepalive are the connection's own business. A Pong answers the Ping that has its payload, and every earlier one, since a
peer may answer the latest only.
"""

from __future__ import annotations

from collections.abc import Callable

from spry_core.driver import Driver
from spry_core.wakeup import WakeUp


class PingInFlight:
    """One Ping that has been sent."""

    __slots__ = ("payload", "round_trip_time", "sent")

    def __init__(self, payload: bytes, sent: float) -> None:
        self.payload: bytes = payload
        self.sent: float = sent
        self.round_trip_time: float | None = None
        """Seconds from the Ping to the Pong that answered it; None until then."""


class Pings:
    """The Pings of one WebSocket that are in flight, in the order in which they were sent."""

    __slots__ = ("_count", "_in_flight", "answers")

    def __init__(self, driver: Driver) -> None:
        self.answers: WakeUp = WakeUp(driver)
        """Awaited by those who have sent one: a Pong has come, or the end."""
        self._in_flight: dict[bytes, PingInFlight] = {}
        self._count = 0

    def fresh(self, random: Callable[[int], bytes]) -> bytes:
        """Make a payload that no peer can foresee, and that no other Ping has: `random` gives so many bytes."""
        self._count += 1
        return random(4) + (self._count % 2**32).to_bytes(4, "big")

    def check(self, payload: bytes) -> None:
        """Raise `ValueError` if a Ping with this payload is in flight: nobody could tell which one is answered."""
        if payload in self._in_flight:
            raise ValueError("a Ping with this payload is in flight already")

    def add(self, payload: bytes, now: float) -> PingInFlight:
        """Take note of one that has been sent."""
        ping = self._in_flight[payload] = PingInFlight(payload, now)
        return ping

    def forget(self, ping: PingInFlight) -> None:
        """Wait for its answer no longer, if it has none."""
        if self._in_flight.get(ping.payload) is ping:
            del self._in_flight[ping.payload]

    def take_pong(self, payload: bytes, now: float, until: float | None = None) -> None:
        """A Pong has come: it answers its Ping and all earlier ones. One that nobody asked for answers nothing.

        It may answer one of keepalive; every Ping that was sent before `until` counts as answered.
        """
        in_order = tuple(self._in_flight.values())
        mine = self._in_flight.get(payload)
        answered = 0 if mine is None else in_order.index(mine) + 1
        for ping in in_order[answered:]:
            answered += until is not None and ping.sent < until
        for ping in in_order[:answered]:
            ping.round_trip_time = now - ping.sent
            del self._in_flight[ping.payload]
        if answered:
            self.answers.wake()

    def __len__(self) -> int:
        return len(self._in_flight)
