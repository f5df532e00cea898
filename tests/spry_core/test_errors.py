"""Tests of `spry_core.errors`: the tree, and what its errors carry."""

from __future__ import annotations

from spry_core import closing, errors
from spry_core.closing import (
    ConnectionClosed,
    ConnectionLost,
    KeepaliveTimeout,
    ProtocolFailure,
)
from spry_core.errors import (
    BufferFull,
    HandshakeRejected,
    LocalProtocolError,
    RemoteProtocolError,
    ResponseSealedError,
    SpryError,
    WebSocketBusyError,
    WebSocketStateError,
)
from spry_core.protocol import ResponseHead

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
    every = {**vars(errors), **vars(closing)}.values()
    found = {each for each in every if isinstance(each, type) and issubclass(each, Exception)}
    assert found == set(PARENTS)
    assert {each: each.__bases__ for each in found} == {each: (PARENTS[each],) for each in found}


def test_a_peers_mistake_says_what_to_answer_and_why() -> None:
    error = RemoteProtocolError("two Host fields", status_code=400, section="RFC 9112 §3.2")
    assert (str(error), error.status_code, error.close_code) == ("two Host fields", 400, None)
    assert error.section == "RFC 9112 §3.2"
    assert RemoteProtocolError("x", close_code=1002, section="y").close_code == 1002


def test_a_refused_handshake_carries_the_response() -> None:
    """RFC 6455 §4.1."""
    response = ResponseHead(status_code=403)
    error = HandshakeRejected(response)
    assert error.response is response
    assert str(error) == "the opening handshake was refused with 403"
