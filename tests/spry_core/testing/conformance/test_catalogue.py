"""All scenarios: asyncio, uvloop and trio pass them; a backend that is wrong in one way fails the right ones.

For the memory driver see `groups`.
"""

from __future__ import annotations

from collections import Counter

import pytest

import spry_asyncio.testing
import spry_trio.testing
import wrong_backends as faults
from spry_core.testing.conformance import SCENARIOS, Backend, play, play_all
from wrong_backends import wrong

TITLES = {scenario.title: scenario for scenario in SCENARIOS}

WORKERS = 4


def test_there_are_many_and_each_has_a_title_of_its_own() -> None:
    assert len(SCENARIOS) == len(TITLES) == 263
    assert min(Counter(scenario.group for scenario in SCENARIOS).values()) >= 5


@pytest.mark.parametrize(
    ("backend", "first"),
    [
        pytest.param(spry_asyncio.testing.backend, 0, id="asyncio"),
        pytest.param(spry_asyncio.testing.uvloop_backend, 1, id="uvloop"),
        pytest.param(spry_trio.testing.backend, 2, id="trio"),
    ],
)
def test_the_adapters_pass_over_sockets(backend: Backend, first: int) -> None:
    """Each a third here, which together are all; the command plays all of them on one.

    What fails is played once more, alone: a machine that is busy with something else is late for what is timed.
    """
    results = list(play_all(backend, SCENARIOS[first::3], workers=WORKERS))
    assert len(results) == len(SCENARIOS[first::3])
    again = [play(backend, result.scenario) for result in results if not result.passed]
    assert [(result.scenario.title, result.failure) for result in again if not result.passed] == []


