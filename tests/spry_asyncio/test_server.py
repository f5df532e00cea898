"""What only asyncio's server has to show; the rest is tested with every backend in `tests/adapters`."""

from __future__ import annotations

import asyncio
import socket
import threading

import pytest

from adapters.leaks import DESCRIPTORS
from spry_asyncio import serve
from spry_core import Application


def test_a_server_starts_no_thread_and_leaves_no_task_or_descriptor() -> None:
    async def main() -> None:
        threads, descriptors = threading.enumerate(), len(list(DESCRIPTORS.iterdir()))
        async with serve(Application(), port=0):
            assert threading.enumerate() == threads
        assert threading.enumerate() == threads
        assert asyncio.all_tasks() == {asyncio.current_task()}
        assert len(list(DESCRIPTORS.iterdir())) == descriptors

    with asyncio.Runner() as runner:
        runner.run(main())


def test_a_loop_that_cannot_watch_sockets_is_an_error_that_leaves_none_open(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As Windows' proactor loop, which can neither begin nor end it."""

    def refuse(*_: object) -> None:
        raise NotImplementedError

    given = socket.create_server(("127.0.0.1", 0))

    async def main() -> None:
        with pytest.raises(NotImplementedError):
            async with serve(Application(), sockets=[given]):
                raise AssertionError("it serves")  # pragma: no cover - it must not
        assert given.fileno() == -1

    with monkeypatch.context() as patch:
        patch.setattr(asyncio.SelectorEventLoop, "add_reader", refuse)
        patch.setattr(asyncio.SelectorEventLoop, "remove_reader", refuse)
        with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
            runner.run(main())
