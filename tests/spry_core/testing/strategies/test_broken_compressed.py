"""Tests of `spry_core.testing.strategies.broken_compressed`: each fails the connection, not with us alone (RFC 7692)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.extensions.permessage_deflate import PerMessageDeflate
from websockets.protocol import CLIENT, OPEN, SERVER, Protocol

from drawn import examples, few, seen, simplest
from spry_core.protocol import Agreement, Failure, Limits, Message, Role
from spry_core.testing.frames import BINARY, TEXT, frame
from spry_core.testing.strategies import BrokenWebSocket, broken_compressed
from spry_core.testing.strategies.broken_compressed import BROKEN
from traces import Owner, open_websocket

SMALL = Limits(max_message_size=1000)
FORGETFUL = Agreement(client_no_context_takeover=True, server_no_context_takeover=True)
FORGOTTEN = "the compressed message looks back into a window that was to be forgotten"


def fault(
    broken: BrokenWebSocket, role: Role, agreement: Agreement, limits: Limits | None = None
) -> tuple[object, ...]:
    """Return the messages before the fault, and what it was."""
    conn = open_websocket("server" if role == "client" else "client", agreement=agreement, limits=limits)
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


def expected(broken: BrokenWebSocket) -> tuple[object, ...]:
    return broken.before.messages, broken.verdict.close_code, broken.verdict.section


AGREEMENTS = [
    Agreement(),
    FORGETFUL,
    Agreement(client_max_window_bits=9, server_max_window_bits=9),
]


@pytest.mark.parametrize("role", ["client", "server"])
@pytest.mark.parametrize("agreement", AGREEMENTS, ids=str)
def test_spry_gives_the_verdict(role: Role, agreement: Agreement) -> None:
    @few
    @given(broken_compressed(role=role, agreement=agreement, limits=SMALL))
    def check(broken: BrokenWebSocket) -> None:
        assert fault(broken, role, agreement, SMALL) == expected(broken)

    check()


@pytest.mark.parametrize("role", ["client", "server"])
def test_websockets_fails_the_connection_too(role: Role) -> None:
    """With 1002 where the data are corrupt. It does not ask whether they are complete, and leaves the text to the layer above."""

    @few
    @given(broken_compressed(role=role, agreement=FORGETFUL))
    def check(broken: BrokenWebSocket) -> None:
        reader = Protocol(SERVER if role == "client" else CLIENT, state=OPEN, max_size=1024 * 1024)
        reader.extensions = [PerMessageDeflate(True, True, 15, 15)]
        reader.receive_data(broken.data)
        if broken.verdict.section == "RFC 6455 §8.1" or broken.verdict.fault.endswith("incomplete"):
            return
        assert reader.close_sent is not None
        assert reader.close_sent.code in {broken.verdict.close_code, 1002}

    check()


def fault_of(broken: BrokenWebSocket) -> list[str]:
    return [broken.verdict.fault]


def test_every_fault_comes_up() -> None:
    faults = {kind.fault for kind in BROKEN}
    assert len(faults) == len(BROKEN)
    assert seen(broken_compressed(agreement=FORGETFUL, limits=SMALL), fault_of, faults) == faults


def test_a_window_that_may_be_kept_is_never_forgotten() -> None:
    """RFC 7692 §7.1.1: the agreement is about one side each."""
    of_server = Agreement(server_no_context_takeover=True)
    faults = {kind.fault for kind in BROKEN}
    of_client = broken_compressed(role="client", agreement=of_server, limits=SMALL)
    assert seen(of_client, fault_of, faults - {FORGOTTEN}) == faults - {FORGOTTEN}


def test_without_a_limit_there_is_no_fault_of_size() -> None:
    drawn = examples(broken_compressed(limits=Limits(max_message_size=None)), 100)
    assert {each.verdict.close_code for each in drawn} == {1002, 1007}


def test_a_few_bytes_become_one_more_than_a_message_may_have() -> None:
    """RFC 6455 §10.4: whatever the limit of the receiver is; one byte less would have been right."""
    bomb = simplest(broken_compressed(messages=st.just("x")), lambda each: each.verdict.close_code == 1009)
    assert len(bomb.data) < 2000
    limit = Limits().max_message_size
    assert limit is not None
    assert fault(bomb, "client", Agreement())[1] == 1009
    conn = open_websocket(agreement=Agreement(), limits=Limits(max_message_size=limit + 1))
    conn.receive_data(bomb.data, 0.0)
    assert list(conn) == [Message(data=bytes(limit + 1))]


def test_long_messages_before_are_looked_over_as_well() -> None:
    """The fault looks back to before the first of them; where that is too far for DEFLATE, it does not come up."""
    far = "the compressed message looks back too far"
    drawn = examples(broken_compressed(messages=st.just(b"x" * 9000)), 60)
    broken = next(each for each in drawn if each.verdict.fault == far and each.before.messages)
    assert fault(broken, "client", Agreement()) == expected(broken)
    drawn = examples(broken_compressed(messages=st.just(b"x" * 40_000)), 60)
    assert {bool(each.before.messages) for each in drawn} == {True, False}
    assert not [each for each in drawn if each.verdict.fault == far and each.before.messages]


def test_a_fault_shrinks_to_itself() -> None:
    broken = simplest(broken_compressed())
    assert broken.before.frames == ()
    assert broken.data == frame(BINARY, b"\x06", rsv=4)
