from __future__ import annotations

from collections.abc import Callable, Coroutine

import pytest

from fakes import FakeExchange, head, run
from spry_core.closing import ConnectionLost
from spry_core.errors import LocalProtocolError, ResponseSealedError
from spry_core.headers import Headers, MultiMapping
from spry_core.protocol.limits import Limits
from spry_core.routing import Match, Pattern, Route, Router
from spry_core.web.body import RequestBody
from spry_core.web.exceptions import Abort
from spry_core.web.exchange import StreamInfo
from spry_core.web.request import Params, Request
from spry_core.web.target import Target

FORM = ("Content-Type", "application/x-www-form-urlencoded")


def request_with(content: bytes, *fields: tuple[str, str], limits: Limits | None = None) -> Request:
    """Make a request whose content has arrived in two pieces, if it can be cut."""
    request = Request(head("/", *fields, method="POST"), FakeExchange(limits=limits))
    for piece in (content[:1], content[1:]):
        if piece:
            request.body.deliver(piece)
    request.body.finish()
    return request


def refusal(work: Coroutine[object, None, object]) -> tuple[int, str]:
    """Return status and message of the `Abort` that `work` raises."""
    with pytest.raises(Abort) as raised:
        run(work)
    return raised.value.status_code, raised.value.message


def test_the_head_is_text() -> None:
    exchange = FakeExchange()
    event = head("/a%20b?c=d", ("Host", "example.org:80"), method="PROPFIND", http_version="1.0")
    request = Request(event, exchange)
    assert request.method == "PROPFIND"
    assert request.target == "/a%20b?c=d"
    assert request.path == "/a b"
    assert request.http_version == "1.0"
    assert request.host == "example.org:80"
    assert request.peer == "192.0.2.1:50312"
    assert request.head is event
    assert request.exchange is exchange
    assert repr(request) == "<Request PROPFIND /a%20b?c=d>"


def test_the_scheme_is_that_of_the_stream() -> None:
    """RFC 9110 §4.2."""
    assert Request(head(), FakeExchange()).scheme == "http"
    assert Request(head(), FakeExchange(stream=StreamInfo(secure=True))).scheme == "https"


def test_fields_are_found_without_case() -> None:
    """RFC 9110 §5.1."""
    headers = Request(head("/", ("Accept", "a"), ("X", "caf\xe9"), ("accept", "b")), FakeExchange()).headers
    assert headers.get_all("ACCEPT") == ["a", "b"]
    assert headers["x"] == "caf\xe9"


def test_the_host_of_an_absolute_target_counts() -> None:
    """RFC 9112 §3.2.2."""
    request = Request(head("http://a:81/b?c", ("Host", "b")), FakeExchange())
    assert (request.host, request.path, request.query.items()) == ("a:81", "/b", [("c", "")])
    assert Request(head(http_version="1.0"), FakeExchange()).host == ""


def test_the_query_is_decoded_as_a_form() -> None:
    request = Request(head("/?a=1+2&b=%C3%A9&a=3"), FakeExchange())
    assert request.query.items() == [("a", "1 2"), ("b", "é"), ("a", "3")]
    assert Request(head("/"), FakeExchange()).query == MultiMapping()


def test_cookies_come_from_every_cookie_field() -> None:
    request = Request(head("/", ("Cookie", "a=1; b=2"), ("Cookie", "a=3")), FakeExchange())
    assert request.cookies.items() == [("a", "1"), ("b", "2"), ("a", "3")]


@pytest.mark.parametrize("part", ["headers", "upgrade_headers"])
def test_each_part_is_made_once(part: str) -> None:
    request = Request(head("/?a=1", ("Cookie", "a=1")), FakeExchange())
    assert getattr(request, part) is getattr(request, part)


@pytest.mark.parametrize("part", ["query", "cookies"])
def test_what_may_be_many_times_its_size_on_the_wire_is_not_kept(part: str) -> None:
    """No limit of a head bounds it as `Connection.memory_bound` bounds the rest."""
    request = Request(head("/?a=1", ("Cookie", "a=1")), FakeExchange())
    first, second = getattr(request, part), getattr(request, part)
    assert first is not second
    assert first.items() == second.items() == [("a", "1")]


def test_the_content_of_an_opening_handshake_is_empty_also_behind_the_101() -> None:
    request = Request(head("/"), FakeExchange())
    request.body.finish(())
    request.seal()
    assert run(request.read()) == b""
    assert request.body is request.body


