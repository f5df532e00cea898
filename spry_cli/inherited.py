"""A listening socket that the process was started with (`--fd`), as socket activation hands it over."""

from __future__ import annotations

import socket

from spry_cli.errors import CommandError


def inherited(number: int) -> socket.socket:
    """Take over a descriptor, which is closed with the socket that is returned.

    Raises:
        CommandError: It is not open, or no socket that listens for streams; the descriptor is left as it was.
    """
    try:
        found = socket.socket(fileno=number)
    except OSError:
        raise CommandError(f"descriptor {number} is no socket of this process") from None
    if found.type != socket.SOCK_STREAM or not found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        found.detach()
        raise CommandError(f"descriptor {number} is a socket that does not listen")
    return found
