"""Steps on a stage: what each does, and what it says when it goes another way."""

from __future__ import annotations

from typing import Final

import pytest

from spry_core import Application
from spry_core.testing import TestClient
from spry_core.testing.conformance import Scenario, http, memory, play, ws
from spry_core.testing.conformance.notebook import Notebook
from spry_core.testing.conformance.octets import DATE, SWITCHED, answer, closing, request, said, say, shake
from spry_core.testing.conformance.scripts import LOST, OPEN, answer_late, echo, hear, hello, stay
from spry_core.testing.conformance.stage import MemoryStage
from spry_core.testing.conformance.step_player import Mismatch, StepPlayer
from spry_core.testing.conformance.steps import (
    RST,
    Before,
    Close,
    Connect,
    Expect,
    ExpectEnd,
    HalfClose,
    Noted,
    Overfill,
    Quiet,
    Refused,
    Reset,
    Send,
    Shutdown,
    Step,
    Stuck,
    Wait,
)
from spry_core.testing.pump import READ_SIZE
from spry_core.testing.wire import MemoryWire, Wire

HELLO: Final = answer(b"hello")


def found(*steps: Step, notes: tuple[str, ...] = ()) -> str | None:
    """Play these against a route that answers and one that echoes; return what was found."""
    routes = (
        http(hello, "/hello"),
        http(answer_late, "/late"),
        ws(echo),
        ws(hear, "/hear"),
        ws(stay, "/stay"),
    )
    failure = play(memory, Scenario("test", "test", routes, steps, notes)).failure
    return None if failure is None else f"{failure.step}: {failure.what}"


def test_every_step_may_go_as_it_should() -> None:
    steps = (
        *(Send(request("/hello")), Expect(HELLO), Quiet(1), Wait(1), HalfClose(), ExpectEnd()),
        *(
            Connect("b"),
            Send(shake("/hear"), "b"),
            Expect(SWITCHED, "b"),
            Send(say("a"), "b"),
            Noted("got 'a'"),
        ),
        *(Stuck("nothing", below=1), Before("nothing", 1), Noted("got 'a'", after=9), Reset("b")),
        *(Connect("c"), Close("c"), Shutdown(), Refused()),
    )
    assert found(*steps, notes=("got 'a'", LOST)) is None


@pytest.mark.parametrize(
    ("steps", "what"),
    [
        ((Send(request("/hello")), Expect(HELLO[:-1] + b"?")), "1: other bytes have come"),
        ((Send(request("/hello")), Expect(HELLO + b"x")), "1: nothing more has come"),
        ((Send(request("/hello")), HalfClose(), Expect(HELLO + b"x")), "2: the stream has ended"),
        (
            (Send(request("/hello")), Expect(HELLO, after=1)),
            "1: it has come 1.000 s too early (expected after 1 s)",
        ),
        ((*OPEN, Send(b"\x83\x80" + bytes(4)), Wait(9), Expect(closing(1002))), "4: the stream was cut"),
        ((Connect(), ExpectEnd()), "1: the stream has not ended (expected FIN)"),
        ((Send(request("/hello")), ExpectEnd()), "1: bytes instead of the end (expected FIN)"),
        ((Connect(), HalfClose(), ExpectEnd(RST)), "2: the stream has ended by FIN instead of RST"),
        (
            (Connect(), Wait(5), HalfClose(), ExpectEnd(after=1)),
            "3: it has come 1.000 s too early (expected after 1 s)",
        ),
        ((Send(request("/hello")), Quiet(1)), "1: bytes have come, and nothing should have happened"),
        (
            (*OPEN, Send(b"\x83\x80" + bytes(4)), Wait(9), Quiet(9)),
            "4: the stream was cut, and nothing should",
        ),
        ((Connect(), Quiet(11)), "1: the stream has ended, and nothing should have happened"),
        ((Connect(), Noted("x")), "1: 'x' was not noted, only []"),
        (
            (Send(request("/late")), Noted("done", after=1)),
            "1: it has come 0.850 s too early (expected after 1 s)",
        ),
        (
            (Connect(), Overfill(b"\r\n", times=2)),
            "1: all of 4 bytes were taken, and reading should have stopped before",
        ),
        ((Connect(), Refused()), "1: a connection was accepted"),
        (
            (Connect(), Stuck("nothing", below=0)),
            "1: 'nothing' has come to 0, and should have stopped before",
        ),
        ((Shutdown(), Connect("b")), "1: ConnectionRefusedError('the server accepts no further connection')"),
        ((*OPEN, Send(say("a")), Expect(said("a"))), "None: the handlers have told"),
        ((Expect(b"x", "nobody"),), "0: KeyError('nobody')"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_goes_another_way_is_said(steps: tuple[Step, ...], what: str) -> None:
    assert (found(*steps) or "").startswith(what)


def test_a_note_is_waited_for_until_it_is_due() -> None:
    steps = (Send(request("/late")), Noted("done", after=0.15), Expect(answer(b"late")))
    assert found(*steps, notes=("begun", "done")) is None


def test_what_comes_in_many_pieces_is_put_together() -> None:
    text = "x" * (2 * READ_SIZE)
    steps = (*OPEN, Send(say(text)), Expect(said(text)), Reset())
    assert found(*steps, notes=(LOST,)) is None


def test_bytes_before_an_end_matter_unless_it_is_said() -> None:
    assert found(Send(request("/hello")), HalfClose(), ExpectEnd(whatever=True)) is None


def test_who_is_not_read_from_has_sent_too_much() -> None:
    steps = (
        Connect(patience=1.0),
        Send(shake("/stay")),
        Expect(SWITCHED),
        Overfill(say("x" * 30_000), times=400),
    )
    assert found(*steps, Reset(), notes=(LOST,)) is None


def test_a_stream_that_a_send_has_found_cut_is_cut() -> None:
    steps = (*OPEN, Send(b"\x83\x80" + bytes(4)), Wait(9), Send(b"more"), ExpectEnd(RST))
    assert found(*steps, notes=("end 1002 by local, not clean",)) is None


class SaysOnce(MemoryWire):
    """A stream that was cut, of a kernel that says so to the first who asks, and then that there is no more."""

    def send(self, data: bytes) -> None:
        raise ConnectionResetError

    def receive(self, timeout: float, size: int = READ_SIZE) -> bytes | None:
        return b""


class SaysOnceStage(MemoryStage):
    def connect(self, *, slow: bool, patience: float | None) -> Wire:
        return SaysOnce(self._client)


def test_a_cut_that_is_said_once_is_not_forgotten() -> None:
    player = StepPlayer(SaysOnceStage(TestClient(Application())), Notebook())
    player.play(Connect())
    player.play(ExpectEnd())
    player.play(Send(b"a"))
    player.play(ExpectEnd(RST))
    with pytest.raises(Mismatch, match="ended by RST instead of FIN"):
        player.play(ExpectEnd())


def test_a_mismatch_says_what_it_is() -> None:
    assert str(Mismatch("something", b"a", b"b")) == "something"


def test_a_date_may_be_any_but_must_be_there() -> None:
    assert found(Send(request("/hello")), Expect(HELLO)) is None
    assert found(Send(request("/hello")), Expect(HELLO.replace(DATE, b""))) == "1: other bytes have come"
