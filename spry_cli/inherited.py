"""Descriptors that the process was started with: a listening socket (`--fd`), as socket activation hands it over, and the
three standard ones.
"""

from __future__ import annotations

import os
import socket
from typing import Final, TextIO

from spry_cli.errors import CommandError

LAST_STANDARD: Final = 2
"""Standard error."""


def fill_standard_descriptors() -> None:
    """Open the null device in the place of each standard descriptor that is closed.

    Else the first descriptors of the program get these numbers: uvloop aborts the process when it closes one of its own, and
    what a library in C prints would go to whatever socket stands there.
    """
    while (number := os.open(os.devnull, os.O_RDWR)) <= LAST_STANDARD:
        pass
    os.close(number)


def drop_unwritable(*streams: TextIO | None) -> None:
    """Forget what a stream cannot write any more, because nobody reads it: it would fail again at the end of the process.

    Python makes an exit status of 120 of that, and a server that was told to end has ended well.
    """
    for stream in streams:
        if stream is None:
            continue
        try:
            stream.flush()
        except ValueError:
            pass  # the application has closed it
        except OSError:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, stream.fileno())
            os.close(nowhere)


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
