"""How a socket is ended: in one direction, in both, or by a reset."""

from __future__ import annotations

import socket
import struct
from typing import Final

_RESET: Final = struct.pack("ii", 1, 0)
"""`SO_LINGER` on, with no time: closing drops what is unsent and resets the stream (RFC 9293 §3.10.7.4, ABORT of §3.9.1)."""


def end_sending(sock: socket.socket) -> OSError | None:
    """End our direction alone; return what has broken the stream before."""
    try:
        sock.shutdown(socket.SHUT_WR)
    except OSError as error:
        return error
    return None


def end_stream(sock: socket.socket) -> None:
    """End both directions: closing ends nothing while a child that was forked has a copy of the socket."""
    try:
        sock.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass  # the peer has gone


def reset_on_close(sock: socket.socket) -> None:
    """Let closing it drop what the kernel still holds."""
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    except OSError:
        pass  # the peer has reset it already, which some systems answer like this
