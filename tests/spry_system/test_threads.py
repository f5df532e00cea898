"""Tests of `spry_system.threads`, with a loop that is a queue."""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import SimpleQueue

import pytest

from spry_system.threads import Started, in_thread


class Loop:
    """Does what it is told to, until that is to stop."""

    def __init__(self) -> None:
        self.calls: SimpleQueue[Callable[[], object]] = SimpleQueue()
        self.done: list[str] = []
        self.is_stopped = False
        self.thread: threading.Thread | None = None

    def stop(self) -> None:
        self.is_stopped = True

    def run(self, started: Started[str]) -> None:
        self.thread = threading.current_thread()
        started(self.calls.put, "a server", self.stop)
        while not self.is_stopped:
            self.calls.get()()


def test_the_server_runs_in_a_thread_of_its_own_until_the_block_ends() -> None:
    loop = Loop()
    with in_thread(loop.run) as (soon, running):
        assert running == "a server"
        assert loop.thread not in (None, threading.current_thread())
        soon(lambda: loop.done.append("called"))
    assert (loop.done, loop.is_stopped) == (["called"], True)
    assert loop.thread is not None
    assert not loop.thread.is_alive()


def test_it_is_stopped_when_the_block_raises() -> None:
    loop = Loop()
    with pytest.raises(KeyError), in_thread(loop.run):
        raise KeyError
    assert loop.is_stopped


def test_what_is_raised_before_the_start_comes_out() -> None:
    def run(started: Started[str]) -> None:
        raise OSError("no address is free")

    with pytest.raises(OSError, match=r"^no address is free$"), in_thread(run):
        pytest.fail("the block began")


def test_what_is_raised_after_the_start_is_the_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(started: Started[str]) -> None:
        loop.run(started)
        raise OSError("too late")

    raised: list[str] = []

    def note(arguments: threading.ExceptHookArgs) -> None:
        raised.append(str(arguments.exc_value))

    monkeypatch.setattr(threading, "excepthook", note)
    loop = Loop()
    with in_thread(run):
        pass
    assert raised == ["too late"]