def test_the_fields_of_a_101_are_sealed_with_it_also_when_nobody_had_asked_for_them() -> None:
    request = Request(head("/"), FakeExchange())
    assert request.upgrade_fields() == ()
    request.seal()
    with pytest.raises(ResponseSealedError):
        request.upgrade_headers["a"] = "b"
    assert request.upgrade_fields() == ()


def test_the_dispatcher_says_what_it_found() -> None:
    params = Params([("a", "1")], ("b", "c"))
    verdict = Abort(404)
    target = Target("/x", "y=z")
    request = Request(head(), FakeExchange(), params, target=target, is_upgrade=True, verdict=verdict)
    assert request.params is params
    assert (request.params["a"], request.params.catchall) == ("1", ("b", "c"))
    assert request.path == "/x"
    assert request.query["y"] == "z"
    assert request.is_upgrade
    assert request.verdict is verdict


def test_without_a_dispatcher_nothing_was_found() -> None:
    request = Request(head(), FakeExchange())
    assert (request.params, request.params.catchall) == (Params(), ())
    assert not request.is_upgrade
    assert not request.is_upgraded
    assert request.verdict is None
    assert request.locals == {}


def test_fields_of_the_101_can_be_set_until_it_is_sent() -> None:
    request = Request(head(), FakeExchange())
    request.upgrade_headers["X-Room"] = "1"
    assert not request.is_upgraded
    request.seal()
    assert request.is_upgraded
    with pytest.raises(ResponseSealedError):
        request.upgrade_headers["x-room"] = "2"
    assert request.upgrade_headers.raw() == ((b"X-Room", b"1"),)


@pytest.mark.parametrize(
    ("value", "media_type"),
    [(None, ""), ("Text/HTML", "text/html"), (" text/html ; charset=utf-8", "text/html"), ("", "")],
)
def test_a_media_type_has_neither_case_nor_parameters(value: str | None, media_type: str) -> None:
    """RFC 9110 §8.3.1."""
    fields = [] if value is None else [("Content-Type", value)]
    assert Request(head("/", *fields), FakeExchange()).media_type == media_type


def test_the_length_is_known_if_the_client_said_it() -> None:
    """RFC 9110 §8.6."""
    assert Request(head("/", ("Content-Length", "10")), FakeExchange()).content_length == 10
    assert Request(head("/"), FakeExchange()).content_length is None
    assert Request(head("/", ("Host", "a")), FakeExchange()).content_length is None


def test_the_content_can_be_read_again_and_again() -> None:
    request = request_with(b"abc")
    assert run(request.read()) == b"abc"
    assert run(request.read()) == b"abc"
    assert run(request.text()) == "abc"


@pytest.mark.parametrize(("limit", "max_size"), [(3, None), (1, 3), (9, 3)])
def test_the_bound_is_that_of_the_call_or_else_that_of_the_server(limit: int, max_size: int | None) -> None:
    limits = Limits(max_body=limit)
    assert run(request_with(b"abc", limits=limits).read(max_size)) == b"abc"
    assert refusal(request_with(b"abcd", limits=limits).read(max_size)) == (413, "")


def test_a_bound_of_nothing_takes_nothing() -> None:
    assert run(request_with(b"").read(0)) == b""
    assert refusal(request_with(b"a").read(0)) == (413, "")


def test_an_announced_length_is_believed_before_anything_is_read() -> None:
    """RFC 9110 §15.5.14."""
    exchange = FakeExchange()
    request = Request(head("/", ("Content-Length", "4"), method="POST"), exchange)
    assert refusal(request.read(3)) == (413, "")
    assert exchange.asked == []
    assert exchange.driver.switches == []
    request.body.deliver(b"abcd")
    request.body.finish()
    assert run(request.read(4)) == b"abcd"


def whole_request(content: bytes, *fields: tuple[str, str]) -> tuple[Request, FakeExchange]:
    """Make a request whose content has come in one piece, and its exchange."""
    exchange = FakeExchange()
    request = Request(head("/", *fields, method="POST"), exchange)
    request.deliver_body(content)
    request.finish_body()
    return request, exchange


def test_content_that_came_whole_is_read_with_one_checkpoint_and_again() -> None:
    request, exchange = whole_request(b"abc")
    assert run(request.read()) == b"abc"
    assert exchange.driver.switches == [False]
    assert run(request.read(3)) == b"abc"
    assert exchange.asked == []


