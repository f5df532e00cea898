from __future__ import annotations

import pytest

from fakes import FakeExchange, Stepped, run
from spry_core.closing import ConnectionLost
from spry_core.errors import LocalProtocolError
from spry_core.headers import Headers
from spry_core.web.body import RequestBody, too_large
from spry_core.web.exceptions import Abort


async def pieces_of(body: RequestBody) -> list[bytes]:
    return [piece async for piece in body]


async def next_of(body: RequestBody) -> bytes:
    return await anext(body)


def full_body(exchange: FakeExchange, *pieces: bytes) -> RequestBody:
    """Make a content that has arrived as a whole."""
    body = RequestBody(exchange)
    for piece in pieces:
        body.deliver(piece)
    body.finish()
    return body


def test_pieces_come_as_they_were_delivered() -> None:
    assert run(pieces_of(full_body(FakeExchange(), b"a", b"bc"))) == [b"a", b"bc"]


def test_a_reader_waits_for_the_next_piece() -> None:
    exchange = FakeExchange()
    body = RequestBody(exchange)
    reader = Stepped(pieces_of(body))
    assert not reader.step()
    assert not reader.step()
    body.deliver(b"a")
    assert not reader.step()
    body.deliver(b"b")
    body.finish()
    assert reader.step()
    assert reader.result == [b"a", b"b"]
    assert len(exchange.driver.events) == 2


def test_coming_back_for_more_gives_credit_for_the_piece_before() -> None:
    """Reading pauses while `Limits.max_read_ahead` bytes are unreleased."""
    exchange = FakeExchange()
    body = RequestBody(exchange)
    body.deliver(b"abc")
    body.deliver(b"de")
    run(next_of(body))
    assert exchange.asked == ["invite"]
    run(next_of(body))
    assert exchange.asked == ["invite", 3]
    waiting = Stepped(next_of(body))
    waiting.step()
    assert exchange.asked == ["invite", 3, 2]
    waiting.step()
    waiting.cancel()
    assert exchange.asked == ["invite", 3, 2]


def test_the_content_is_invited_by_the_first_question() -> None:
    """RFC 9110 §10.1.1: 100 Continue says that the content is wanted."""
    exchange = FakeExchange()
    body = RequestBody(exchange)
    assert exchange.asked == []
    waiting = Stepped(next_of(body))
    waiting.step()
    assert exchange.asked == ["invite"]
    waiting.cancel()


def test_content_that_is_there_or_never_comes_is_not_invited() -> None:
    exchange = FakeExchange()
    run(pieces_of(full_body(exchange)))
    lost = RequestBody(exchange)
    lost.fail(ConnectionLost())
    with pytest.raises(ConnectionLost):
        run(next_of(lost))
    assert exchange.asked == []


def test_the_end_stays_the_end() -> None:
    body = full_body(FakeExchange(), b"a")
    assert run(pieces_of(body)) == [b"a"]
    assert run(pieces_of(body)) == []


def test_trailers_come_with_the_end() -> None:
    """RFC 9110 §6.5."""
    body = RequestBody(FakeExchange())
    assert body.trailers == Headers()
    body.finish(((b"digest", b"\xe9"),))
    assert body.trailers == Headers({"digest": "\xe9"})


def test_beginning_to_collect_takes_nothing_and_ends_the_taking_of_pieces() -> None:
    body = full_body(FakeExchange(), b"a", b"b")
    body.begin_to_collect()
    with pytest.raises(LocalProtocolError):
        run(pieces_of(body))
    assert run(body.collect(2)) == b"ab"
    body.begin_to_collect()
    assert run(body.collect(2)) == b"ab"


def test_a_peer_that_leaves_is_noticed_after_what_it_sent() -> None:
    body = RequestBody(FakeExchange())
    error = ConnectionLost()
    body.deliver(b"a")
    body.fail(error)
    assert run(next_of(body)) == b"a"
    for _ in range(2):
        with pytest.raises(ConnectionLost) as raised:
            run(next_of(body))
        assert raised.value is error


def test_a_peer_that_leaves_wakes_the_reader() -> None:
    body = RequestBody(FakeExchange())
    reader = Stepped(next_of(body))
    assert not reader.step()
    body.fail(ConnectionLost())
    with pytest.raises(ConnectionLost):
        reader.step()


