"""A server in a thread of its own, for whoever has no event loop to serve on."""

from __future__ import annotations

from collections.abc import Callable, Generator
from concurrent.futures import Future
from contextlib import contextmanager
from threading import Thread
from typing import TypeAlias, TypeVar

Running = TypeVar("Running")

Soon: TypeAlias = Callable[[Callable[[], object]], object]
"""Has something called on the server's loop, from any thread."""

Started: TypeAlias = Callable[[Soon, Running, Callable[[], object]], None]
"""Is told once that the server runs: how to call it, what it is, and what ends it when it is called on its loop."""


@contextmanager
def in_thread(run: Callable[[Started[Running]], object]) -> Generator[tuple[Soon, Running]]:
    """Run `run(started)` in a thread until the block ends; give what it has told `started`.

    Raises:
        Exception: What `run` has raised before it called `started`.
    """
    begun: Future[tuple[Soon, Running, Callable[[], object]]] = Future()

    def body() -> None:
        try:
            run(lambda soon, running, stop: begun.set_result((soon, running, stop)))
        except Exception as error:
            if begun.done():
                raise
            begun.set_exception(error)

    thread = Thread(target=body, daemon=True)  # one that cannot be stopped keeps no process from its exit
    thread.start()
    soon, running, stop = begun.result()
    try:
        yield soon, running
    finally:
        soon(stop)
        thread.join()