def test_content_that_came_whole_may_be_too_much() -> None:
    """RFC 9110 §15.5.14."""
    request, _ = whole_request(b"abcd")
    assert refusal(request.read(3)) == (413, "")
    assert run(request.read(4)) == b"abcd"
    request, _ = whole_request(b"abcd", ("Content-Length", "4"))
    assert refusal(request.read(3)) == (413, "")
    assert run(pieces_of(request)) == [b"abcd"]


async def pieces_of(request: Request) -> list[bytes]:
    return [piece async for piece in request.body]


def test_content_that_came_whole_is_one_piece() -> None:
    request, exchange = whole_request(b"abc")
    assert run(pieces_of(request)) == [b"abc"]
    assert exchange.asked == [3]
    with pytest.raises(LocalProtocolError):
        run(request.read())


def test_what_was_read_at_once_cannot_be_taken_in_pieces_but_read_again() -> None:
    request, _ = whole_request(b"abc")
    assert run(request.read()) == b"abc"
    with pytest.raises(LocalProtocolError):
        run(pieces_of(request))
    assert run(request.read()) == b"abc"
    assert request.body.trailers == Headers()


def test_a_second_piece_and_trailers_follow_the_first_piece() -> None:
    """RFC 9110 §6.5."""
    request = Request(head("/", method="POST"), FakeExchange())
    request.deliver_body(b"a")
    request.deliver_body(b"b")
    request.finish_body(((b"x", b"1"),))
    assert run(request.read()) == b"ab"
    assert request.body.trailers == Headers({"x": "1"})


def test_the_only_piece_comes_before_the_news_that_the_peer_has_left() -> None:
    request = Request(head("/", method="POST"), FakeExchange())
    request.deliver_body(b"a")
    request.fail_body(ConnectionLost())
    reader = request.body
    assert run(anext_of(reader)) == b"a"
    with pytest.raises(ConnectionLost):
        run(anext_of(reader))


async def anext_of(body: RequestBody) -> bytes:
    return await anext(body)


@pytest.mark.parametrize("method", [Request.read, Request.text, Request.json])
def test_a_peer_that_leaves_is_noticed(method: Callable[[Request], Coroutine[object, None, object]]) -> None:
    request = Request(head(method="POST"), FakeExchange())
    request.body.fail(ConnectionLost())
    with pytest.raises(ConnectionLost):
        run(method(request))


def test_what_was_taken_in_pieces_cannot_be_read() -> None:
    async def first_piece() -> bytes:
        return await anext(request.body)

    request = request_with(b"abc")
    assert run(first_piece()) == b"a"
    with pytest.raises(LocalProtocolError):
        run(request.read())


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("text/plain", "é".encode()),
        ("text/plain; charset=utf-8", "é".encode()),
        ('text/plain; x="y"; Charset="UTF-8"', "é".encode()),
        ("text/plain;charset=iso-8859-1", b"\xe9"),
        ("text/plain; charset", "é".encode()),
    ],
)
def test_text_is_utf_8_unless_it_says_otherwise(kind: str, content: bytes) -> None:
    """RFC 9110 §8.3.2."""
    assert run(request_with(content, ("Content-Type", kind)).text()) == "é"


def test_text_that_is_not_what_it_says_is_refused() -> None:
    assert refusal(request_with(b"\xff").text()) == (400, "the content is not utf-8")
    ascii_type = ("Content-Type", "text/plain; charset=us-ascii")
    assert refusal(request_with("é".encode(), ascii_type).text()) == (400, "the content is not ascii")


@pytest.mark.parametrize("charset", ["utf-16", "idna", "zlib", "x" * 1000])
def test_text_in_another_charset_is_refused(charset: str) -> None:
    """RFC 9110 §15.5.16. Python has codecs that take quadratic time, and the peer would choose."""
    request = request_with(b"a", ("Content-Type", f"text/plain; charset={charset}"))
    assert refusal(request.text()) == (415, "the charset of the content is not supported")