FAULTS: dict[str, tuple[Backend, tuple[str, ...], tuple[str, ...]]] = {
    "nothing": (wrong(), (), ("http: a request is answered", "closing: an abort is a reset")),
    "loses a Close frame": (
        wrong(faults.LosesClose),
        (
            "closing: the peer's Close is answered with its code",
            "closing: a server's Close goes out at once, and is over with the peer's",
            "shutdown: a WebSocket gets the code and the reason",
            "control frames: invalid text fails the connection",
        ),
        (
            "http: pipelined requests are answered in order, whatever time each takes",
            "closing: a stream that ends without a Close is a loss",
            "timers: a handler sleeps as long as it says",
            "tasks: an event wakes everybody, and who has given up is not missed",
        ),
    ),
    "writes after the Close frame": (
        wrong(faults.WritesAfterClose),
        (
            "closing: the peer's Close is answered with its code",
            "control frames: what comes before a violation in the same read is answered",
        ),
        ("http: a connection serves one request after the other", "timers: limits may be nested"),
    ),
    "ignores deadlines": (
        wrong(faults.IgnoresDeadlines),
        (
            "timers: a handler sleeps as long as it says",
            "timers: a head that does not come is the end",
            "keepalive: a silent peer is pinged after the interval",
            "closing: a peer that never answers a Close is cut",
            "streaming: a peer that never reads is cut after the time for writing",
            "opening: a handler that does not accept in time is cancelled, and the peer told 503",
            # More heads than one turn takes; the next turn is a deadline, also behind an answer.
            "http: fifty pipelined requests get fifty answers",
        ),
        (
            "http: a connection serves one request after the other",
            "closing: the peer's Close is answered with its code",
            "messages: a message is echoed",
        ),
    ),
    "is late": (
        wrong(faults.IsLate),
        (
            "timers: a handler sleeps as long as it says",
            "keepalive: a silent peer is pinged after the interval",
        ),
        ("http: a request is answered", "closing: the peer's Close is answered with its code"),
    ),
    "never lowers a deadline": (
        wrong(faults.RemembersDeadlines),
        (
            "timers: a deadline may become earlier while the connection waits",
            "keepalive: the interval may be set while the connection waits",
            "timers: tasks sleep at the same time",
        ),
        ("timers: a head that does not come is the end", "closing: an abort is a reset"),
    ),
    "reorders writes": (
        wrong(faults.Reorders),
        (
            "messages: messages sent without a wait between come in order",
            "control frames: every ping of one read is answered, in order",
        ),
        ("closing: the peer's Close is answered with its code", "closing: an abort is a reset"),
    ),
    "reads always": (
        wrong(faults.ReadsAlways),
        (
            "backpressure: reading stops while a handler does not receive",
            "backpressure: reading stops while a content is not read",
            "backpressure: reading stops while pipelined requests wait",
        ),
        ("messages: a message is echoed", "closing: an abort is a reset"),
    ),
    "never reports bytes as written": (
        wrong(faults.NeverCredits),
        (
            "backpressure: a full buffer is an error, and has room again when it is empty",
            "backpressure: the end of what was queued is told",
        ),
        ("messages: a message is echoed", "closing: the peer's Close is answered with its code"),
    ),
    "reports bytes as written at once": (
        wrong(faults.CreditsAtOnce),
        (
            "streaming: a source waits for a peer that does not read",
            "streaming: a peer that never reads is cut after the time for writing",
        ),
        ("messages: a message is echoed", "timers: a limit ends what waits"),
    ),
    "keeps the end of the peer's bytes": (
        wrong(faults.KeepsEof),
        (
            "closing: a stream that ends without a Close is a loss",
            "half-close: half a head and the end is a 400",
            "cancellation: a handler is cancelled when the peer's bytes end",
        ),
        ("http: a request is answered", "closing: the peer's Close is answered with its code"),
    ),
    "takes the end of the peer's bytes for the end of the stream": (
        wrong(faults.TakesEofForLoss),
        (
            "half-close: all pipelined requests are answered before the end",
            "streaming: a peer that has ended its direction still gets its answer",
        ),
        ("http: a request is answered", "closing: the peer's Close is answered with its code"),
    ),
    "ends in order what it should abort": (
        wrong(faults.AbortsInOrder),
        (
            "closing: an abort is a reset",
            "http: an answer shorter than it says is cut off",
            "closing: a peer that never answers a Close is cut",
        ),
        ("http: a request is answered", "closing: the peer's Close is answered with its code"),
    ),
    "closes what it should half-close": (
        wrong(faults.ClosesFully),
        (
            "closing: the stream is half-closed, and what comes then is read",
            "control frames: what comes behind a violation is thrown away",
            "http: what comes behind a mistake is read and not answered",
        ),
        ("http: a connection ends with the answer when the peer says so",),
    ),
    "does not tell of a loss": (
        wrong(faults.KeepsLoss),
        (
            "resets: a reset of a WebSocket is a loss",
            "cancellation: who sends to a peer that is gone is told",
            "streaming: a source is closed when the peer resets the stream",
        ),
        ("http: a request is answered", "closing: the peer's Close is answered with its code"),
    ),
    "ignores notify": (
        wrong(driver=faults.IgnoresNotify),
        (
            "closing: a Close that nothing else comes with is written",
            "streaming: pieces go out as they are given",
            "messages: a source is sent item by item",
        ),
        (
            "control frames: a ping is answered with its payload",
            "half-close: half a head and the end is a 400",
        ),
    ),
    "does not cancel tasks": (
        wrong(driver=faults.NeverCancels),
        ("cancellation: a server that stops ends what still runs",),
        ("timers: a limit ends what waits", "closing: the peer's Close is answered with its code"),
    ),
    "wakes one waiter": (
        wrong(driver=faults.WakesOne),
        (
            "tasks: an event wakes everybody, and who has given up is not missed",
            "closing: everybody who waits for the end is told",
        ),
        ("messages: a message is echoed", "timers: a handler sleeps as long as it says"),
    ),
    "forgets an event that nobody waits for": (
        wrong(driver=faults.LosesWakeUp),
        ("tasks: an event that has come is not waited for",),
        ("messages: a message is echoed", "timers: a handler sleeps as long as it says"),
    ),
    "tears a frame on cancel": (
        wrong(faults.CountsUnsent, faults.TearsOnCancel),
        (
            "cancellation: a send that is cancelled leaves no frame torn",
            "cancellation: a task that is cancelled in a send leaves no frame torn",
        ),
        ("timers: a limit ends what waits", "backpressure: the end of what was queued is told"),
    ),
    "shares one context": (
        wrong(shares_context=True),
        (
            "tasks: each request has a context of its own",
            "tasks: connections do not share a context",
            "tasks: tasks inherit the context of their start, and change only their own",
            # Whose clock a task uses stands in the context that it was started in.
            "timers: a limit ends what waits",
        ),
        ("http: a request is answered", "closing: the peer's Close is answered with its code"),
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_wrong_backend_fails_the_right_scenarios_and_no_others(name: str) -> None:
    backend, failing, passing = FAULTS[name]
    results = {title: play(backend, TITLES[title]).passed for title in (*failing, *passing)}
    assert results == {**dict.fromkeys(failing, False), **dict.fromkeys(passing, True)}
