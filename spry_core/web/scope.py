"""Tasks that belong to a block of a handler and to its connection: `WebSocket.scope`."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from spry_core.driver import Scope
from spry_core.tasks import Starter, TaskScope
from spry_core.web.failure import without_ends
from spry_core.web.link import Link


class ConnectionScope(TaskScope):
    """A `TaskScope` whose tasks are cancelled when the end of the connection is settled."""

    def __init__(self, link: Link) -> None:
        super().__init__()
        self._link = link

    def _find_host(self) -> Starter:
        return self._link

    @contextmanager
    def _open_child(self) -> Generator[Scope]:
        with self._link.interrupted_by_settling() as child:
            if self._link.info is not None:  # nobody will come to end it any more
                child.cancel()
            yield child

    def _judge(self, error: BaseException) -> BaseException | None:
        """Leave out `ConnectionClosed` of a connection that has ended: the task would have been cancelled a moment later, and
        which of the two comes first depends on the order in which tasks are woken.
        """
        return error if self._link.connection.is_open else without_ends(error)
