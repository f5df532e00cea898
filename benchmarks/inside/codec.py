"""The frame codec: a masked text message in, its echo out (RFC 6455 §5)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from importlib.util import find_spec
from typing import Final

from websockets.frames import Frame
from websockets.frames import Opcode as WebsocketsOpcode
from websockets.protocol import State
from websockets.server import ServerProtocol
from wsproto.connection import Connection as WsprotoConnection
from wsproto.connection import ConnectionType
from wsproto.events import TextMessage

from benchmarks.exchanges import frame, texts
from benchmarks.inside import aiohttp
from benchmarks.inside.timing import Case
from spry_core.protocol.engines.choice import ENGINES, frame_engine
from spry_core.protocol.engines.interface import EngineName

TEXT: Final = 0x81
"""The first octet of a text message in one frame."""

LARGEST: Final = 1 << 21

Echo = Callable[[bytes], bytes]
"""Takes octets of a client and returns those that go back."""


def cases() -> Iterator[Case]:
    """Give every codec at every size."""
    for size, title, count in (
        (16, "16 B", 1),
        (4096, "4 KiB", 1),
        (65_536, "64 KiB", 1),
        (16, "64 of 16 B in a read", 64),
    ):
        found = [text.encode() for text in texts(size)][:count]
        data = b"".join(frame(TEXT, each, b"\x12\x34\x56\x78") for each in found)
        expected = b"".join(frame(TEXT, each) for each in found)
        for name, echo in codecs():
            if echo(data) != expected:
                raise RuntimeError(f"{name} echoes something else")
            yield Case(
                "frame codec: receive and echo text",
                title,
                name,
                partial(echo, data),
                count,
            )


def codecs() -> Iterator[tuple[str, Echo]]:
    """Give each codec by its name."""
    for name in ENGINES:
        yield f"spry {name}", spry(name)
    if find_spec("aiohttp") is not None:
        yield "aiohttp", aiohttp.codec(LARGEST)
    yield "websockets", websockets()
    yield "wsproto", wsproto()


def spry(name: EngineName) -> Echo:
    """Return the codec of an engine of ours."""
    engine = frame_engine(name, "server", lambda opcode, length, rsv1: None, bytes)

    def echo(data: bytes) -> bytes:
        messages, _, is_more = engine.take_messages(data, 1024, LARGEST, LARGEST)
        out = [engine.frame(TEXT, each.encode() if isinstance(each, str) else each) for each in messages]
        while is_more and (part := engine.next_part()) is not None:
            out.append(engine.frame(TEXT, part.data.decode().encode()))
        return b"".join(out)

    return echo


def websockets() -> Echo:
    """Return the core of websockets."""
    protocol = ServerProtocol(state=State.OPEN, max_size=LARGEST)

    def echo(data: bytes) -> bytes:
        protocol.receive_data(data)
        for event in protocol.events_received():
            if isinstance(event, Frame) and event.opcode is WebsocketsOpcode.TEXT:
                protocol.send_text(bytes(event.data).decode().encode())
        return b"".join(protocol.data_to_send())

    return echo


def wsproto() -> Echo:
    """Return wsproto."""
    connection = WsprotoConnection(ConnectionType.SERVER)

    def echo(data: bytes) -> bytes:
        connection.receive_data(data)
        return b"".join(
            connection.send(TextMessage(data=event.data))
            for event in connection.events()
            if isinstance(event, TextMessage)
        )

    return echo
