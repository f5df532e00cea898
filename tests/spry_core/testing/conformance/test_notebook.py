"""What handlers tell."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from spry_core.tasks import now, sleep
from spry_core.testing import MemoryDriver
from spry_core.testing.conformance import REAL, VIRTUAL, Notebook


def test_notes_keep_their_order_and_counts_are_counted() -> None:
    note = Notebook()
    note("b")
    note("a")
    note.count("x")
    note.count("x")
    assert (note.notes, note.counts["x"], note.counts["y"]) == (["b", "a"], 2, 0)


def sleeping(note: Notebook, seconds: float) -> Callable[[], Awaitable[None]]:
    async def sleep_and_tell() -> None:
        begun = now()
        await sleep(seconds)
        note.lasted("sleep", begun, 1.0)

    return sleep_and_tell


def test_what_lasts_as_long_as_it_should_is_on_time() -> None:
    note = Notebook()
    for tolerance in (VIRTUAL, REAL):
        note.tolerance = tolerance
        for seconds in (0.995, 1.0, 2.0):
            MemoryDriver().run(sleeping(note, seconds))
    assert note.notes == [
        "sleep after 0.995 s instead of 1.0 s",
        "sleep on time",
        "sleep after 2.000 s instead of 1.0 s",
        "sleep on time",
        "sleep on time",
        "sleep on time",
    ]
