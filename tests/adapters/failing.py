"""Sockets of a server whose calls fail when a test says so, as a kernel lets them fail."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, Final

import pytest

CALLS: Final = ("recv", "recv_into", "send", "shutdown", "setsockopt", "getsockname", "getpeername")
"""What the adapters call, or might."""

ERRORS: Final = (errno.ECONNRESET, errno.EPIPE, errno.ETIMEDOUT, errno.ENOTCONN, errno.EBADF)


class Failures:
    """Which call is to fail, and how often each was made since `arm`."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}
        self._call, self._at, self._number = "", 0, 0
        self.is_sticky = False
        """True if the calls after it fail as well."""

    def arm(self, call: str, at: int, number: int, *, is_sticky: bool = False) -> None:
        """Let this call fail with that errno at its `at`-th time from now, counted from 1; 0 for never."""
        self.counts.clear()
        self._call, self._at, self._number, self.is_sticky = call, at, number, is_sticky

    def count(self, call: str) -> None:
        """Count it, and raise if it is to fail."""
        count = self.counts[call] = self.counts.get(call, 0) + 1
        if call == self._call and (count == self._at or (self.is_sticky and 0 < self._at < count)):
            raise OSError(self._number, os.strerror(self._number))

    @contextmanager
    def in_accepted_sockets(self) -> Generator[None]:
        """Let the sockets of every server be of that kind."""
        with pytest.MonkeyPatch.context() as patch:
            accept = socket.socket.accept

            def accept_failing(listener: socket.socket) -> tuple[socket.socket, object]:
                sock, address = accept(listener)
                return FailingSocket(self, sock), address

            patch.setattr(socket.socket, "accept", accept_failing)
            yield


class FailingSocket(socket.socket):
    """One of them."""

    def __init__(self, failures: Failures, sock: socket.socket) -> None:
        super().__init__(sock.family, sock.type, sock.proto, fileno=sock.detach())
        self._failures = failures

    # The arguments are passed on as they are, whatever they are.

    def recv(self, *args: Any) -> bytes:  # noqa: ANN401
        self._failures.count("recv")
        return super().recv(*args)

    def recv_into(self, buffer: Any, nbytes: int = 0, flags: int = 0) -> int:  # noqa: ANN401
        self._failures.count("recv_into")
        return super().recv_into(buffer, nbytes, flags)

    def send(self, *args: Any) -> int:  # noqa: ANN401
        self._failures.count("send")
        return super().send(*args)

    def sendmsg(self, *args: Any) -> int:  # noqa: ANN401
        self._failures.count("send")
        return super().sendmsg(*args)

    def shutdown(self, how: int) -> None:
        self._failures.count("shutdown")
        super().shutdown(how)

    def setsockopt(self, *args: Any) -> None:  # noqa: ANN401
        self._failures.count("setsockopt")
        super().setsockopt(*args)

    def getsockname(self) -> Any:  # noqa: ANN401
        self._failures.count("getsockname")
        return super().getsockname()

    def getpeername(self) -> Any:  # noqa: ANN401
        self._failures.count("getpeername")
        return super().getpeername()