@pytest.mark.parametrize(
    ("content", "value"), [(b'{"a": [1, null, "\xc3\xa9"]}', {"a": [1, None, "é"]}), (b" 1 ", 1), (b'""', "")]
)
def test_json_is_read_whatever_its_type(content: bytes, value: object) -> None:
    """RFC 8259."""
    assert run(request_with(content, ("Content-Type", "text/plain")).json()) == value


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"\xff",
        b'"\xe9"',
        b"NaN",
        b"[-Infinity]",
        b"\xef\xbb\xbf1",
        b"'a'",
        b"1" * 5000,
        b"[" * 200_000,
        "1".encode("utf-16"),
    ],
)
def test_what_is_no_json_is_refused(content: bytes) -> None:
    """RFC 8259: neither depth nor digits without end reach the log as an error of the application."""
    assert refusal(request_with(content).json()) == (400, "the content is not JSON")


def test_json_read_again_is_the_same_and_not_the_same_object() -> None:
    request = request_with(b"[1]")
    first = run(request.json())
    first.append(2)
    assert run(request.json()) == [1]


def test_a_form_is_read() -> None:
    """WHATWG URL §5.1."""
    request = request_with(b"a=1+2&b=%C3%A9&a=3", ("Content-Type", f"{FORM[1].upper()}; charset=utf-8"))
    assert run(request.form()).items() == [("a", "1 2"), ("b", "é"), ("a", "3")]
    assert run(request.form()).items() == [("a", "1 2"), ("b", "é"), ("a", "3")]


@pytest.mark.parametrize("fields", [[], [("Content-Type", "multipart/form-data; boundary=a")]])
def test_a_form_of_another_type_is_refused(fields: list[tuple[str, str]]) -> None:
    """RFC 9110 §15.5.16."""
    assert refusal(request_with(b"a=1", *fields).form()) == (
        415,
        "the content is not application/x-www-form-urlencoded",
    )


def test_a_form_has_a_bound_in_bytes_and_in_fields() -> None:
    assert run(request_with(b"a&b&c", FORM).form(5, 3)).keys() == ["a", "b", "c"]
    assert refusal(request_with(b"a&b&c", FORM).form(4)) == (413, "")
    assert refusal(request_with(b"a&b&c", FORM).form(5, 2)) == (413, "the form has too many fields")
    assert refusal(request_with(b"&" * 1000, FORM).form()) == (413, "the form has too many fields")


def test_what_is_remembered_for_a_request_is_one_dict() -> None:
    request = Request(head(), FakeExchange())
    request.locals["a"] = 1
    assert request.locals == {"a": 1}
    assert request.locals is request.locals


def test_parameters_are_made_once_of_what_a_route_took() -> None:
    router = Router[str]()
    router.add(Route("GET", Pattern.parse("/:a/*"), "", ""))
    found = router.match("GET", "/1/2")
    assert isinstance(found, Match)
    request = Request(head(), FakeExchange(), found)
    assert (request.params.items(), request.params.catchall) == ([("a", "1")], ("2",))
    assert request.params is request.params


def test_the_end_of_no_content_makes_no_body_and_is_its_end() -> None:
    exchange = FakeExchange()
    request = Request(head(), exchange)
    request.finish_body()
    request.fail_body(ConnectionLost(None, "gone"))
    assert (run(request.read()), request.body.trailers.items(), exchange.asked) == (b"", [], [])


def test_trailers_are_kept_for_who_asks_for_the_body_later() -> None:
    request = Request(head(), FakeExchange())
    request.finish_body(((b"Digest", b"1"),))
    assert request.body.trailers.items() == [("digest", "1")]


def test_a_body_that_nobody_has_asked_for_fails_too() -> None:
    request = Request(head(), FakeExchange())
    request.fail_body(ConnectionLost(None, "gone"))
    with pytest.raises(ConnectionLost, match="gone"):
        run(request.read())


def test_a_body_that_was_asked_for_takes_its_end_and_its_failure() -> None:
    request = Request(head(), FakeExchange())
    body = request.body
    body.deliver(b"a")
    request.finish_body()
    request.fail_body(ConnectionLost(None, "gone"))
    assert run(request.read()) == b"a"


@pytest.mark.parametrize("fields", [(), (("Host", "t"), ("X-A", ""), ("X-A", "b: c\xe9"))])
def test_the_head_of_a_websocket_is_the_same_as_before_the_101(fields: tuple[tuple[str, str], ...]) -> None:
    event = head("/a?b", *fields)
    request = Request(event, FakeExchange())
    assert request.head is event
    request.seal()
    assert request.head == event
    assert (request.target, request.headers.items()) == (
        "/a?b",
        [(name.lower(), value) for name, value in fields],
    )
