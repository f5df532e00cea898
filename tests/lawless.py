"""Applications, cores and streams that are broken on purpose, each in one way, and who finds out."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

from hostile import application
from spry_core import Application, Request, WebSocket
from spry_core.driver import Driver
from spry_core.protocol import HALF_CLOSE, Close, Connection, Event, SentEvent, StreamEnd
from spry_core.serving.face import Pumped
from spry_core.tasks import event
from spry_core.testing import laws
from spry_core.testing.frames import PONG, frame, take_frames
from spry_core.testing.laws import AppSubject, LawBroken, Subject
from spry_core.testing.laws.subject import AnySubject
from spry_core.testing.memory import HasTimers, MemoryDriver

LAWS: Final[tuple[Callable[[AnySubject, str], None], ...]] = (
    partial(laws.split_invariance, samples=10),
    laws.time_monotony,
    partial(laws.one_end, samples=6),
    partial(laws.nothing_after_half_close, samples=6),
    laws.limits_before_allocation,
    partial(laws.whole_frames, samples=20),
    partial(laws.pongs_in_order, samples=3),
    laws.echo,
)
"""All of them; the first five suit HTTP too."""


def broken_by(subject: AnySubject, target: str) -> dict[str, LawBroken]:
    """Return what each law that is broken has to say, by its name."""
    found: dict[str, LawBroken] = {}
    for law in LAWS if target == "/echo" else LAWS[:5]:
        try:
            law(subject, target)
        except LawBroken as broken:
            found[broken.law] = broken
    return found


def with_core(make: type[Connection]) -> AppSubject:
    """Return a good application on another core."""
    return AppSubject(application(), make_connection=make)


class LosesCarriageReturns(Connection):
    """Its parser looks no further back than one read."""

    def receive_data(self, data: bytes, now: float) -> None:
        data = data.removesuffix(b"\r")
        if data:
            super().receive_data(data, now)


class FiresEarly(Connection):
    """It takes every call of `handle_deadline` for one that has come."""

    def handle_deadline(self, now: float) -> None:
        when = self.next_deadline()
        super().handle_deadline(now if when is None else max(now, when))


class AllocatesWhatIsPromised(Connection):
    """It makes room for a frame as soon as it knows how long that will be."""

    def receive_data(self, data: bytes, now: float) -> None:
        if data[:2] == b"\x82\xff":
            bytearray(int.from_bytes(data[2:10], "big"))
        super().receive_data(data, now)


class WritesAfterItsEnd(Connection):
    """It has something to say behind the end of its direction."""

    _has_ended = False
    _late = 0

    def data_to_send(self) -> list[bytes | StreamEnd]:
        if self._has_ended:
            self._has_ended, self._late = False, 4
            return [b"late"]
        items = super().data_to_send()
        self._has_ended = HALF_CLOSE in items
        return items

    def bytes_written(self, n: int, now: float) -> None:
        n, self._late = n - self._late, 0
        super().bytes_written(n, now)


class LosesPongs(Connection):
    """It forgets every second Pong."""

    _count = 0

    def data_to_send(self) -> list[bytes | StreamEnd]:
        return [
            item if isinstance(item, StreamEnd) else self._without(item) for item in super().data_to_send()
        ]

    def _without(self, data: bytes) -> bytes:
        if data[:1] == b"H":  # the 101 and what is in one piece with it
            head, end, rest = data.partition(b"\r\n\r\n")
            return head + end + self._without(rest)
        kept = b""
        for each in take_frames(bytearray(data)):
            self._count += each.opcode == PONG
            if each.opcode != PONG or self._count % 2:
                kept += frame(each.opcode, each.payload, fin=each.fin, rsv=each.rsv, mask=None)
        return kept


class LeavesMessages(Connection):
    """It does not say Close when the rest of a message will not come."""

    def send(self, event: SentEvent, now: float) -> None:
        if not isinstance(event, Close):
            super().send(event, now)


class EndsTwice(Connection):
    """It reports its end again."""

    _end: Event | None = None

    def next_event(self) -> Event | None:
        event = super().next_event()
        if event is None and self.closed:
            event, self._end = self._end, None
        elif self.closed:
            self._end = event
        return event


class Tearing:
    """A stream that loses the last byte of what is written while tasks are being cancelled."""

    def __init__(self, subject: Subject) -> None:
        self._subject = subject

    def mount(self, driver: MemoryDriver, lent: Driver, seed: int) -> tuple[Pumped, HasTimers | None]:
        face, host = self._subject.mount(driver, lent, seed)
        return TornFace(face, driver), host


class TornFace:
    """The face of something, with that fault."""

    def __init__(self, face: Pumped, driver: MemoryDriver) -> None:
        self._face = face
        self._driver = driver
        self.receive_data = face.receive_data
        self.receive_eof = face.receive_eof
        self.connection_lost = face.connection_lost
        self.bytes_written = face.bytes_written
        self.handle_deadline = face.handle_deadline
        self.next_deadline = face.next_deadline

    def data_to_send(self) -> list[bytes | StreamEnd]:
        is_torn = any(task.is_cancelled for task in self._driver.tasks())
        return [
            item[:-1] if is_torn and not isinstance(item, StreamEnd) and item[:1] != b"H" else item
            for item in self._face.data_to_send()
        ]

    @property
    def wants_read(self) -> bool:
        return self._face.wants_read

    @property
    def closed(self) -> bool:
        return self._face.closed


def never_ends() -> Application:
    """An echo that waits for something else when its peer has gone."""
    app = Application()

    @app.ws("/echo")
    async def echo(ws: WebSocket, request: Request) -> None:
        try:
            async for message in ws:
                await ws.send(message)
        finally:
            await event().wait()

    return app


def forgets_empty_messages() -> Application:
    """An echo that takes an empty message for none."""
    app = Application()

    @app.ws("/echo")
    async def echo(ws: WebSocket, request: Request) -> None:
        async for message in ws:
            if message:
                await ws.send(message)

    return app


def deaf() -> Application:
    """A WebSocket that answers nothing."""
    app = Application()

    @app.ws("/deaf")
    async def listen(ws: WebSocket, request: Request) -> None:
        async for _ in ws:
            pass

    return app
