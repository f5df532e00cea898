"""Sending what has piled up: one call of the kernel, and no copy of what is big."""

from __future__ import annotations

import socket
from typing import Final

MANY: Final = 64
"""The most pieces that one call is given; every system takes as many."""

BIG: Final = 16 * 1024
"""From so many bytes on a copy costs more than to give pieces one by one."""

HAS_SENDMSG: Final = hasattr(socket.socket, "sendmsg")
"""False on Windows."""


def send_some(sock: socket.socket, unsent: list[bytes | memoryview]) -> tuple[int, bool]:
    """Give the kernel the oldest of what is unsent, as much as it takes in one call, and keep the rest.

    Args:
        sock: Non-blocking.
        unsent: At least one piece, oldest first; what is sent is taken out.

    Returns:
        How many bytes were sent, and whether the kernel takes no more now.

    Raises:
        OSError: The stream is broken; nothing was sent.
    """
    if len(unsent) > 1 and (not HAS_SENDMSG or all(len(piece) < BIG for piece in unsent)):
        unsent[:] = [b"".join(unsent)]
    given = unsent[:MANY]
    try:
        sent = sock.send(given[0]) if len(given) == 1 else sock.sendmsg(given)
    except (BlockingIOError, InterruptedError):
        return 0, True
    left, gone = sent, 0
    while gone < len(given) and left >= len(given[gone]):
        left -= len(given[gone])
        gone += 1
    del unsent[:gone]
    if gone == len(given):
        return sent, False
    unsent[0] = memoryview(unsent[0])[left:]
    return sent, True
