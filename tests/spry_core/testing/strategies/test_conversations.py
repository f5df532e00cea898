"""Tests of `spry_core.testing.strategies.conversations` (RFC 9112 §9.3)."""

from __future__ import annotations

import h11
from hypothesis import given
from hypothesis import strategies as st

from differential.request_readers import by_spry
from drawn import examples, few, seen, simplest
from spry_core.testing.strategies import HttpConversation, http_conversations, requests


@few
@given(http_conversations())
def test_every_request_is_read_and_nothing_else(conversation: HttpConversation) -> None:
    reading = by_spry(conversation.data)
    assert reading.fault == ""
    contents = [each.content for each in conversation.requests]
    assert [each.content for each in reading.messages] == contents


@few
@given(http_conversations(requests=requests(headers=st.just(()))))
def test_h11_reads_them_one_after_the_other(conversation: HttpConversation) -> None:
    reader, heard = h11.Connection(h11.SERVER), list[bytes]()
    for request in conversation.requests:
        reader.receive_data(request.data.lstrip(b"\r\n"))
        while not isinstance(event := reader.next_event(), h11.EndOfMessage):
            if isinstance(event, h11.Request):
                heard.append(event.target)
        reader.send(h11.Response(status_code=204, headers=[]))
        reader.send(h11.EndOfMessage())
        if reader.our_state is h11.DONE:
            reader.start_next_cycle()
    assert heard == [request.target for request in conversation.requests]


def test_only_the_last_ends_the_connection() -> None:
    for conversation in examples(http_conversations(), 40):
        assert not any(request.is_last for request in conversation.requests[:-1])


def test_the_simplest_is_one_request() -> None:
    assert simplest(http_conversations()).data == b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
    two = simplest(http_conversations(), lambda each: len(each.requests) == 2)
    assert two.data == b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" * 2


def test_pipelines_and_ends_come_up() -> None:
    wanted = {(size, is_last) for size in (1, 2, 3) for is_last in (True, False)}
    told = seen(
        http_conversations(max_size=3), lambda each: [(len(each.requests), each.requests[-1].is_last)], wanted
    )
    assert told == wanted
