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
    forget_frames,
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


def test_an_error_forgets_who_found_it_and_why() -> None:
    """The frames of a traceback hold what was read."""

    def find() -> None:
        try:
            try:
                raise KeyError("first")
            except KeyError:
                raise UnicodeError("second")  # noqa: B904 - a context and no cause
        except UnicodeError as error:
            raise RemoteProtocolError("third", section="RFC 9112") from error

    found: RemoteProtocolError | None = None
    try:
        find()
    except RemoteProtocolError as error:
        found = error
    assert found is not None
    second = found.__cause__
    assert second is not None
    first = second.__context__
    assert first is not None
    forget_frames(found)
    assert [each.__traceback__ for each in (found, second, first)] == [None, None, None]
    assert [repr(each) for each in (second, first)] == ["UnicodeError('second')", "KeyError('first')"]
