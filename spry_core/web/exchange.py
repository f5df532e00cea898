"""What a session lends to one request: the seam between an application and the connection below it.

`spry_core.serving` implements it; `Request`, its content and the WebSocket are written over it, so that they know no session.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from spry_core.driver import Driver
from spry_core.protocol.deflate import Deflate
from spry_core.protocol.events import Accept, RequestHead
from spry_core.protocol.limits import Limits, Timeouts
from spry_core.web.link import Link


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamInfo:
    """What is known of an accepted stream."""

    peer: str = ""
    """The peer's address for logs, such as ``"127.0.0.1:50312"``, or ``"unix"``; empty if nothing is known."""

    local: str = ""
    """Our own address, in the same form."""

    secure: bool = False
    """True if TLS ends here: the scheme is then ``https``."""

    can_half_close: bool = True
    """True if the stream can end one direction alone, as TCP, unix sockets and the TLS stage can."""


class Exchange(Protocol):
    """One request and its answer, as the application sees the connection."""

    head: RequestHead
    """The head of the request. Of one that has become a WebSocket, `Request.seal` leaves only what the log tells of it."""

    @property
    def driver(self) -> Driver:
        """The driver of the connection."""
        ...

    @property
    def stream(self) -> StreamInfo:
        """What is known of the stream."""
        ...

    @property
    def limits(self) -> Limits:
        """The limits given to the server."""
        ...

    @property
    def timeouts(self) -> Timeouts:
        """The timeouts given to the server."""
        ...

    def invite_content(self) -> None:
        """Say that the request's content is wanted: sends 100 Continue if the client waits for it (RFC 9110 §10.1.1)."""
        ...

    def release(self, n: int) -> None:
        """Say that `n` bytes of the content were consumed, so that more may be read."""
        ...

    def accept(self, accept: Accept, limits: Limits, timeouts: Timeouts, deflate: Deflate | None) -> Link:
        """Send the 101 and give the WebSocket's link; from here on the connection obeys these limits and timeouts, and
        compresses as `deflate` says if the 101 agrees to it.

        Raises `ConnectionClosed` if the connection has ended meanwhile, `Abort` if the server shuts down.
        """
        ...

    def report_error(self, text: str, error: BaseException | None) -> None:
        """Hand one finished record of an application's fault to the log; with `error`, its traceback is logged."""
        ...
