"""Compression by permessage-deflate (semantics, section 8; RFC 7692), as a peer sees it, in every world."""

from __future__ import annotations

import tracemalloc
import zlib
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final, Literal

import pytest

from adapters.world import Peer, World, close, closing, ping, said, say, server_frame, shake, tell
from frames import BINARY, CONTINUATION, PONG, TEXT, frame
from handshakes import SWITCHED
from spry_core import Deflate, Limits, Request, WebSocket
from spry_core.web.options import WebSocketSettings

pytestmark = pytest.mark.anyio

RSV1: Final = 4
TAIL: Final = b"\x00\x00\xff\xff"
TEXT_OF_1000: Final = "The quick brown fox. " * 48
FULL: Final = Deflate(server_max_window_bits=15, client_max_window_bits=15)


class Deflater:
    """The client's half: one context for each direction."""

    def __init__(self, bits: int = 15, server_bits: int = 15) -> None:
        self._out = zlib.compressobj(6, zlib.DEFLATED, -bits)
        self._in = zlib.decompressobj(-server_bits)

    def deflate(self, data: bytes) -> bytes:
        """Compress one message (RFC 7692 §7.2.1)."""
        compressed = self._out.compress(data) + self._out.flush(zlib.Z_SYNC_FLUSH)
        assert compressed.endswith(TAIL)
        return compressed[: -len(TAIL)]

    def inflate(self, payload: bytes) -> bytes:
        """Decompress one message (RFC 7692 §7.2.2)."""
        return self._in.decompress(payload + TAIL)


async def echo(ws: WebSocket, request: Request) -> None:
    async for message in ws:
        await ws.send(message)


async def accepted(world: World, offer: str, options: WebSocketSettings) -> str | None:
    """Return what the 101 says to these extensions."""
    app = world.app()
    app.ws("/", echo, **options)
    async with world.serving(app) as server, world.at_once():
        peer = await server.connected()
        await peer.send(shake(f"Sec-WebSocket-Extensions: {offer}"))
        head = await peer.receive_answer()
        await peer.fence()
    assert head.startswith(SWITCHED[:-2])
    field = head[len(SWITCHED) - 2 : -4].decode()
    return field.removeprefix("Sec-WebSocket-Extensions: ") or None


# -------------------------------------------------------------------------------------------------- negotiation

D: Final = "permessage-deflate"

NEGOTIATIONS: Final[dict[str, tuple[Literal[True] | Deflate | None, str, str | None]]] = {
    "off by default": (None, D, None),
    "True": (True, D, f"{D}; server_max_window_bits=12"),
    "client window offered": (
        True,
        f"{D}; client_max_window_bits",
        f"{D}; server_max_window_bits=12; client_max_window_bits=12",
    ),
    "smaller windows asked for": (
        True,
        f"{D}; server_max_window_bits=10; client_max_window_bits=9",
        f"{D}; server_max_window_bits=10; client_max_window_bits=9",
    ),
    "full windows": (FULL, f"{D}; client_max_window_bits", D),
    "no takeover asked for": (
        FULL,
        f"{D}; server_no_context_takeover; client_no_context_takeover",
        f"{D}; server_no_context_takeover; client_no_context_takeover",
    ),
    "no takeover wanted": (
        Deflate(
            server_max_window_bits=15,
            client_max_window_bits=15,
            server_no_context_takeover=True,
            client_no_context_takeover=True,
        ),
        D,
        f"{D}; server_no_context_takeover; client_no_context_takeover",
    ),
    "not the first extension, as the original wants it": (FULL, f"x-webkit-deflate-frame, {D}", D),
    "the first acceptable offer wins": (
        FULL,
        f"{D}; server_max_window_bits=8, {D}; unknown, {D}; server_max_window_bits=9, {D}",
        f"{D}; server_max_window_bits=9",
    ),
    "a quoted value": (FULL, f'{D}; server_max_window_bits="10"', f"{D}; server_max_window_bits=10"),
    "a parameter twice": (FULL, f"{D}; server_max_window_bits=10; server_max_window_bits=10", None),
    "a window of 16": (FULL, f"{D}; server_max_window_bits=16", None),
    "a window of 010": (FULL, f"{D}; server_max_window_bits=010", None),
    "a server window without a value": (FULL, f"{D}; server_max_window_bits", None),
    "a takeover with a value": (FULL, f"{D}; server_no_context_takeover=1", None),
    "8 bits for the client, which is its own business": (
        FULL,
        f"{D}; client_max_window_bits=8",
        f"{D}; client_max_window_bits=8",
    ),
    "another extension alone": (FULL, "permessage-bzip2", None),
}


