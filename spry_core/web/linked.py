"""What the parts of a `WebSocket` have in common: the link to its session, once there is one."""

from __future__ import annotations

from spry_core.errors import WebSocketStateError
from spry_core.web.link import Link


class Linked:
    """Has a link from the 101 on; before that every operation that needs one is refused."""

    __slots__ = ("_connected",)

    def __init__(self) -> None:
        self._connected: Link | None = None

    def _connect(self, link: Link) -> None:
        """The 101 is on its way."""
        self._connected = link

    @property
    def _link(self) -> Link:
        if self._connected is None:
            raise WebSocketStateError("the WebSocket is not accepted yet: `await ws.accept()` comes first")
        return self._connected


def link_of(linked: Linked) -> Link | None:
    """Return the link of a WebSocket, or None before it is accepted: for what is no method of it."""
    # Not a public attribute: applications have no use for a link.
    return linked._connected  # pyright: ignore[reportPrivateUsage]
