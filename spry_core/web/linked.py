"""What the parts of a `WebSocket` have in common: the link to its session, once there is one."""

from __future__ import annotations

from spry_core.errors import WebSocketStateError
from spry_core.wakeup import Checkpoints
from spry_core.web.link import Link


class Linked:
    """Has a link from the 101 on; before that every operation that needs one is refused."""

    __slots__ = ("_connected", "_passed")

    def __init__(self) -> None:
        self._connected: Link | None = None
        self._passed: Checkpoints | None = None

    def _connect(self, link: Link) -> None:
        """The 101 is on its way."""
        self._connected, self._passed = link, Checkpoints(link.driver)

    @property
    def _link(self) -> Link:
        if self._connected is None:
            raise _not_accepted()
        return self._connected

    @property
    def _checkpoints(self) -> Checkpoints:
        if self._passed is None:
            raise _not_accepted()
        return self._passed


def _not_accepted() -> WebSocketStateError:
    return WebSocketStateError("the WebSocket is not accepted yet: `await ws.accept()` comes first")