@pytest.mark.parametrize("name", NEGOTIATIONS)
async def test_the_offers_are_walked_in_order_and_the_first_acceptable_is_taken(
    world: World, name: str
) -> None:
    """RFC 7692 §5 and §7.1; a faulty offer is declined, never an error."""
    compression, offer, expected = NEGOTIATIONS[name]
    options = WebSocketSettings() if compression is None else WebSocketSettings(compression=compression)
    assert await accepted(world, offer, options) == expected


async def test_true_stands_for_the_defaults_and_none_turns_off_what_a_level_above_turns_on(
    world: World,
) -> None:
    app = world.app()
    app.ws_defaults = {"compression": True}
    app.ws("/on", echo)
    app.ws("/off", echo, compression=None)
    async with world.serving(app) as server, world.at_once():
        for path, field in (
            ("/on", f"Sec-WebSocket-Extensions: {D}; server_max_window_bits=12\r\n"),
            ("/off", ""),
        ):
            peer = await server.connected()
            await peer.send(shake(f"Sec-WebSocket-Extensions: {D}", path=path))
            assert await peer.receive_answer() == SWITCHED[:-2] + field.encode() + b"\r\n"


async def test_extensions_tells_what_was_negotiated_with_its_parameters(world: World) -> None:
    """An empty tuple if nothing was."""

    async def look(ws: WebSocket, request: Request) -> None:
        world.note(str(ws.extensions))

    app = world.app()
    app.ws("/", look, compression=True)
    async with world.serving(app) as server, world.at_once():
        for fields in ((f"Sec-WebSocket-Extensions: {D}",), ()):
            peer = await server.connected()
            await peer.send(shake(*fields))
            await peer.receive_answer()
            await peer.fence()
    assert world.notes == ["('permessage-deflate; server_max_window_bits=12',)", "()"]


# --------------------------------------------------------------------------------------------------- messages


OFFER: Final = f"{D}; client_max_window_bits"


@asynccontextmanager
async def compressing(
    world: World, deflate: Deflate = FULL, *, offer: str = OFFER, limits: Limits | None = None
) -> AsyncGenerator[Peer]:
    """Open a WebSocket with compression that echoes; `world.ws` is the server's end of it."""

    async def remember(ws: WebSocket, request: Request) -> None:
        world.sockets.append(ws)
        await echo(ws, request)

    app = world.app()
    app.ws("/", remember, compression=deflate)
    async with world.serving(app, limits=limits) as server, world.at_once():
        peer = await server.connected()
        await peer.send(shake(f"Sec-WebSocket-Extensions: {offer}"))
        await peer.receive_until(b"\r\n\r\n")
        await peer.fence()
        yield peer


async def receive_frame(peer: Peer) -> tuple[int, bytes]:
    """Return the first byte and the payload of the next frame."""
    head = await peer.receive(2)
    size = {126: 2, 127: 8}.get(head[1], 0)
    length = int.from_bytes(await peer.receive(size), "big") if size else head[1]
    return head[0], await peer.receive(length)


def compressed(opcode: int, payload: bytes, *, fin: bool = True) -> bytes:
    """Make a client's frame with RSV1, the first of a compressed message (RFC 7692 §6)."""
    return frame(opcode, payload, rsv=RSV1, fin=fin)


async def test_compressed_messages_go_both_ways_and_the_window_lives_on(world: World) -> None:
    """RFC 7692 §7.2.3.2: the second message is much shorter than the first."""
    client = Deflater()
    noise = bytes(zlib.crc32(bytes((number,))) & 0xFF for number in range(250)).hex()
    async with compressing(world) as peer:
        sizes: list[int] = []
        for _ in range(3):
            await peer.send(compressed(TEXT, client.deflate(noise.encode())))
            first, payload = await receive_frame(peer)
            assert first == 0x80 | RSV1 << 4 | TEXT
            assert client.inflate(payload) == noise.encode()
            sizes.append(len(payload))
    assert sizes[1] < sizes[0] / 5
    assert sizes[2] < sizes[0] / 5


