"""What anyio's plugin hides: it runs trio as the guest of another loop, which has threads of its own."""

from __future__ import annotations

import threading

import trio

from adapters.leaks import DESCRIPTORS
from spry_core import Application
from spry_trio import serve


def test_a_server_starts_no_thread_and_leaves_no_descriptor() -> None:
    async def main() -> None:
        threads, descriptors = threading.enumerate(), len(list(DESCRIPTORS.iterdir()))
        async with serve(Application(), port=0):
            assert threading.enumerate() == threads
        assert threading.enumerate() == threads
        assert len(list(DESCRIPTORS.iterdir())) == descriptors

    trio.run(main)
