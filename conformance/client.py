"""The cases against the core's client role: a bare `Connection` on a blocking socket, in one thread."""

from __future__ import annotations

import asyncio
import secrets
import socket
import time
from collections.abc import Callable, Sequence
from typing import Final

from kosoku import FailureError, FuzzingServer, run_fuzzingserver
from kosoku._kosoku import CaseResult

from conformance.echo import LARGEST
from spry_core.protocol import (
    DEFAULT_ENGINE,
    BodyEnd,
    Connection,
    Deflate,
    EngineName,
    Limits,
    Message,
    StreamEnd,
    Timeouts,
    deflate,
    handshake,
)

AGENT: Final = "spry"
COMPRESSION: Final = Deflate(
    server_max_window_bits=15, client_max_window_bits=15, client_no_context_takeover=True, threshold=0
)
"""An offer that leaves the suite's server every choice, since each group of cases makes another."""
LIMITS: Final = Limits(max_message_size=LARGEST, max_fragments=LARGEST)
TIMEOUTS: Final = Timeouts(ping_interval=None)
READ_SIZE: Final = 64 * 1024


def run(cases: Sequence[str], engine: EngineName = DEFAULT_ENGINE) -> list[CaseResult]:
    """Run the cases (globs) as their client; return their results in the order of the cases."""
    return asyncio.run(drive(cases, engine))


async def drive(cases: Sequence[str], engine: EngineName) -> list[CaseResult]:
    """Let the suite serve, and visit it in a thread."""
    results: list[CaseResult] = []
    async with run_fuzzingserver(cases, port=0) as server:
        await asyncio.to_thread(visit, server.address, server.port, engine)
        results += await results_of(server)
    return results


async def results_of(server: FuzzingServer) -> list[CaseResult]:
    """Return the results, whatever they are."""
    try:
        return await server.get_result()
    except FailureError as failure:
        return failure.results


def visit(host: str, port: int, engine: EngineName) -> None:
    """Ask for the number of cases, echo through each of them, and have the suite end its run."""
    counts: list[str | bytes] = []
    converse(host, port, "/getCaseCount", lambda connection, message: counts.append(message), engine)
    for number in range(1, int(counts[0]) + 1):
        converse(host, port, f"/runCase?case={number}&agent={AGENT}", echo, engine)
    converse(host, port, f"/updateReports?agent={AGENT}", lambda connection, message: None, engine)


def echo(connection: Connection, message: str | bytes) -> None:
    """Send a message back, unless the connection is closing."""
    if connection.is_open:
        connection.send(Message(data=message), time.monotonic())


def converse(
    host: str,
    port: int,
    target: str,
    receive: Callable[[Connection, str | bytes], None],
    engine: EngineName,
) -> None:
    """Open one WebSocket and hand each message to `receive`, until the stream has ended."""
    connection = opened(f"{host}:{port}", target, engine)
    with socket.create_connection((host, port)) as stream:
        while not connection.closed:
            write(connection, stream)
            if not connection.closed:
                read(connection, stream)
            for event in connection:
                if isinstance(event, Message):
                    receive(connection, event.data)
                    connection.release(size_of(event.data), time.monotonic())


def opened(host: str, target: str, engine: EngineName) -> Connection:
    """Begin a connection with the opening handshake of a client that offers compression."""
    now = time.monotonic()
    connection = Connection(
        "client", now=now, random=secrets.token_bytes, limits=LIMITS, timeouts=TIMEOUTS, engine=engine
    )
    connection.configure(limits=LIMITS, timeouts=TIMEOUTS, deflate=COMPRESSION)
    offer = deflate.offer(COMPRESSION)
    head = handshake.request(host=host, target=target, random=secrets.token_bytes, extensions=(offer,))
    connection.send(head, now)
    connection.send(BodyEnd(), now)
    return connection


def size_of(message: str | bytes) -> int:
    """Return the bytes of a message on the wire."""
    return len(message.encode()) if isinstance(message, str) else len(message)


def write(connection: Connection, stream: socket.socket) -> None:
    """Write all that there is, and end the stream as the connection says."""
    stream.settimeout(None)  # what `read` has set is no limit for this
    for item in connection.data_to_send():
        try:
            if isinstance(item, bytes):
                stream.sendall(item)
                connection.bytes_written(len(item), time.monotonic())
            elif item is StreamEnd.HALF_CLOSE:
                stream.shutdown(socket.SHUT_WR)
            else:
                connection.connection_lost(None, time.monotonic())
        except OSError as error:
            connection.connection_lost(error, time.monotonic())


def read(connection: Connection, stream: socket.socket) -> None:
    """Wait for bytes, if any are wanted, or for the next deadline."""
    deadline = connection.next_deadline()
    if deadline is not None and (deadline <= time.monotonic() or not connection.wants_read):
        time.sleep(max(0.0, deadline - time.monotonic()))
        connection.handle_deadline(time.monotonic())
        return
    stream.settimeout(None if deadline is None else deadline - time.monotonic())
    try:
        data = stream.recv(READ_SIZE)
    except TimeoutError:
        return  # the deadline, which the next round sees
    except OSError as error:
        connection.connection_lost(error, time.monotonic())
        return
    if data:
        connection.receive_data(data, time.monotonic())
    else:
        connection.receive_eof(time.monotonic())