async def test_without_takeover_every_message_is_compressed_alone(world: World) -> None:
    """RFC 7692 §7.2.3.1: the same message gives the same bytes, each to be inflated by a fresh context."""
    deflate = Deflate(server_no_context_takeover=True, client_no_context_takeover=True)
    async with compressing(world, deflate) as peer:
        payloads: list[bytes] = []
        for _ in range(3):
            client = Deflater(12)
            await peer.send(compressed(TEXT, client.deflate(TEXT_OF_1000.encode())))
            _, payload = await receive_frame(peer)
            assert client.inflate(payload) == TEXT_OF_1000.encode()
            payloads.append(payload)
    assert len(set(payloads)) == 1


@pytest.mark.parametrize("bits", [9, 12, 15])
async def test_the_servers_window_is_no_larger_than_agreed(world: World, bits: int) -> None:
    """RFC 7692 §7.1.2.1: a client with a window of that size can inflate it."""
    client = Deflater(15, server_bits=bits)
    text = "".join(f"{number:x}" for number in range(3000)) * 4
    async with compressing(world, Deflate(server_max_window_bits=bits, client_max_window_bits=15)) as peer:
        for _ in range(2):
            await peer.send(compressed(TEXT, client.deflate(text.encode())))
            _, payload = await receive_frame(peer)
            assert client.inflate(payload) == text.encode()


async def test_messages_below_the_threshold_go_uncompressed_and_do_not_disturb_the_window(
    world: World,
) -> None:
    client = Deflater()
    async with compressing(world, Deflate(server_max_window_bits=15, threshold=100)) as peer:
        for size, is_compressed in ((99, False), (100, True), (0, False), (99, False), (101, True)):
            await peer.send(say("a" * size))
            first, payload = await receive_frame(peer)
            assert bool(first & RSV1 << 4) is is_compressed
            assert (client.inflate(payload) if is_compressed else payload) == b"a" * size


async def send_as(send: Callable[..., Awaitable[None]], data: str, compress: bool | None) -> None:
    await send(data, compress=compress)


async def test_compress_chooses_for_one_message(world: World) -> None:
    """None goes by the threshold, True and False force it; an uncompressed one never passes the compressor."""
    client = Deflater()
    async with compressing(world) as peer:
        ws, start = world.ws, peer.server.start
        for size, compress, is_compressed in (
            (1000, None, True),
            (1000, False, False),
            (3, None, False),
            (3, True, True),
            (0, True, True),
            (1000, True, True),
        ):
            for send in (ws.send, ws.send_text):
                await start(send_as, send, "a" * size, compress).result()
                first, payload = await receive_frame(peer)
                assert bool(first & RSV1 << 4) is is_compressed
                assert (client.inflate(payload) if is_compressed else payload) == b"a" * size
        ws.send_nowait(b"b" * 1000, compress=False)
        assert await receive_frame(peer) == (0x80 | BINARY, b"b" * 1000)


async def test_without_an_agreement_compress_true_sends_plain(world: World) -> None:
    async with compressing(world, offer="permessage-bzip2") as peer:
        world.ws.send_nowait("a" * 1000, compress=True)
        await peer.expect(said("a" * 1000))


async def test_an_empty_message_is_one_byte(world: World) -> None:
    """RFC 7692 §7.2.3.6."""
    client = Deflater()
    async with compressing(world) as peer:
        await peer.send(compressed(TEXT, b"\x00"))
        await peer.expect(said(""))  # below the threshold
        world.ws.send_nowait("", compress=True)
        first, payload = await receive_frame(peer)
        assert (first, client.inflate(payload)) == (0x80 | RSV1 << 4 | TEXT, b"")
        assert len(payload) == 1


