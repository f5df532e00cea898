"""Receiving one response, against bytes that the test writes by hand."""

from __future__ import annotations

import pytest

from spry_core.closing import ConnectionLost, ProtocolFailure
from spry_core.errors import HandshakeRejected
from spry_core.headers import Headers
from spry_core.protocol import Accept, BodyEnd, Connection, RequestHead, ResponseHead
from spry_core.protocol.handshake import request as opening_handshake
from spry_core.testing.client_stream import ClientStream
from spry_core.testing.conversation import Conversation
from spry_core.testing.memory import MemoryDriver
from spry_core.testing.parked import Deadlock
from spry_core.testing.peer import MemoryPeer
from spry_core.testing.pipe import stream
from spry_core.testing.response import ClientRejected, ClientResponse, receive_head


def asked(method: bytes = b"GET") -> tuple[Conversation, MemoryPeer]:
    """Return a client that has sent a request, and the server's end of its stream."""
    driver = MemoryDriver()
    ours, theirs = stream()
    conversation = Conversation(driver, ours, Connection("client", now=0.0, random=bytes))
    conversation.send(RequestHead(method=method, target=b"/", headers=((b"host", b"test"),)))
    conversation.send(BodyEnd())
    return conversation, MemoryPeer(driver, theirs)


def receive_response(conversation: Conversation, what: str) -> ClientResponse:
    head, interim = receive_head(conversation, what)
    assert isinstance(head, ResponseHead)
    return ClientStream(conversation, what, head, interim, lambda _: None).read()


def response(content: bytes, content_type: str | None = None) -> ClientResponse:
    headers = Headers({} if content_type is None else {"content-type": content_type})
    return ClientResponse(status_code=200, headers=headers, content=content, trailers=Headers())


def test_a_response_is_received_to_its_end() -> None:
    conversation, peer = asked()
    peer.send(b"HTTP/1.1 201 Made\r\nContent-Type: text/plain\r\nContent-Length: 3\r\n\r\nabc")
    assert receive_response(conversation, "the answer") == ClientResponse(
        status_code=201,
        reason_phrase="Made",
        headers=Headers([("content-type", "text/plain"), ("content-length", "3")]),
        content=b"abc",
        trailers=Headers(),
    )


def test_chunks_are_joined_and_trailers_kept_apart() -> None:
    """RFC 9112 §7.1: the framing is not part of the content."""
    conversation, peer = asked()
    peer.send(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\nSum: 6\r\n\r\n"
    )
    answer = receive_response(conversation, "the answer")
    assert (answer.content, answer.trailers, "sum" in answer.headers) == (
        b"abc",
        Headers([("sum", "6")]),
        False,
    )


def test_interim_responses_stand_beside_the_final_one() -> None:
    """RFC 9110 §15.2."""
    conversation, peer = asked()
    peer.send(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n")
    answer = receive_response(conversation, "the answer")
    assert answer.status_code == 204
    assert answer.interim == (
        ResponseHead(status_code=103, headers=((b"link", b"</a>"),), reason_phrase=b"Early Hints"),
    )


def test_a_connection_that_ends_before_the_head_is_an_error() -> None:
    conversation, peer = asked()
    peer.reset()
    with pytest.raises(ConnectionLost):
        receive_response(conversation, "the answer")


def test_a_connection_that_ends_in_the_content_is_an_error() -> None:
    conversation, peer = asked()
    peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab")
    peer.reset()
    with pytest.raises(ConnectionLost):
        receive_response(conversation, "the answer")


def test_an_answer_that_breaks_the_protocol_is_an_error_that_says_how() -> None:
    conversation, peer = asked()
    peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab")
    peer.close()
    with pytest.raises(ProtocolFailure) as caught:
        receive_response(conversation, "the answer")
    assert str(caught.value.__cause__) == "the stream ended inside the content"


def test_an_answer_that_is_no_http_is_an_error_that_says_so() -> None:
    conversation, peer = asked()
    peer.send(b"what?\r\n\r\n")
    with pytest.raises(ProtocolFailure):
        receive_response(conversation, "the answer")


def test_an_answer_that_never_comes_is_a_deadlock() -> None:
    conversation, _ = asked()
    with pytest.raises(Deadlock, match=r"^nothing can bring the answer to GET /"):
        receive_response(conversation, "the answer to GET /")


def test_the_rest_of_a_response_may_be_received_alone() -> None:
    conversation, peer = asked()
    peer.send(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno")
    head = conversation.receive("the head")
    assert isinstance(head, ResponseHead)
    answer = ClientStream(conversation, "the answer", head, (), lambda _: None).read()
    assert (answer.status_code, answer.content, answer.interim) == (403, b"no", ())


def test_the_answer_to_an_opening_handshake_may_be_a_101() -> None:
    """The value is what RFC 6455 §4.2.2 makes of a key of sixteen zero bytes."""
    driver = MemoryDriver()
    ours, theirs = stream()
    conversation = Conversation(driver, ours, Connection("client", now=0.0, random=bytes))
    conversation.send(opening_handshake(host="test", target="/", random=bytes))
    conversation.send(BodyEnd())
    MemoryPeer(driver, theirs).send(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: ICX+Yqv66kxgM0FcWaLWlFLwTAI=\r\n\r\n"
    )
    accept, interim = receive_head(conversation, "the 101")
    assert isinstance(accept, Accept)
    assert (accept.subprotocol, interim) == (None, ())


@pytest.mark.parametrize(
    ("content", "content_type", "text"),
    [
        (b"caf\xc3\xa9", None, "café"),
        (b"caf\xc3\xa9", "text/plain", "café"),
        (b"caf\xe9", "text/plain; charset=latin-1", "café"),
        (b"caf\xe9", 'Text/Plain; Charset="ISO-8859-1"; format=flowed', "café"),
    ],
)
def test_text_is_decoded_as_content_type_says(content: bytes, content_type: str | None, text: str) -> None:
    assert response(content, content_type).text == text


def test_text_in_a_wrong_or_unknown_charset_is_an_error() -> None:
    with pytest.raises(UnicodeDecodeError):
        _ = response(b"\xff").text
    with pytest.raises(LookupError):
        _ = response(b"a", "text/plain; charset=unknown").text


def test_json_is_read_or_refused() -> None:
    assert response(b'{"a": [1, null]}').json() == {"a": [1, None]}
    with pytest.raises(ValueError, match="Expecting value"):
        response(b"no").json()


def test_a_denied_handshake_carries_the_whole_response_also_for_checkers() -> None:
    denied = response(b"[1]", "application/json")
    error = ClientRejected(denied)
    content: bytes = error.response.content
    assert (error.response is denied, content) == (True, b"[1]")
    assert isinstance(error, HandshakeRejected)
    assert str(error) == "the opening handshake was refused with 200"
