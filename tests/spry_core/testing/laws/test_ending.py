"""The laws of the end."""

from __future__ import annotations

import pytest

import lawless
from hostile import application
from lawless import with_core
from spry_core import Timeouts
from spry_core.protocol import Connection, StreamEnd
from spry_core.testing import laws
from spry_core.testing.laws import AppSubject, ConnectionSubject, LawBroken


def test_a_handler_that_does_not_end_is_named_with_its_line() -> None:
    with pytest.raises(LawBroken) as caught:
        laws.one_end(lawless.never_ends(), "/echo")
    got = str(caught.value).splitlines()[2]
    assert got.startswith("  got:      no end within an hour; task 1 of the connection at ")
    assert "lawless.py:" in got
    assert got.endswith(" in never_ends.<locals>.echo, awaiting MemoryEvent.wait has not ended")


def test_a_connection_without_an_end_is_found() -> None:
    never = Timeouts(head=None)
    with pytest.raises(LawBroken, match="got:      no end within an hour\n") as caught:
        laws.one_end(AppSubject(application(), timeouts=never), "/")
    assert str(caught.value.case).startswith("('stays', ")


def test_two_ends_are_found() -> None:
    subject = ConnectionSubject(lambda now, random: lawless.EndsTwice("server", now=now, random=random))
    with pytest.raises(LawBroken, match="got:      ConnectionEnded 2 times, and behind the first "):
        laws.one_end(subject, "/")


def test_what_is_handed_out_when_all_is_over_is_found() -> None:
    class Chatty(Connection):
        def data_to_send(self) -> list[bytes | StreamEnd]:
            return [*super().data_to_send(), *([b"late"] if self.closed else [])]

    with pytest.raises(LawBroken) as caught:
        laws.one_end(with_core(Chatty), "/", cases=[("resets", 3)])
    assert "got:      [b'late'] when it was closed already" in str(caught.value)


def test_what_comes_behind_the_end_of_the_stream_is_found() -> None:
    with pytest.raises(LawBroken) as caught:
        laws.nothing_after_half_close(with_core(lawless.WritesAfterItsEnd), "/")
    assert "got:      b'late' behind HALF_CLOSE" in str(caught.value)
    assert (caught.value.law, caught.value.target) == ("nothing_after_half_close", "/")


def test_a_case_is_run_as_it_is_given() -> None:
    laws.one_end(
        application(), "/", data=b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", cases=[("resets", 5), ("ends", 27)]
    )


def test_who_says_nothing_behind_the_end_keeps_the_law() -> None:
    laws.nothing_after_half_close(application(), "/", samples=4)
