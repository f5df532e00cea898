"""Clients that number what they send, and judge what comes back: whole, or of a connection that was cut a prefix."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from random import Random
from typing import Final, TypeAlias

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

GIVE_UP: Final = 25.0
"""Seconds until a client counts its connection as stuck."""

CLOSE_TIMEOUT: Final = 5.0
"""Seconds for a closing handshake."""

LOSSES: Final = (1006, 1011)
"""Close codes by which a cut shows: none came, or a Ping was not answered."""


class Wrong(Exception):  # noqa: N818 - it states a fact, as the project's own exceptions do
    """Something was lost, doubled, reordered or somebody else's."""


class Cut(Exception):  # noqa: N818 - the same
    """The connection ended before everything was there, and said so."""


Talk: TypeAlias = Callable[[int, str, Random], Awaitable[int]]
"""Talks over a new connection to a port, under a name that nobody else has; returns how many messages came back."""


def message(name: str, number: int, random: Random) -> str:
    """Make a numbered message; some are empty behind the number, a few are long."""
    size = random.choice((0, 1, 20, 120, 130, 1000, random.randrange(20_000)))
    return f"{name}:{number}:{random.choice('ab€')}{'.' * size}"


@asynccontextmanager
async def opened(port: int, path: str) -> AsyncGenerator[ClientConnection]:
    """Open a WebSocket; what the network does to it is a `Cut`, and a close code that no cut can explain is `Wrong`."""
    try:
        ws = await connect(
            f"ws://127.0.0.1:{port}{path}", ping_interval=None, close_timeout=CLOSE_TIMEOUT, proxy=None
        )
    except (OSError, InvalidHandshake, EOFError, TimeoutError) as error:
        raise Cut(str(error)) from error
    try:
        async with ws:
            try:
                yield ws
            except asyncio.CancelledError:  # it has waited long enough: no closing handshake either
                ws.transport.abort()
                raise
    except ConnectionClosed as error:
        code = 1006 if error.rcvd is None else error.rcvd.code
        if code not in LOSSES or (error.sent is not None and error.sent.code not in (1000, *LOSSES)):
            raise Wrong(f"{path} ended with {error}") from error
        raise Cut(str(error)) from error
    if ws.close_code != 1000:
        raise Cut(f"the closing handshake has ended with {ws.close_code}")


async def expect(ws: ClientConnection, expected: str) -> None:
    """See that exactly this comes next."""
    received = await ws.recv()
    if received != expected:
        raise Wrong(f"{received[:40]!r} instead of {expected[:40]!r}")


async def echo(port: int, name: str, random: Random, path: str = "/echo") -> int:
    """Send messages, some at once, and see all of them come back in order."""
    messages = [message(name, number, random) for number in range(random.randrange(1, 60))]
    async with opened(port, path) as ws:
        sending = asyncio.create_task(send_all(ws, messages, random))
        try:
            for each in messages:
                await expect(ws, each)
            await sending
        finally:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)
    return len(messages)


async def send_all(ws: ClientConnection, messages: list[str], random: Random) -> None:
    """Send them, resting now and then."""
    for each in messages:
        await ws.send(each)
        if random.random() < 0.3:
            await asyncio.sleep(random.random() * 0.01)


async def listen(port: int, name: str, random: Random) -> int:
    """Do the same where the server has no task for it."""
    return await echo(port, name, random, "/listen")


async def push(port: int, name: str, random: Random) -> int:
    """Have messages pushed, then the end: a clean one means that all were there."""
    count, size = random.randrange(1, 200), random.choice((0, 100, 2000))
    async with opened(port, "/push") as ws:
        await ws.send(f"{name}:{count}:{size}")
        for number in range(count):
            await expect(ws, f"{name}:{number}:{'.' * size}")
        try:
            more = await ws.recv()
        except ConnectionClosed as error:
            if error.rcvd is None:
                raise
            if error.rcvd.code != 1000:
                raise Wrong(f"/push ended with {error}") from error
        else:
            raise Wrong(f"{more[:40]!r} instead of the end")
    return count


async def gather(port: int, name: str, random: Random) -> int:
    """Send messages, and have them counted and hashed."""
    digest, count = hashlib.sha256(), 0
    async with opened(port, "/gather") as ws:
        for _ in range(random.randrange(1, 10)):
            for number in range(random.randrange(10)):
                data = message(name, number, random)
                digest.update(data.encode())
                await ws.send(data)
                count += 1
            await ws.send("")
            count += 1
            await expect(ws, f"{count}:{digest.hexdigest()}")
    return count


async def post(port: int, name: str, random: Random) -> int:
    """Pipeline requests over one connection, and see their contents come back in order (RFC 9112 §9.3.2)."""
    contents = [message(name, number, random).encode() for number in range(random.randrange(1, 12))]
    paths = [random.choice(("/echo", "/stream")) for _ in contents]
    requests = [request(path, data, random) for path, data in zip(paths, contents, strict=True)]
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            writer.writelines(requests)
            for data in contents:
                if (received := await answer(reader)) != data:
                    raise Wrong(f"{received[:40]!r} instead of {data[:40]!r}")
        finally:
            await closed(writer)
    except (OSError, EOFError) as error:
        raise Cut(str(error)) from error
    return len(contents)


async def closed(writer: asyncio.StreamWriter) -> None:
    """Close it, and wait until it is."""
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()


def request(path: str, content: bytes, random: Random) -> bytes:
    """Make a request, framed in one way or the other."""
    head = f"POST {path} HTTP/1.1\r\nHost: soak\r\n".encode()
    if random.random() < 0.5:
        return head + b"Content-Length: %d\r\n\r\n" % len(content) + content
    half = len(content) // 2
    chunks = b"".join(
        b"%x\r\n%b\r\n" % (len(each), each) for each in (content[:half], content[half:]) if each
    )
    return head + b"Transfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n"


async def answer(reader: asyncio.StreamReader) -> bytes:
    """Read one answer to its end and return its content; a content that is not complete is `EOFError`."""
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    status = head[9:12]
    if status in (b"400", b"408"):  # the end of a request came too early, or not at all
        raise EOFError(f"the server answers {status.decode()}")
    if status != b"200":
        raise Wrong(f"the answer is {head[:60]!r}")
    if b"transfer-encoding: chunked" not in head:
        length = head.partition(b"content-length: ")[2].partition(b"\r\n")[0]
        return await reader.readexactly(int(length))
    content = b""
    while size := int(await reader.readuntil(b"\r\n"), 16):
        content += (await reader.readexactly(size + 2))[:-2]
    await reader.readexactly(2)
    return content


TALKS: Final[dict[str, Talk]] = {"echo": echo, "listen": listen, "push": push, "gather": gather, "post": post}
