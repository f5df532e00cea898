"""What only asyncio's server has to show; the rest is tested with every backend in `tests/adapters`."""

from __future__ import annotations

import asyncio
import threading

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
