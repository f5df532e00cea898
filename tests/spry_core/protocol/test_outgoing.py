"""Tests of `spry_core.protocol.outgoing`: which framing our heads ask for, and that content keeps to it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from spry_core.errors import LocalProtocolError
from spry_core.protocol.events import BodyEnd, RawFields, RequestHead, ResponseHead
from spry_core.protocol.head import EMPTY, Chunked, Length, Terms, UntilClose
from spry_core.protocol.outgoing import (
    OutgoingContent,
    check_interim_head,
    check_response_head,
    content_of,
    failure_answer,
    in_order,
    plain_length,
    reason_phrase,
    with_close,
)

LENGTH_3 = (b"Content-Length", b"3")
CHUNKED = (b"Transfer-Encoding", b"chunked")
HOST = (b"Host", b"a")
GET, HEAD, CONNECT = (RequestHead(method=method, target=b"/") for method in (b"GET", b"HEAD", b"CONNECT"))
OLD = RequestHead(method=b"GET", target=b"/", http_version=b"1.0")


@pytest.mark.parametrize(
    ("status_code", "phrase"),
    [
        (200, b"OK"),
        (404, b"Not Found"),
        (101, b"Switching Protocols"),
        (413, b"Content Too Large"),
        (414, b"URI Too Long"),
        (416, b"Range Not Satisfiable"),
        (422, b"Unprocessable Content"),
        (299, b""),
        (599, b""),
        (0, b""),
    ],
)
def test_a_status_code_has_its_usual_phrase(status_code: int, phrase: bytes) -> None:
    """RFC 9110 §15."""
    assert reason_phrase(status_code) == phrase


def test_content_has_the_length_that_was_announced() -> None:
    """RFC 9112 §6.2: one byte less, as many, one more."""
    content = OutgoingContent(Length(3))
    content.check_data(b"a")
    with pytest.raises(LocalProtocolError, match=r"^3 bytes of content where 2 are left"):
        content.check_data(b"abc")
    with pytest.raises(LocalProtocolError, match=r"^2 bytes of content are missing"):
        content.check_end(BodyEnd())
    content.check_data(b"")
    content.check_data(b"b")
    with pytest.raises(LocalProtocolError, match=r"^1 bytes of content are missing"):
        content.check_end(BodyEnd())
    content.check_data(b"c")
    content.check_end(BodyEnd())
    with pytest.raises(LocalProtocolError, match=r"^1 bytes of content where 0 are left"):
        content.check_data(b"d")


@pytest.mark.parametrize("framing", [Chunked(), UntilClose()])
def test_content_without_a_length_may_have_any(framing: Chunked | UntilClose) -> None:
    content = OutgoingContent(framing)
    content.check_end(BodyEnd())
    content.check_data(b"a" * 1000)
    content.check_end(BodyEnd())


def test_trailers_need_chunks() -> None:
    """RFC 9112 §7.1.2."""
    end = BodyEnd(trailers=((b"X-Sum", b"1"),))
    OutgoingContent(Chunked()).check_end(end)
    for framing in (Length(0), UntilClose()):
        with pytest.raises(LocalProtocolError, match=r"^trailers need a chunked content"):
            OutgoingContent(framing).check_end(end)


def test_trailers_are_checked_like_any_field() -> None:
    with pytest.raises(ValueError, match=r"^the value of field b'A' has a byte"):
        OutgoingContent(Chunked()).check_end(BodyEnd(trailers=((b"A", b"b\r\nC: d"),)))


@pytest.mark.parametrize(
    "name",
    [
        *(b"Content-Length", b"TRANSFER-ENCODING", b"host", b"Connection", b"Upgrade", b"Trailer"),
        *(b"Content-Type", b"content-encoding", b"Content-Range"),
    ],
)
def test_some_fields_come_too_late_in_a_trailer_section(name: bytes) -> None:
    """RFC 9110 §6.5.1: framing, routing and the form of the content."""
    with pytest.raises(ValueError, match=f"^{name.decode()} is no field for a trailer section"):
        OutgoingContent(Chunked()).check_end(BodyEnd(trailers=((b"X-Sum", b"1"), (name, b"1"))))


# ------------------------------------------------------------------------------------------------------------- requests


def request(*fields: tuple[bytes, bytes], method: bytes = b"GET", target: bytes = b"/") -> OutgoingContent:
    return content_of(RequestHead(method=method, target=target, headers=fields))


def test_a_request_without_framing_has_no_content() -> None:
    """RFC 9112 §6.3."""
    with pytest.raises(LocalProtocolError, match=r"^1 bytes of content where 0 are left"):
        request(HOST).check_data(b"a")
    with pytest.raises(LocalProtocolError, match=r"^4 bytes of content where 3 are left"):
        request(HOST, LENGTH_3).check_data(b"abcd")
    request(HOST, CHUNKED).check_data(b"abcd")


@pytest.mark.parametrize("method", [b"", b"G T", b"GET\r\n", b"G\x00", b"G\xe9", b"GET:"])
def test_a_method_is_a_token(method: bytes) -> None:
    """RFC 9110 §9.1."""
    with pytest.raises(ValueError, match=r"^the method is not a token"):
        request(HOST, method=method)


@pytest.mark.parametrize(
    "target", [b"", b"/a b", b"/\r\nX: y", b"/\x00", b"/\xe9", b"/#a", b"/\x7f", b"/a\n"]
)
def test_a_target_has_visible_characters_and_no_fragment(target: bytes) -> None:
    """RFC 9112 §3.2."""
    with pytest.raises(ValueError, match=r"^the target has a byte that no target has"):
        request(HOST, target=target)


@pytest.mark.parametrize("target", [b"*", b"/!\"$%&'()~?", b"http://a/"])
def test_any_other_target_passes(target: bytes) -> None:
    request(HOST, target=target)


@pytest.mark.parametrize("fields", [(), (HOST, HOST), (HOST, (b"host", b"b"))])
def test_a_request_names_one_host(fields: RawFields) -> None:
    """RFC 9112 §3.2."""
    with pytest.raises(ValueError, match=r"^a request has exactly one Host field"):
        request(*fields)


def test_a_request_for_a_tunnel_is_refused() -> None:
    """RFC 9110 §9.3.6: what follows a 2xx is not HTTP any more, and nobody here speaks it."""
    with pytest.raises(ValueError, match=r"^a tunnel is not supported"):
        request(HOST, method=b"CONNECT", target=b"a:443")


BAD_FIELDS = [
    (b"a b", b"x"),
    (b"", b"x"),
    (b"a", b"x\r\ny: z"),
    (b"a", b"x\n"),
    (b"a", b"\x00"),
    (b"a", b" x"),
]


@pytest.mark.parametrize("field", BAD_FIELDS)
def test_fields_are_checked_before_they_are_sent(field: tuple[bytes, bytes]) -> None:
    """RFC 9110 §5.1, §5.5: response splitting ends here."""
    for check in (
        lambda: request(HOST, field),
        lambda: check_response_head(ResponseHead(status_code=200, headers=(field,)), GET),
        lambda: check_interim_head(ResponseHead(status_code=103, headers=(field,))),
    ):
        with pytest.raises(ValueError, match=r"^the (field name|value of field)"):
            check()


BAD_FRAMINGS: list[RawFields] = [
    (LENGTH_3, CHUNKED),
    (CHUNKED, CHUNKED),
    ((b"transfer-encoding", b"gzip"),),
    ((b"transfer-encoding", b"gzip, chunked"),),
    ((b"Transfer-Encoding", b"Chunked"),),
    (LENGTH_3, LENGTH_3),
    *(((b"content-length", value),) for value in (b"", b"-1", b"+1", b"3, 3", b"1_0", b"x", b"1" * 19)),
]


@pytest.mark.parametrize("fields", BAD_FRAMINGS)
def test_ambiguous_framing_is_never_sent(fields: RawFields) -> None:
    """RFC 9112 §6.1, §6.2."""
    for check in (
        lambda: request(HOST, *fields),
        lambda: check_response_head(ResponseHead(status_code=200, headers=fields), GET),
    ):
        with pytest.raises(ValueError, match=r"^(Transfer-Encoding is chunked|Content-Length is one number)"):
            check()


# ------------------------------------------------------------------------------------------------------------ responses


def response(
    *fields: tuple[bytes, bytes], status_code: int = 200, to: RequestHead = GET
) -> tuple[list[tuple[bytes, bytes]], OutgoingContent]:
    return check_response_head(ResponseHead(status_code=status_code, headers=fields), to)


def is_empty(content: OutgoingContent) -> bool:
    """Tell whether this content may have no byte."""
    with pytest.raises(LocalProtocolError) as caught:
        content.check_data(b"a")
    return str(caught.value).startswith("1 bytes of content where 0 are left")


def test_a_response_without_a_length_is_chunked() -> None:
    """RFC 9112 §6.3."""
    fields, content = response((b"A", b"b"))
    assert fields == [(b"A", b"b"), (b"Transfer-Encoding", b"chunked")]
    content.check_data(b"any")
    content.check_end(BodyEnd(trailers=((b"C", b"d"),)))


def test_a_framing_that_was_asked_for_is_kept() -> None:
    assert response(CHUNKED)[0] == [CHUNKED]
    fields, content = response(LENGTH_3)
    assert fields == [LENGTH_3]
    with pytest.raises(LocalProtocolError, match=r"^3 bytes of content are missing"):
        content.check_end(BodyEnd())


def test_to_http_1_0_content_without_a_length_goes_to_the_end_of_the_stream() -> None:
    """RFC 9112 §6.1: no Transfer-Encoding to HTTP/1.0."""
    for fields in ((), (CHUNKED,)):
        sent, content = response((b"A", b"b"), *fields, to=OLD)
        assert sent == [(b"A", b"b")]
        content.check_data(b"any")
        with pytest.raises(LocalProtocolError, match=r"^trailers need a chunked content"):
            content.check_end(BodyEnd(trailers=((b"C", b"d"),)))
    sent, content = response(LENGTH_3, to=OLD)
    assert sent == [LENGTH_3]
    content.check_data(b"abc")


def test_head_has_the_length_and_not_the_content() -> None:
    """RFC 9110 §9.3.2, §8.6."""
    fields, content = response(LENGTH_3, to=HEAD)
    assert fields == [LENGTH_3]
    assert is_empty(content)
    content.check_end(BodyEnd())
    fields, content = response(CHUNKED, to=HEAD)
    assert fields == []
    assert is_empty(content)


def test_304_has_the_length_and_not_the_content() -> None:
    """RFC 9110 §15.4.5, §8.6."""
    fields, content = response(LENGTH_3, status_code=304)
    assert fields == [LENGTH_3]
    assert is_empty(content)
    assert response(CHUNKED, status_code=304)[0] == []


@pytest.mark.parametrize("field", [LENGTH_3, CHUNKED, (b"content-length", b"0")])
def test_204_has_neither_length_nor_coding(field: tuple[bytes, bytes]) -> None:
    """RFC 9110 §8.6, RFC 9112 §6.1."""
    fields, content = response((b"A", b"b"), field, status_code=204)
    assert fields == [(b"A", b"b")]
    assert is_empty(content)


@pytest.mark.parametrize("status_code", [-1, 0, 99, 199, 600, 1000])
def test_a_status_code_has_one_of_five_classes(status_code: int) -> None:
    """RFC 9110 §15."""
    with pytest.raises(ValueError, match=rf"^{status_code} is no final status code"):
        response(status_code=status_code)


@pytest.mark.parametrize("status_code", [200, 599])
def test_the_ends_of_the_final_classes_pass(status_code: int) -> None:
    assert response(status_code=status_code)[0] == [CHUNKED]


@pytest.mark.parametrize("status_code", [200, 204, 299])
def test_no_2xx_opens_a_tunnel(status_code: int) -> None:
    """RFC 9110 §9.3.6."""
    with pytest.raises(ValueError, match=r"^a tunnel is not supported"):
        response(status_code=status_code, to=CONNECT)
    for refusal in (300, 405):
        assert response(LENGTH_3, status_code=refusal, to=CONNECT)[0] == [LENGTH_3]


@pytest.mark.parametrize("phrase", [b"a\r\nB: c", b"\n", b"\x00", b"\x7f", b"\x0b"])
def test_a_reason_phrase_has_no_control_character(phrase: bytes) -> None:
    """RFC 9112 §4."""
    head = ResponseHead(status_code=200, reason_phrase=phrase)
    with pytest.raises(ValueError, match=r"^the reason phrase has a control character"):
        check_response_head(head, GET)
    with pytest.raises(ValueError, match=r"^the reason phrase has a control character"):
        check_interim_head(ResponseHead(status_code=103, reason_phrase=phrase))


def test_a_reason_phrase_may_be_any_text() -> None:
    check_response_head(ResponseHead(status_code=200, reason_phrase=b"\t A\xe9"), GET)


@pytest.mark.parametrize("status_code", [100, 102, 103, 199])
def test_an_interim_response_has_fields_and_no_content(status_code: int) -> None:
    """RFC 9110 §15.2."""
    check_interim_head(ResponseHead(status_code=status_code, headers=((b"Link", b"</a>"),)))
    for field in (LENGTH_3, CHUNKED):
        with pytest.raises(ValueError, match=r"^an interim response has no content"):
            check_interim_head(ResponseHead(status_code=status_code, headers=(field,)))


@pytest.mark.parametrize("status_code", [-1, 0, 99])
def test_an_interim_status_code_has_three_digits(status_code: int) -> None:
    with pytest.raises(ValueError, match=rf"^{status_code} is no interim status code"):
        check_interim_head(ResponseHead(status_code=status_code))


@pytest.mark.parametrize(
    ("options", "sent"),
    [
        ([], b"close"),
        ([b"keep-alive"], b"close"),
        ([b"X, Close", b"y"], b"x, y, close"),
    ],
)
def test_an_answer_says_that_it_is_the_last(options: list[bytes], sent: bytes) -> None:
    """RFC 9112 §9.6: other options stay."""
    fields = [(b"A", b"b"), *((b"connection", option) for option in options), LENGTH_3]
    assert with_close(fields) == [(b"A", b"b"), LENGTH_3, (b"Connection", sent)]


def test_the_answer_to_a_broken_request_is_a_short_text() -> None:
    assert failure_answer(431) == (
        [
            (b"Content-Type", b"text/plain; charset=utf-8"),
            (b"Content-Length", b"32"),
            (b"Connection", b"close"),
        ],
        b"Request Header Fields Too Large\n",
    )


@pytest.mark.parametrize(
    ("framing", "is_chunked"), [(Chunked(), True), (Length(3), False), (UntilClose(), False)]
)
def test_content_knows_whether_it_goes_out_in_chunks(
    framing: Chunked | Length | UntilClose, is_chunked: bool
) -> None:
    assert OutgoingContent(framing).is_chunked is is_chunked


NEW = Terms(framing=EMPTY, persists=True, expects_continue=False, is_old=False, upgrades=False)
CLOSING = replace(NEW, persists=False)


@pytest.mark.parametrize(
    ("terms", "status_code", "fields", "ordered"),
    [
        (NEW, 200, [LENGTH_3, (b"A", b"b")], [LENGTH_3, (b"A", b"b")]),
        (NEW, 200, [(b"transfer-encoding", b"chunked"), (b"A", b"b")], [(b"A", b"b"), CHUNKED]),
        (NEW, 200, [(b"A", b"b")], [(b"A", b"b"), CHUNKED]),
        (NEW, 304, [(b"A", b"b")], [(b"A", b"b")]),
        (NEW, 204, [(b"A", b"b")], [(b"A", b"b")]),
        (replace(CLOSING, is_old=True), 200, [(b"A", b"b")], [(b"A", b"b"), (b"Connection", b"close")]),
        (
            CLOSING,
            200,
            [(b"connection", b"X, keep-alive, a"), LENGTH_3],
            [LENGTH_3, (b"Connection", b"a"), (b"Connection", b"close"), (b"Connection", b"x")],
        ),
        (CLOSING, 200, [(b"A", b"b")], [(b"A", b"b"), CHUNKED, (b"Connection", b"close")]),
    ],
)
def test_fields_of_a_response_have_an_order(
    terms: Terms,
    status_code: int,
    fields: list[tuple[bytes, bytes]],
    ordered: list[tuple[bytes, bytes]],
) -> None:
    """The framing behind all others, and behind that the end that the client asked for (RFC 9112 §6.1, §9.6)."""
    assert list(in_order(fields, status_code, terms)) == ordered
    assert list(in_order(ordered, status_code, terms)) == ordered


@pytest.mark.parametrize(
    ("head", "method", "length"),
    [
        (ResponseHead(status_code=200, headers=((b"A", b"b"), LENGTH_3)), b"GET", 3),
        (ResponseHead(status_code=599, headers=((b"content-length", b"007"),)), b"POST", 7),
        (ResponseHead(status_code=200, headers=((b"A", b"b"),)), b"GET", None),
        (ResponseHead(status_code=200, headers=(LENGTH_3, LENGTH_3)), b"GET", None),
        (ResponseHead(status_code=200, headers=(LENGTH_3, CHUNKED)), b"GET", None),
        (ResponseHead(status_code=200, headers=((b"Date", b"x"), LENGTH_3)), b"GET", None),
        (ResponseHead(status_code=200, headers=(LENGTH_3, (b"Connection", b"x"))), b"GET", None),
        (ResponseHead(status_code=200, headers=((b"Content-Length", b"3, 3"),)), b"GET", None),
        (ResponseHead(status_code=199, headers=(LENGTH_3,)), b"GET", None),
        (ResponseHead(status_code=600, headers=(LENGTH_3,)), b"GET", None),
        (ResponseHead(status_code=204, headers=(LENGTH_3,)), b"GET", None),
        (ResponseHead(status_code=304, headers=(LENGTH_3,)), b"GET", None),
        (ResponseHead(status_code=200, headers=(LENGTH_3,)), b"HEAD", None),
        (ResponseHead(status_code=200, headers=(LENGTH_3,)), b"CONNECT", None),
        (ResponseHead(status_code=200, headers=(LENGTH_3,), reason_phrase=b"A"), b"GET", None),
        (ResponseHead(status_code=200, headers=(LENGTH_3,), http_version=b"1.0"), b"GET", None),
    ],
)
def test_a_plain_response_says_its_length_and_nothing_else(
    head: ResponseHead, method: bytes, length: int | None
) -> None:
    """Whatever else decides about anything is for the general way to judge."""
    assert plain_length(head, method) == length


def test_a_plain_response_has_fields_that_may_be_sent() -> None:
    with pytest.raises(ValueError, match=r"^the field name b'a b' is not a token"):
        plain_length(ResponseHead(status_code=200, headers=(LENGTH_3, (b"a b", b""))), b"GET")