def test_a_peer_that_leaves_after_the_end_is_not_noticed() -> None:
    body = full_body(FakeExchange(), b"a")
    body.fail(ConnectionLost())
    assert run(pieces_of(body)) == [b"a"]


def test_a_cancelled_reader_loses_nothing() -> None:
    body = RequestBody(FakeExchange())
    reader = Stepped(next_of(body))
    reader.step()
    body.deliver(b"a")
    reader.cancel()
    body.finish()
    assert run(pieces_of(body)) == [b"a"]


def test_there_is_one_reader_at_a_time() -> None:
    body = RequestBody(FakeExchange())
    first = Stepped(next_of(body))
    first.step()
    with pytest.raises(LocalProtocolError, match="another task is reading"):
        run(next_of(body))
    body.deliver(b"a")
    assert first.step()
    assert first.result == b"a"


def test_every_32nd_piece_that_was_there_lets_others_run() -> None:
    exchange = FakeExchange()
    run(pieces_of(full_body(exchange, *[b"a"] * 69)))
    assert [number for number, switch in enumerate(exchange.driver.switches, 1) if switch] == [32, 64]
    assert len(exchange.driver.switches) == 70


def test_waiting_lets_others_run_as_well() -> None:
    exchange = FakeExchange()
    body = RequestBody(exchange)
    for _ in range(31):
        body.deliver(b"a")
    reader = Stepped(pieces_of(body))
    reader.step()
    exchange.driver.switches.clear()
    body.deliver(b"a")
    body.finish()
    assert reader.step()
    assert exchange.driver.switches == [False]


def test_the_whole_content_can_be_collected_again_and_again() -> None:
    body = full_body(FakeExchange(), b"ab", b"c")
    assert run(body.collect(3)) == b"abc"
    assert run(body.collect(3)) == b"abc"


def test_collecting_gives_credit_as_it_goes() -> None:
    exchange = FakeExchange()
    assert run(full_body(exchange, b"ab", b"c").collect(3)) == b"abc"
    assert exchange.asked == [2, 1]


@pytest.mark.parametrize("pieces", [[b"abcd"], [b"ab", b"cd"], [b"abc", b"d"]])
def test_more_than_is_wanted_is_refused(pieces: list[bytes]) -> None:
    """RFC 9110 §15.5.14: the connection ends, so that the rest need not be read."""
    body = full_body(FakeExchange(), *pieces)
    with pytest.raises(Abort) as raised:
        run(body.collect(3))
    response = raised.value.response()
    assert (response.status_code, response.headers["connection"]) == (413, "close")
    assert response.content == too_large().response().content


def test_more_than_is_wanted_is_refused_before_it_is_read() -> None:
    body = RequestBody(FakeExchange())
    body.deliver(b"abcd")
    with pytest.raises(Abort):
        run(body.collect(3))


def test_who_wants_more_gets_it_after_all() -> None:
    body = full_body(FakeExchange(), b"abc", b"d")
    with pytest.raises(Abort):
        run(body.collect(3))
    assert run(body.collect(4)) == b"abcd"
    with pytest.raises(Abort):
        run(body.collect(3))


def test_a_cancelled_collection_goes_on_where_it_was() -> None:
    body = RequestBody(FakeExchange())
    body.deliver(b"ab")
    collecting = Stepped(body.collect(3))
    collecting.step()
    collecting.cancel()
    body.deliver(b"c")
    body.finish()
    assert run(body.collect(3)) == b"abc"


def test_content_is_iterated_or_collected() -> None:
    body = full_body(FakeExchange(), b"a", b"b")
    assert run(next_of(body)) == b"a"
    with pytest.raises(LocalProtocolError, match="piece by piece"):
        run(body.collect(3))
    body = full_body(FakeExchange(), b"a")
    run(body.collect(3))
    with pytest.raises(LocalProtocolError, match="`read` gives it again"):
        run(next_of(body))


def test_small_pieces_are_joined_when_many_wait() -> None:
    """Of a content that drips in there is not an object for every few bytes."""
    pieces = run(pieces_of(full_body(FakeExchange(), *[b"ab"] * 1000)))
    assert [len(piece) for piece in pieces] == [2] * 127 + [1024, 722]
