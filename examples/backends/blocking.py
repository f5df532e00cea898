"""A bare `Connection` in a blocking loop: answers HTTP, and sends every WebSocket message back. No tasks, no driver."""

from __future__ import annotations

import select
import socket
import time

from spry_core.protocol import (
    Accept,
    BodyData,
    BodyEnd,
    Connection,
    Event,
    Message,
    RequestHead,
    ResponseHead,
    StreamEnd,
)

HELLO = (
    ResponseHead(status_code=200, headers=((b"Content-Length", b"6"),)),
    BodyData(data=b"hello\n"),
    BodyEnd(),
)


def echo(stream: socket.socket, connection: Connection) -> None:
    """Serve one stream to its end."""
    while not connection.closed:
        deadline = connection.next_deadline()
        seconds = None if deadline is None else max(0.0, deadline - time.monotonic())
        if select.select([stream] if connection.wants_read else [], [], [], seconds)[0]:
            if data := stream.recv(65536):
                connection.receive_data(data, time.monotonic())
            else:
                connection.receive_eof(time.monotonic())
        connection.handle_deadline(time.monotonic())
        for event in connection:
            answer(connection, event)
        while batch := connection.data_to_send():
            write(stream, connection, batch)


def answer(connection: Connection, event: Event) -> None:
    now = time.monotonic()
    match event:
        case RequestHead(websocket=None):
            for part in HELLO:
                connection.send(part, now)
        case RequestHead():
            connection.send(Accept(), now)
        case BodyData():
            connection.release(len(event.data), now)
        case Message():
            connection.send(event, now)
            connection.release(len(event.data), now)
        case _:
            pass


def write(stream: socket.socket, connection: Connection, batch: list[bytes | StreamEnd]) -> None:
    for each in batch:
        if isinstance(each, bytes):
            stream.sendall(each)
            connection.bytes_written(len(each), time.monotonic())
        elif each is StreamEnd.HALF_CLOSE:
            stream.shutdown(socket.SHUT_WR)
        else:
            stream.close()
            connection.connection_lost(None, time.monotonic())
