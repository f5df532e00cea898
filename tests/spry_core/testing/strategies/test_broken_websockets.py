"""Tests of `spry_core.testing.strategies.broken_websockets`: each fails the connection, not with us alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.protocol import CLIENT, OPEN, SERVER, Protocol

from drawn import examples, few, seen, simplest
from engines import present
from spry_core.protocol import Failure, Limits, Message, Refusal, RequestHead, Role
from spry_core.testing.frames import TEXT, frame
from spry_core.testing.strategies import (
    BrokenHandshake,
    BrokenWebSocket,
    broken_handshakes,
    broken_websockets,
)
from spry_core.testing.strategies.broken_websockets import BROKEN, HANDSHAKES
from traces import Owner, connection, open_websocket

OF_THE_ENGINE = {"RFC 6455 §5.1", "RFC 6455 §5.5"} if present() == "reference" else {"RFC 6455 §5.1"}
"""Sections that the engine does not tell from §5.2."""

SMALL = Limits(max_message_size=50, max_fragments=5)


def fault(broken: BrokenWebSocket, role: Role, limits: Limits | None = None) -> tuple[object, ...]:
    """Return the messages before the fault, and what it was."""
    conn = open_websocket("server" if role == "client" else "client", limits=limits)
    mask = b"abcd" if role == "client" else None
    owner = Owner(conn)
    conn.receive_data(broken.data + frame(TEXT, b"behind", mask=mask), 0.0)
    owner.look()
    while conn.next_deadline() == 0.0:  # much is read in turns, of which the next is due at once
        conn.handle_deadline(0.0)
        owner.look()
    messages = tuple(each.data for each in owner.heard if isinstance(each, Message))
    (error,) = [event.error for event in owner.heard if isinstance(event, Failure)]
    return messages, error.close_code, error.section


@pytest.mark.parametrize("role", ["client", "server"])
def test_spry_gives_the_verdict(role: Role) -> None:
    @few
    @given(broken_websockets(role=role))
    def check(broken: BrokenWebSocket) -> None:
        verdict = broken.verdict
        section = "RFC 6455 §5.2" if verdict.section in OF_THE_ENGINE else verdict.section
        assert fault(broken, role) == (broken.before.messages, verdict.close_code, section)

    check()


@pytest.mark.parametrize("role", ["client", "server"])
def test_websockets_fails_the_connection_too(role: Role) -> None:
    """With the same code, but for the number of frames, which it does not limit."""

    @few
    @given(broken_websockets(role=role, limits=Limits(max_fragments=None)))
    def check(broken: BrokenWebSocket) -> None:
        reader = Protocol(SERVER if role == "client" else CLIENT, state=OPEN, max_size=1024 * 1024)
        reader.receive_data(broken.data)
        if broken.verdict.section == "RFC 6455 §8.1" or broken.verdict.fault.startswith("a length"):
            return  # it leaves the text to the layer above, and takes lengths in any form (RFC 6455 §5.2)
        assert reader.close_sent is not None
        assert reader.close_sent.code == broken.verdict.close_code

    check()


def test_every_fault_comes_up() -> None:
    faults = {kind.fault for kind in BROKEN}
    assert len(faults) == len(BROKEN)
    assert seen(broken_websockets(limits=SMALL), fault_of, faults) == faults


def fault_of(broken: BrokenWebSocket | BrokenHandshake) -> list[str]:
    return [broken.verdict.fault]


@few
@given(broken_websockets(limits=SMALL, messages=st.just("x")))
def test_the_limits_are_those_of_the_receiver(broken: BrokenWebSocket) -> None:
    assert set(broken.before.messages) <= {"x"}
    assert len(broken.data) < 1500
    assert fault(broken, "client", SMALL)[1] == broken.verdict.close_code


@pytest.mark.parametrize("size", [3, 50, 124, 125, 200, 65534, 65535, 70_000])
def test_a_message_is_one_byte_too_big_whatever_the_limit(size: int) -> None:
    """RFC 6455 §7.4.1: known from the length alone, in each of its forms."""
    limits = Limits(max_message_size=size)
    too_big = broken_websockets(limits=limits, messages=st.just("x")).filter(
        lambda each: each.verdict.close_code == 1009
    )
    drawn = examples(too_big, 5)
    assert drawn
    assert {fault(broken, "client", limits)[1] for broken in drawn} == {1009}


def test_without_a_limit_there_is_no_fault_of_size() -> None:
    boundless = Limits(max_message_size=None, max_fragments=None)
    faults = {kind.fault for kind in BROKEN if kind.close_code not in (1008, 1009)}
    assert seen(broken_websockets(limits=boundless), fault_of, faults) == faults


def test_a_fault_shrinks_to_itself() -> None:
    text = simplest(broken_websockets(), lambda each: each.verdict.section == "RFC 6455 §8.1")
    assert text.before.frames == ()
    assert text.data == frame(TEXT, b"\xff")


@few
@given(broken_handshakes(target=b"/chat"))
def test_spry_refuses_a_broken_handshake(broken: BrokenHandshake) -> None:
    """RFC 6455 §4.2.1, §4.2.2."""
    conn = connection()
    conn.receive_data(broken.data, 0.0)
    head = conn.next_event()
    assert isinstance(head, RequestHead)
    assert head.target == b"/chat"
    assert isinstance(head.websocket, Refusal)
    assert head.websocket.status_code == broken.verdict.status_code


def test_every_broken_handshake_comes_up() -> None:
    faults = {fault for fault, _, _ in HANDSHAKES}
    assert len(faults) == len(HANDSHAKES)
    assert seen(broken_handshakes(), fault_of, faults) == faults
    assert simplest(broken_handshakes()).verdict.fault == "Sec-WebSocket-Version is missing"
