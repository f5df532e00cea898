"""Tests of `spry_core.errors`: the tree, and what its errors carry."""

from __future__ import annotations

import pytest

from spry_core import errors
from spry_core.closing import Close, CloseInfo
from spry_core.errors import (
    BufferFull,
    ConnectionClosed,
    ConnectionLost,
    HandshakeRejected,
    KeepaliveTimeout,
    LocalProtocolError,
    ProtocolFailure,
    RemoteProtocolError,
    ResponseSealedError,
    SpryError,
    WebSocketBusyError,
    WebSocketStateError,
)

PARENTS: dict[type[Exception], type[Exception]] = {
    SpryError: Exception,
    LocalProtocolError: SpryError,
    WebSocketStateError: LocalProtocolError,
    WebSocketBusyError: LocalProtocolError,
    BufferFull: LocalProtocolError,
    ResponseSealedError: LocalProtocolError,
    RemoteProtocolError: SpryError,
    ConnectionClosed: SpryError,
    ConnectionLost: ConnectionClosed,
    KeepaliveTimeout: ConnectionClosed,
    ProtocolFailure: ConnectionClosed,
    HandshakeRejected: SpryError,
}


def test_the_tree_is_the_one_of_the_specification() -> None:
    found = {each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, Exception)}
    assert found == set(PARENTS)
    assert {each: each.__bases__ for each in found} == {each: (PARENTS[each],) for each in found}


def test_a_peers_mistake_says_what_to_answer_and_why() -> None:
    error = RemoteProtocolError("two Host fields", status_code=400, section="RFC 9112 §3.2")
    assert (str(error), error.status_code, error.close_code) == ("two Host fields", 400, None)
    assert error.section == "RFC 9112 §3.2"
    assert RemoteProtocolError("x", close_code=1002, section="y").close_code == 1002


@pytest.mark.parametrize("kind", [ConnectionClosed, ConnectionLost, KeepaliveTimeout, ProtocolFailure])
def test_the_end_of_a_connection_is_told_by_its_record(kind: type[ConnectionClosed]) -> None:
    info = CloseInfo(
        initiator="remote", received=Close(code=4000, reason="x"), close_code=4000, close_reason="x"
    )
    error = kind(info)
    assert error.info is info
    assert (error.close_code, error.close_reason) == (4000, "x")
    assert str(error) == "the connection has ended: 4000 'x', by remote"


def test_an_end_without_a_reason_is_told_without_one() -> None:
    assert str(ConnectionClosed(CloseInfo(initiator="local"))) == "the connection has ended: 1006, by local"


def test_while_the_closing_handshake_runs_there_is_no_record() -> None:
    error = ConnectionClosed()
    assert (error.info, error.close_code, error.close_reason) == (None, 1006, "")
    assert str(error) == "the connection is closing"


def test_a_message_of_its_own_is_kept() -> None:
    assert str(ConnectionLost(None, "the peer does not read")) == "the peer does not read"


def test_a_refused_handshake_carries_the_response() -> None:
    """RFC 6455 §4.1."""
    response = object()
    error = HandshakeRejected(response)
    assert error.response is response
    assert str(error) == "the opening handshake was refused"
