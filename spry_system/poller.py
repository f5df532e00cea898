"""Waiting for many sockets at once: one descriptor that is readable while any of them is."""

from __future__ import annotations

import select
import socket
from typing import Final, Generic, Protocol, TypeVar

HAS_EPOLL: Final = hasattr(select, "epoll")
"""False where `Poller` cannot be made: on everything but Linux."""


class Receiver(Protocol):
    """Whose socket it is."""

    def receive(self) -> None:
        """There are bytes, or the end of the stream, or there were a moment ago."""
        ...


R = TypeVar("R", bound=Receiver)


class Poller(Generic[R]):
    """Sockets that are watched for bytes, and whom to tell of them.

    Its own descriptor can be waited for as a socket can, by whatever waits for sockets here. What waits so asks the kernel
    once for all of them, and a socket that is watched for long is registered once and not at each read.
    """

    __slots__ = ("_epoll", "_receivers")

    def __init__(self) -> None:
        """Raises `OSError` if no descriptor is left."""
        self._epoll = select.epoll()
        self._receivers: dict[int, R] = {}

    def fileno(self) -> int:
        """Return the descriptor that is readable while one of the sockets is."""
        return self._epoll.fileno()

    def watch(self, sock: socket.socket, receiver: R) -> None:
        """Name `receiver` whenever there is something to receive, until `forget`.

        Raises:
            OSError: The kernel watches no more sockets, or not this one.
        """
        number = sock.fileno()
        self._epoll.register(number, select.EPOLLIN)
        self._receivers[number] = receiver

    def forget(self, sock: socket.socket) -> None:
        """Watch it no longer; to be called before it is closed."""
        number = sock.fileno()
        del self._receivers[number]
        self._epoll.unregister(number)

    def ready(self, most: int | None = None) -> list[R]:
        """Return those who have something to receive now, in the order in which it came. Of more than `most` the others are
        first the next time.
        """
        receivers = self._receivers
        most = len(receivers) if most is None else min(most, len(receivers))
        return [receivers[number] for number, _ in self._epoll.poll(0, max(1, most))]

    def close(self) -> None:
        """Give the descriptor back."""
        self._epoll.close()