async def test_a_compressed_message_may_come_in_fragments_with_control_frames_between(world: World) -> None:
    """RFC 7692 §6: RSV1 on the first frame only; a Ping between changes nothing for the window."""
    client = Deflater()
    async with compressing(world) as peer:
        for _ in range(2):
            payload = client.deflate(TEXT_OF_1000.encode())
            pieces = [payload[start : start + 7] for start in range(0, len(payload), 7)]
            sent = compressed(TEXT, b"", fin=False)
            sent += b"".join(frame(CONTINUATION, piece, fin=False) + ping(b"between") for piece in pieces)
            await peer.send(sent + frame(CONTINUATION))
            await peer.expect(*[server_frame(PONG, b"between")] * len(pieces))
            _, echoed = await receive_frame(peer)
            assert client.inflate(echoed) == TEXT_OF_1000.encode()


FAULTS: Final[dict[str, tuple[bytes, int]]] = {
    "RSV1 on a control frame": (frame(0x9, b"", rsv=RSV1), 1002),
    "RSV1 on a later fragment": (
        compressed(TEXT, b"\x00", fin=False) + frame(CONTINUATION, b"", rsv=RSV1),
        1002,
    ),
    "RSV2": (frame(TEXT, b"", rsv=2), 1002),
    "no DEFLATE": (compressed(TEXT, b"\xff\xff\xff\xff"), 1007),
    "DEFLATE of what is no UTF-8": (compressed(TEXT, Deflater().deflate(b"\xff")), 1007),
    "half a block": (compressed(TEXT, Deflater().deflate(bytes(100))[:-3]), 1007),
}


@pytest.mark.parametrize("name", FAULTS)
async def test_a_fault_of_compression_fails_the_connection_behind_what_came_before(
    world: World, name: str
) -> None:
    """RFC 7692 §6, RFC 6455 §7.4.1."""
    sent, code = FAULTS[name]
    async with compressing(world) as peer:
        await peer.send(say("good") + sent)
        await peer.expect_end(said("good"), closing(code))
        told = f"{code} by local, sent {code}, received nothing, unclean, RemoteProtocolError"
        assert tell(await world.end()) == told


async def test_rsv1_without_an_agreement_fails_the_connection(world: World) -> None:
    """RFC 6455 §5.2."""
    async with compressing(world, offer="permessage-bzip2") as peer:
        await peer.send(compressed(TEXT, Deflater().deflate(b"hello")))
        await peer.expect_end(closing(1002))


@pytest.mark.parametrize("excess", [-1, 0, 1])
async def test_the_limit_is_for_the_inflated_size_and_exact(world: World, excess: int) -> None:
    """1009; a limit of the compressed size would let bombs through."""
    size = 100_000
    client = Deflater()
    async with compressing(world, limits=Limits(max_message_size=size)) as peer:
        await peer.send(compressed(BINARY, client.deflate(bytes(size + excess))))
        if excess > 0:
            await peer.expect_end(closing(1009))
            return
        _, payload = await receive_frame(peer)
        assert client.inflate(payload) == bytes(size + excess)


async def test_a_bomb_is_not_inflated_beyond_the_limit(world: World) -> None:
    """Neither in one frame nor in fragments: memory never holds what was not to be allowed."""
    payload = Deflater().deflate(bytes(64 << 20))
    tracemalloc.start()
    try:
        for fragments in (1, 10):
            world.sockets.clear()
            async with compressing(world) as peer:
                size = len(payload) // fragments + 1
                pieces = [payload[start : start + size] for start in range(0, len(payload), size)]
                tracemalloc.reset_peak()
                before, _ = tracemalloc.get_traced_memory()
                await peer.send(compressed(BINARY, pieces[0], fin=fragments == 1))
                peer.flood(b"".join(frame(CONTINUATION, piece, fin=False) for piece in pieces[1:]))
                await peer.expect_end(closing(1009))
                _, peak = tracemalloc.get_traced_memory()
                assert peak - before < 8 << 20
    finally:
        tracemalloc.stop()


async def test_what_was_received_and_sent_is_counted_uncompressed(world: World) -> None:
    """In the `CloseInfo`: bytes of the messages, not of the wire."""
    client = Deflater()
    async with compressing(world) as peer:
        await peer.send(compressed(TEXT, client.deflate(TEXT_OF_1000.encode())))
        await receive_frame(peer)
        await peer.send(close(1000))
        await peer.expect_end(closing(1000))
        info = await world.end()
    traffic = (info.messages_received, info.bytes_received, info.messages_sent, info.bytes_sent)
    assert traffic == (1, len(TEXT_OF_1000), 1, len(TEXT_OF_1000))
