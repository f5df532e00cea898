"""Tests of `spry_core.protocol.head`: where a head ends, and what is none (RFC 9112 §2 to §6)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Literal, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spry_core.errors import RemoteProtocolError
from spry_core.protocol.events import RawFields, RequestHead, ResponseHead
from spry_core.protocol.head import (
    EMPTY,
    KNOWN,
    NOTABLE,
    Chunked,
    Framing,
    HeadScanner,
    Length,
    Terms,
    UntilClose,
    check_field_line,
    check_request,
    check_response,
    expects_continue,
    lowered,
    may_have_content,
    may_persist,
    parse_length,
    parse_size,
    read_request,
    read_response,
    refuse,
    settle,
    take_apart,
    tokens,
    values,
)
from spry_core.protocol.limits import Limits
from spry_core.testing.strategies.cuts import cut_at
from traces import error_values, two_way_cuts

Kind = Literal["request", "response"]

LIMITS = Limits(
    max_request_line=40, max_field_line=30, max_header_section=60, max_fields=4, max_empty_lines=2
)


class Scan(NamedTuple):
    """What a scanner made of some bytes."""

    head: bytes | None
    error: tuple[object, ...] | None
    rest: bytes


def scan(pieces: Iterable[bytes], kind: Kind = "request", limits: Limits = LIMITS) -> Scan:
    """Scan piece by piece until there is a head or a fault."""
    scanner, held, head = HeadScanner(kind, limits), bytearray(), None
    for piece in pieces:
        held += piece
        try:
            head = head or scanner.feed(held)
        except RemoteProtocolError as error:
            return Scan(None, error_values(error), b"")
    return Scan(head, None, bytes(held))


def bad(status_code: int, message: str, section: str) -> tuple[object, ...]:
    return (message, status_code, None, section)


BAD_START = bad(400, "malformed request line", "RFC 9112 §3")
BAD_STATUS = bad(400, "malformed status line", "RFC 9112 §4")
FRAGMENT = bad(400, "fragment in the request target", "RFC 9112 §3.2")
VERSION = bad(505, "neither HTTP/1.1 nor HTTP/1.0", "RFC 9110 §15.6.6")
BARE_LF = bad(400, "a line ends with a bare LF", "RFC 9112 §2.2")
BAD_FIELD = bad(400, "malformed field line", "RFC 9112 §5")
FOLDED = bad(400, "obsolete line folding", "RFC 9112 §5.2")
START_TOO_LONG = bad(414, "the start line is too long", "RFC 9112 §3")
FIELD_TOO_LONG = bad(431, "a field line is too long", "RFC 6585 §5")
SECTION_TOO_LONG = bad(431, "the header section is too long", "RFC 6585 §5")
TOO_MANY_FIELDS = bad(431, "too many fields", "RFC 6585 §5")
TOO_MANY_LINES = bad(400, "too many empty lines before a start line", "RFC 9112 §2.2")

GOOD_REQUESTS = [
    b"GET / HTTP/1.1\r\n\r\n",
    b"GET / HTTP/1.0\r\n\r\n",
    b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
    b"!#$%&'*+-.^_`|~09az / HTTP/1.1\r\n\r\n",
    b'GET http://a/%zz?[]"\\{} HTTP/1.1\r\n\r\n',
    b"GET / HTTP/1.1\r\nA:\r\nB:b\r\nC: \t c\td \t\r\n\r\n",
    b"GET / HTTP/1.1\r\nA: \x80\xff!~\r\n\r\n",
]
BAD_REQUESTS = {
    b"GET / HTTP/1.1\n\r\n": BARE_LF,
    b"GET / HTTP/1.1\r\nHost: a\n\r\n": BARE_LF,
    b"GET / HTTP/1.1\r\nHost: a\r\n\n": BARE_LF,
    b"\nGET / HTTP/1.1\r\n\r\n": BARE_LF,
    b"GET / HTTP/1.1\r\n Host: a\r\n\r\n": FOLDED,
    b"GET / HTTP/1.1\r\n\tHost: a\r\n\r\n": FOLDED,
    b"GET / HTTP/1.1\r\nA: b\r\n c\r\n\r\n": FOLDED,
    b"GET / HTTP/1.1\r\nA: b\r\n \r\n\r\n": FOLDED,
    b"GET / HTTP/1.1\r\nHost : a\r\n\r\n": BAD_FIELD,
    b"GET / HTTP/1.1\r\nHost\t: a\r\n\r\n": BAD_FIELD,
    b"GET / HTTP/1.1\r\nHost\r\n\r\n": BAD_FIELD,
    b"GET / HTTP/1.1\r\n: a\r\n\r\n": BAD_FIELD,
    b"GET / HTTP/1.1\r\n\xc5\xbf: a\r\n\r\n": BAD_FIELD,
    b"GET / HTTP/1.1\r\nA(: a\r\n\r\n": BAD_FIELD,
    b"GET / HTTP/1.1\r\nA: b\x00c\r\n\r\n": BAD_FIELD,
    b"GET / HTTP/1.1\r\nA: b\x01\r\n\r\n": BAD_FIELD,
    b"GET / HTTP/1.1\r\nA: b\x0b\r\n\r\n": BAD_FIELD,
    b"GET / HTTP/1.1\r\nA: b\x7f\r\n\r\n": BAD_FIELD,
    b"GET / HTTP/1.1\r\nA: b\rc\r\n\r\n": BAD_FIELD,
    b"GET / HTTP/1.1\r\nA: b\r\r\n\r\n": BAD_FIELD,
    b"GET / HTTP/1.1\r\r\n\r\n": BAD_START,
    b"\r\r\nGET / HTTP/1.1\r\n\r\n": BAD_START,
    b" GET / HTTP/1.1\r\n\r\n": BAD_START,
    b"\x00GET / HTTP/1.1\r\n\r\n": BAD_START,
    b"GET  / HTTP/1.1\r\n\r\n": BAD_START,
    b"GET /  HTTP/1.1\r\n\r\n": BAD_START,
    b"GET\t/ HTTP/1.1\r\n\r\n": BAD_START,
    b"GET / HTTP/1.1 \r\n\r\n": BAD_START,
    b"GET /a b HTTP/1.1\r\n\r\n": BAD_START,
    b"GET /\xe9 HTTP/1.1\r\n\r\n": BAD_START,
    b"GET /\x7f HTTP/1.1\r\n\r\n": BAD_START,
    b"GET HTTP/1.1\r\n\r\n": BAD_START,
    b"GET /\r\n\r\n": BAD_START,
    b"G(T / HTTP/1.1\r\n\r\n": BAD_START,
    b"GET / http/1.1\r\n\r\n": BAD_START,
    b"GET / HTTP/11\r\n\r\n": BAD_START,
    b"GET / HTTP/1.10\r\n\r\n": BAD_START,
    b"GET / HTTP/1\r\n\r\n": BAD_START,
    b"\x16\x03\x01\x02\x00\r\n": BAD_START,
    b"GET /#a HTTP/1.1\r\n\r\n": FRAGMENT,
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n": VERSION,
    b"GET / HTTP/1.2\r\n\r\n": VERSION,
    b"GET / HTTP/0.9\r\n\r\n": VERSION,
    b"GET / HTTP/3.0\r\n\r\n": VERSION,
}
GOOD_RESPONSES = [
    b"HTTP/1.1 200 OK\r\n\r\n",
    b"HTTP/1.0 404 Not Found\r\nA: b\r\n\r\n",
    b"HTTP/1.1 101 \r\n\r\n",
    b"HTTP/1.1 599\r\n\r\n",
    b"HTTP/1.1 200 \t\x80 ~\r\n\r\n",
]
BAD_RESPONSES = {
    b"HTTP/1.1 200 OK\n\r\n": BARE_LF,
    b"HTTP/1.1 200 OK\r\n A: b\r\n\r\n": FOLDED,
    b"HTTP/1.1 20 OK\r\n\r\n": BAD_STATUS,
    b"HTTP/1.1 2000 OK\r\n\r\n": BAD_STATUS,
    b"HTTP/1.1 +20 OK\r\n\r\n": BAD_STATUS,
    b"HTTP/1.1 099 OK\r\n\r\n": BAD_STATUS,
    b"HTTP/1.1  200 OK\r\n\r\n": BAD_STATUS,
    b"HTTP/1.1 200 O\x00K\r\n\r\n": BAD_STATUS,
    b"ICY 200 OK\r\n\r\n": BAD_STATUS,
    b"\r\nHTTP/1.1 200 OK\r\n\r\n": BAD_STATUS,
    b"HTTP/2.0 200 OK\r\n\r\n": VERSION,
    b"HTTP/1.1 200 " + b"a" * 28 + b"\r\n": START_TOO_LONG,
}
CORPUS: list[tuple[Kind, bytes]] = [
    *(("request", data) for data in [*GOOD_REQUESTS, *BAD_REQUESTS]),
    *(("response", data) for data in [*GOOD_RESPONSES, *BAD_RESPONSES]),
]


@pytest.mark.parametrize("data", GOOD_REQUESTS)
def test_a_good_request_is_taken_whole(data: bytes) -> None:
    assert scan([data + b"rest"]) == Scan(data, None, b"rest")


@pytest.mark.parametrize("data", GOOD_RESPONSES)
def test_a_good_response_is_taken_whole(data: bytes) -> None:
    assert scan([data + b"rest"], "response") == Scan(data, None, b"rest")


@pytest.mark.parametrize("data", BAD_REQUESTS)
def test_a_bad_request_is_refused(data: bytes) -> None:
    """RFC 9112 §2.2, §3, §5, §11: what others let through."""
    assert scan([data]) == Scan(None, BAD_REQUESTS[data], b"")


@pytest.mark.parametrize("data", BAD_RESPONSES)
def test_a_bad_response_is_refused(data: bytes) -> None:
    """RFC 9112 §4; the empty line that a server forgives (§2.2) no client has to."""
    assert scan([data], "response") == Scan(None, BAD_RESPONSES[data], b"")


@pytest.mark.parametrize(("kind", "data"), CORPUS)
def test_cuts_do_not_matter(kind: Kind, data: bytes) -> None:
    """RFC 9112 §2.2: every cut in two, and every byte alone."""
    expected = scan([data], kind)
    for pieces in two_way_cuts(data):
        assert scan(pieces, kind) == expected, pieces


@given(
    st.sampled_from(CORPUS),
    st.integers(0, 60),
    st.binary(max_size=3),
    st.lists(st.integers(0, 300), max_size=9),
)
def test_any_change_of_a_byte_gives_the_same_in_any_pieces(
    entry: tuple[Kind, bytes], place: int, change: bytes, places: list[int]
) -> None:
    kind, data = entry
    changed = data[:place] + change + data[place + 1 :]
    assert scan(cut_at(changed, places), kind) == scan([changed], kind)


def test_a_head_is_not_complete_before_its_last_byte() -> None:
    for kind, data in (("request", GOOD_REQUESTS[-2]), ("response", GOOD_RESPONSES[1])):
        for n in range(len(data)):
            assert scan([data[:n]], "request" if kind == "request" else "response").head is None


def test_one_scanner_finds_head_after_head() -> None:
    scanner = HeadScanner("request", LIMITS)
    held = bytearray(b"\r\nGET /a HTTP/1.1\r\nA: b\r\n\r\n" * 5)
    for _ in range(5):
        assert scanner.feed(held) == b"GET /a HTTP/1.1\r\nA: b\r\n\r\n"
    assert held == b""


@pytest.mark.parametrize(("n", "error"), [(60, None), (61, SECTION_TOO_LONG)])
def test_each_head_is_measured_by_itself(n: int, error: object) -> None:
    """Nothing is left of the head before, neither its bytes, its fields nor its empty lines."""
    scanner = HeadScanner("request", LIMITS)
    full = b"\r\n\r\nGET / HTTP/1.1\r\n" + b"A:\r\n" * 3 + b"B:" + b"b" * 26 + b"\r\n\r\n"
    for _ in range(3):
        assert scanner.feed(bytearray(full)) == full[4:]
    held = bytearray(b"\r\n\r\nGET / HTTP/1.1\r\nA:" + b"a" * 26 + b"\r\nB:" + b"b" * (n - 34) + b"\r\n\r\n")
    if error is None:
        assert scanner.feed(held) is not None
    else:
        with pytest.raises(RemoteProtocolError) as caught:
            scanner.feed(held)
        assert error_values(caught.value) == error


@pytest.mark.parametrize(("n", "error"), [(39, None), (40, None), (41, START_TOO_LONG)])
@pytest.mark.parametrize("end", [b"", b"\r", b"\r\n"])
def test_a_request_line_has_a_limit(n: int, error: object, end: bytes) -> None:
    """RFC 9112 §3: counted without its CRLF, and known to be too long before its end has come."""
    line = b"GET /" + b"a" * (n - 14) + b" HTTP/1.1"
    assert len(line) == n
    assert scan([line + end]).error == error


@pytest.mark.parametrize(("n", "error"), [(29, None), (30, None), (31, FIELD_TOO_LONG)])
@pytest.mark.parametrize("end", [b"", b"\r", b"\r\n", b"\r\n\r\n"])
def test_a_field_line_has_a_limit(n: int, error: object, end: bytes) -> None:
    """RFC 6585 §5."""
    assert scan([b"GET / HTTP/1.1\r\nA:" + b"a" * (n - 2) + end]).error == error


@pytest.mark.parametrize(("n", "error"), [(59, None), (60, None), (61, SECTION_TOO_LONG)])
@pytest.mark.parametrize("end", [b"", b"\r", b"\r\n", b"\r\n\r\n"])
def test_a_header_section_has_a_limit(n: int, error: object, end: bytes) -> None:
    """RFC 6585 §5: counted with all of its CRLFs but without the empty line that ends it."""
    section = b"A:" + b"a" * 28 + b"\r\n" + b"B:" + b"b" * (n - 36)
    assert len(section) + 2 == n
    assert scan([b"GET / HTTP/1.1\r\n" + section + end]).error == error


def test_a_full_header_section_may_still_end() -> None:
    section = b"A:" + b"a" * 26 + b"\r\n" + b"B:" + b"b" * 26 + b"\r\n"
    assert len(section) == 60
    assert scan([b"GET / HTTP/1.1\r\n" + section, b"\r", b"\n"]).head is not None
    assert scan([b"GET / HTTP/1.1\r\n" + section, b"C"]).error == SECTION_TOO_LONG


@pytest.mark.parametrize(("n", "error"), [(3, None), (4, None), (5, TOO_MANY_FIELDS)])
def test_fields_have_a_limit(n: int, error: object) -> None:
    """RFC 6585 §5."""
    assert scan([b"GET / HTTP/1.1\r\n" + b"A:\r\n" * n + b"\r\n"]).error == error


@pytest.mark.parametrize(("n", "error"), [(0, None), (1, None), (2, None), (3, TOO_MANY_LINES)])
def test_empty_lines_before_a_request_have_a_limit(n: int, error: object) -> None:
    """RFC 9112 §2.2: a server should ignore at least one."""
    result = scan([b"\r\n" * n + b"GET / HTTP/1.1\r\n\r\n"])
    assert (result.head, result.error) == (None if error else b"GET / HTTP/1.1\r\n\r\n", error)


def test_the_default_limits_are_kept_too() -> None:
    """RFC 9112 §3 asks for 8,000 bytes of request line at least."""
    limits = Limits()
    line = b"GET /" + b"a" * (8192 - 14) + b" HTTP/1.1\r\n"
    fields = b"".join(b"%03d:" % i + b"x" * 321 + b"\r\n" for i in range(100))
    assert len(fields) <= 32768 < len(fields) + 200
    assert scan([line + fields + b"\r\n"], limits=limits).head == line + fields + b"\r\n"


@pytest.mark.parametrize("line", [b"A: b", b"A:", b"a:b:c", b"A: b\tc"])
def test_a_field_line_is_name_colon_value(line: bytes) -> None:
    """RFC 9112 §5."""
    check_field_line(line)
    with pytest.raises(RemoteProtocolError, match=r"^obsolete line folding$"):
        check_field_line(b" " + line)


def test_an_error_says_what_to_answer() -> None:
    assert error_values(refuse(418, "x", "y")) == ("x", 418, None, "y")


def test_a_head_is_taken_apart_as_it_came() -> None:
    """RFC 9112 §3, §4, §5.1: what an engine would tidy up stays as it is."""
    assert read_request(b"GET /x?y HTTP/1.0\r\n\r\n") == RequestHead(
        method=b"GET", target=b"/x?y", http_version=b"1.0"
    )
    lines = b"Content-Length: 3, 3\r\nCONTENT-length:3\r\nA:\t b : c \r\nB:\r\n\r\n"
    headers = ((b"content-length", b"3, 3"), (b"content-length", b"3"), (b"a", b"b : c"), (b"b", b""))
    assert read_request(b"PUT * HTTP/1.1\r\n" + lines) == RequestHead(
        method=b"PUT", target=b"*", headers=headers
    )
    for end, phrase in ((b"", b""), (b" ", b""), (b" Not Found", b"Not Found")):
        assert read_response(b"HTTP/1.0 404" + end + b"\r\n" + lines) == ResponseHead(
            status_code=404, headers=headers, reason_phrase=phrase, http_version=b"1.0"
        )


# ------------------------------------------------------------------------------------------------------ fields together


def request(*fields: tuple[bytes, bytes], version: bytes = b"1.1", host: bytes | None = b"a") -> RequestHead:
    hosts: RawFields = () if host is None else ((b"host", host),)
    return RequestHead(method=b"POST", target=b"/", headers=(*hosts, *fields), http_version=version)


def response(*fields: tuple[bytes, bytes], status_code: int = 200, version: bytes = b"1.1") -> ResponseHead:
    return ResponseHead(status_code=status_code, headers=fields, http_version=version)


def test_names_are_compared_in_lower_case() -> None:
    """RFC 9110 §5.1; only letters of ASCII have a case in bytes."""
    assert lowered(((b"X-A", b"V"), (b"\xc9", b"v"))) == ((b"x-a", b"V"), (b"\xc9", b"v"))


def test_values_of_one_name_come_in_order() -> None:
    headers = ((b"a", b"1"), (b"b", b"2"), (b"a", b"3"))
    assert values(headers, b"a") == [b"1", b"3"]
    assert values(headers, b"c") == []


def test_a_list_goes_over_all_lines_and_skips_empty_members() -> None:
    """RFC 9110 §5.6.1."""
    headers = ((b"a", b"X, y ,,\tz"), (b"b", b"q"), (b"a", b""), (b"a", b"w"))
    assert tokens(headers, b"a") == [b"x", b"y", b"z", b"w"]
    assert tokens(headers, b"c") == []


HOSTS = [
    *(b"a", b"a:80", b"a:", b"", b":80", b"example.org", b"EXAMPLE.org:65535", b"127.0.0.1:8000", b"xn--a.b"),
    *(b"[::1]", b"[::1]:80", b"[1:2:3:4:5:6:7:8]", b"[::ffff:1.2.3.4]", b"[v1.a:b]", b"[vF.~]:1"),
    *(b"a%20b", b"!$&'()*+,;=", b"-._~", b"localhost.", b"1.2.3.4.5"),
]
NO_HOSTS = [
    *(
        b"a/b",
        b"a/abc?x=",
        b"a?b",
        b"a#b",
        b"u@a",
        b"u:p@a:80",
        b"a b",
        b"a\\b",
        b"a:80:80",
        b"a:8o",
        b"a:-1",
    ),
    *(b"a:123456", b"a,b:1:1", b"%", b"%2", b"%zz", b"a\xe9", b"<a>", b'"a"', b"a|b", b"http://a"),
    *(b"[::1", b"::1", b"[::1]a", b"[]", b"[::g]", b"[v.a]", b"[vg.a]", b"[v1.]", b"[::1%25eth0]"),
    *(
        b"[:]",
        b"[:::]",
        b"[1:2]",
        b"[1:2:3:4:5:6:7:8:9]",
        b"[::12345]",
        b"[1::2::3]",
        b"[::1.2.3]",
        b"[1.2.3.4]",
    ),
]


@pytest.mark.parametrize("host", HOSTS)
def test_a_host_is_a_name_or_an_address_with_a_port(host: bytes) -> None:
    """RFC 9110 §7.2, RFC 3986 §3.2.2."""
    assert check_request(request(host=host)) == Length(0)


@pytest.mark.parametrize("host", NO_HOSTS)
def test_nothing_else_is_a_host(host: bytes) -> None:
    """RFC 9112 §3.2: CVE-2026-48710 made a path out of one."""
    with pytest.raises(RemoteProtocolError) as caught:
        check_request(request(host=host))
    assert error_values(caught.value) == bad(400, "malformed Host field", "RFC 9112 §3.2")


def test_there_is_exactly_one_host() -> None:
    """RFC 9112 §3.2; HTTP/1.0 may have none."""
    assert check_request(request(host=None, version=b"1.0")) == Length(0)
    assert refusal(request(host=None)) == bad(400, "no Host field", "RFC 9112 §3.2")
    for version in (b"1.0", b"1.1"):
        twice = request((b"host", b"a"), version=version)
        assert refusal(twice) == bad(400, "more than one Host field", "RFC 9112 §3.2")


TARGETS = [
    *(b"GET /", b"GET //a", b"GET /a?b=/c:d@e", b"GET /http://a/", b"GET /*", b"OPTIONS *", b"OPTIONS /"),
    *(b"GET http://a", b"GET HTTPS://a:443?b", b"GET ws://[::1]:80/", b"GET wss://a//b", b"OPTIONS http://a"),
    *(b"GET http://a:/b@c", b"CONNECT a:443", b"CONNECT [::1]:0"),
]
NO_TARGETS = [
    *(b"GET *", b"OPTIONS **", b"OPTIONS *?a", b"GET a", b"GET a:80", b"GET ?a", b"GET %2F", b"GET \\a"),
    *(b"GET http:", b"GET http:/a", b"GET http://", b"GET http:///a", b"GET http://?a", b"GET http://:80/"),
    *(b"GET http://u@a/", b"GET http://u:p@a/", b"GET http://a\\b/", b"GET http://[::1/", b"GET http://a:b/"),
    *(b"GET ftp://a/", b"GET file:///a", b"GET urn:a", b"GET ://a", b"GET xhttp://a/"),
    *(b"CONNECT /", b"CONNECT *", b"CONNECT a", b"CONNECT a:", b"CONNECT :80", b"CONNECT http://a:80/"),
    *(b"CONNECT u@a:80", b"CONNECT a:80/", b"CONNECT ::1", b"CONNECT [::1]", b"CONNECT a:x"),
]


def aimed(line: bytes) -> RequestHead:
    method, target = line.split(b" ")
    return RequestHead(method=method, target=target, headers=((b"host", b"a"),))


@pytest.mark.parametrize("line", TARGETS)
def test_a_target_has_one_of_four_forms(line: bytes) -> None:
    """RFC 9112 §3.2.1 to §3.2.4."""
    assert check_request(aimed(line)) == Length(0)


@pytest.mark.parametrize("line", NO_TARGETS)
def test_no_other_target_passes(line: bytes) -> None:
    """RFC 9112 §3.2; the authority of an absolute target has a host and no userinfo (RFC 9110 §4.2.1, §4.2.4)."""
    assert refusal(aimed(line)) == bad(400, "malformed request target", "RFC 9112 §3.2")


def refusal(head: RequestHead) -> tuple[object, ...]:
    with pytest.raises(RemoteProtocolError) as caught:
        check_request(head)
    return error_values(caught.value)


BOTH = bad(400, "both Content-Length and Transfer-Encoding", "RFC 9112 §6.1")
IN_1_0 = bad(400, "Transfer-Encoding in HTTP/1.0", "RFC 9112 §6.1")
OTHER_CODING = bad(501, "a transfer coding other than chunked", "RFC 9112 §6.1")
BAD_LENGTH = bad(400, "malformed Content-Length", "RFC 9112 §6.3")
CL, TE = b"content-length", b"transfer-encoding"


@pytest.mark.parametrize(
    ("fields", "framing"),
    [
        ([], Length(0)),
        ([(CL, b"0")], Length(0)),
        ([(CL, b"007")], Length(7)),
        ([(CL, b"9" * 18)], Length(10**18 - 1)),
        ([(TE, b"chunked")], Chunked()),
        ([(TE, b"CHUNKED")], Chunked()),
    ],
)
def test_a_request_says_how_long_its_content_is(fields: list[tuple[bytes, bytes]], framing: Framing) -> None:
    """RFC 9112 §6.3."""
    assert check_request(request(*fields)) == framing


AMBIGUOUS: list[tuple[list[tuple[bytes, bytes]], tuple[object, ...]]] = [
    ([(CL, b"3"), (TE, b"chunked")], BOTH),
    ([(TE, b"chunked"), (CL, b"0")], BOTH),
    ([(TE, b"identity"), (CL, b"3")], BOTH),
    ([(CL, b"3"), (CL, b"3")], BAD_LENGTH),
    ([(CL, b"3"), (CL, b"4")], BAD_LENGTH),
    *(
        ([(CL, value)], BAD_LENGTH)
        for value in (
            b"3, 3",
            b"+5",
            b"-5",
            b"-0",
            b"5_0",
            b"0x5",
            b"",
            b"5 5",
            b"5.0",
            b"\xd9\xa5",
            b"1" * 19,
        )
    ),
    *(
        ([(TE, value)], OTHER_CODING)
        for value in (
            b"gzip",
            b"identity",
            b"chunked, gzip",
            b"gzip, chunked",
            b"chunked, chunked",
            b"",
            b"xchunked",
        )
    ),
    *(([(TE, value)], OTHER_CODING) for value in (b"chunked;a=b", b"chun\xe2\x84\xaaed", b"\x0bchunked")),
    ([(TE, b"chunked"), (TE, b"chunked")], OTHER_CODING),
    ([(TE, b"gzip"), (TE, b"chunked")], OTHER_CODING),
]


@pytest.mark.parametrize(("fields", "error"), AMBIGUOUS)
def test_ambiguous_framing_is_refused(fields: list[tuple[bytes, bytes]], error: tuple[object, ...]) -> None:
    """RFC 9112 §6.1, §6.3, §11.2: never "lenient"."""
    assert refusal(request(*fields)) == error


@pytest.mark.parametrize("value", [b"chunked", b"identity", b""])
def test_http_1_0_knows_no_transfer_coding(value: bytes) -> None:
    """RFC 9112 §6.1: the framing of such a message is faulty."""
    assert refusal(request((TE, value), version=b"1.0")) == IN_1_0


@pytest.mark.parametrize("method", [b"GET", b"HEAD"])
@pytest.mark.parametrize("status_code", [100, 103, 199, 200, 204, 304, 404, 500])
def test_some_responses_have_no_content_whatever_their_fields_say(method: bytes, status_code: int) -> None:
    """RFC 9112 §6.3, first rule."""
    has_none = method == b"HEAD" or status_code < 200 or status_code in (204, 304)
    assert may_have_content(status_code, method) is not has_none
    long = response((CL, b"5"), status_code=status_code)
    assert check_response(long, method) == Length(0 if has_none else 5)
    chunked = response((TE, b"chunked"), status_code=status_code)
    assert check_response(chunked, method) == (Length(0) if has_none else Chunked())


def test_a_response_without_a_length_goes_to_the_end_of_the_stream() -> None:
    """RFC 9112 §6.3, last rule."""
    assert check_response(response(), b"GET") == UntilClose()
    assert check_response(response(version=b"1.0"), b"GET") == UntilClose()
    assert check_response(response((CL, b"0")), b"GET") == Length(0)


@pytest.mark.parametrize(("fields", "error"), AMBIGUOUS)
@pytest.mark.parametrize("method", [b"GET", b"HEAD"])
def test_an_ambiguous_response_is_refused(
    fields: list[tuple[bytes, bytes]], error: tuple[object, ...], method: bytes
) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        check_response(response(*fields), method)
    assert error_values(caught.value) == error


@pytest.mark.parametrize(
    ("version", "connection", "persists"),
    [
        (b"1.1", (), True),
        (b"1.1", (b"keep-alive",), True),
        (b"1.1", (b"Close",), False),
        (b"1.1", (b"upgrade", b"x, close"), False),
        (b"1.0", (), False),
        (b"1.0", (b"keep-alive",), False),
    ],
)
def test_who_lets_the_connection_go_on(version: bytes, connection: tuple[bytes, ...], persists: bool) -> None:
    """RFC 9112 §9.3."""
    fields = tuple((b"Connection", value) for value in connection)
    request = RequestHead(method=b"GET", target=b"/", headers=fields, http_version=version)
    response = ResponseHead(status_code=200, headers=fields, http_version=version)
    assert (may_persist(request), may_persist(response)) == (persists, persists)


@pytest.mark.parametrize(
    ("version", "expect", "expects"),
    [
        (b"1.1", b"100-continue", True),
        (b"1.1", b"100-Continue", True),
        (b"1.1", b"x, 100-continue", True),
        (b"1.1", b"100", False),
        (b"1.0", b"100-continue", False),
    ],
)
def test_who_waits_for_100(version: bytes, expect: bytes, expects: bool) -> None:
    """RFC 9110 §10.1.1: an expectation of HTTP/1.0 is ignored."""
    head = RequestHead(method=b"POST", target=b"/", headers=((b"expect", expect),), http_version=version)
    assert expects_continue(head) is expects


@pytest.mark.parametrize(
    ("lengths", "framing"),
    [
        ([b"0"], Length(0)),
        ([b"007"], Length(7)),
        ([b"9" * 18], Length(10**18 - 1)),
        ([b"9" * 19], None),
        ([b"+1"], None),
        ([b"1_0"], None),
        ([b""], None),
        ([b"3, 3"], None),
        ([b"3", b"3"], None),
        ([], None),
    ],
)
def test_a_content_length_is_one_plain_number(lengths: list[bytes], framing: Length | None) -> None:
    """RFC 9110 §8.6."""
    assert parse_length(lengths) == framing


# ---------------------------------------------------------------------------------------------- what the fields settle


def settled(*fields: tuple[bytes, bytes], version: bytes = b"1.1", target: bytes = b"/") -> Terms:
    head = RequestHead(method=b"GET", target=target, headers=fields, http_version=version)
    return settle(head, tuple(field for field in fields if field[0] in NOTABLE))


A_HOST = (b"host", b"a")
PLAIN = Terms(framing=EMPTY, persists=True, expects_continue=False, is_old=False, upgrades=False)
OLD = replace(PLAIN, persists=False, is_old=True)


@pytest.mark.parametrize("_time", range(2))
@pytest.mark.parametrize(
    ("fields", "version", "terms"),
    [
        ([A_HOST, (b"x-a", b"close")], b"1.1", PLAIN),
        ([A_HOST], b"1.0", OLD),
        ([A_HOST, (b"connection", b"a, Close")], b"1.1", replace(PLAIN, persists=False)),
        (
            [A_HOST, (b"expect", b"100-Continue"), (b"content-length", b"3")],
            b"1.1",
            replace(PLAIN, framing=Length(3), expects_continue=True),
        ),
        ([A_HOST, (b"upgrade", b"h2c, WebSocket")], b"1.1", replace(PLAIN, upgrades=True)),
        ([A_HOST, (b"transfer-encoding", b"chunked")], b"1.1", replace(PLAIN, framing=Chunked())),
    ],
)
def test_some_fields_settle_how_a_request_goes_on(
    fields: list[tuple[bytes, bytes]], version: bytes, terms: Terms, _time: int
) -> None:
    """RFC 9112 §6, §9.3: the first time and when they come again."""
    assert settled(*fields, version=version) == terms


def test_what_was_settled_is_remembered_for_requests_of_ordinary_size() -> None:
    def is_remembered(*fields: tuple[bytes, bytes], version: bytes = b"1.1") -> bool:
        return settled(*fields, version=version) is settled(*fields, version=version)

    assert is_remembered((b"host", b"a" * 128))
    assert not is_remembered((b"host", b"a" * 129))
    assert not is_remembered((b"host", b"a" * 64), (b"connection", b"b" * 65))
    assert not is_remembered(A_HOST, version=b"1.0")
    assert is_remembered(A_HOST, (b"upgrade", b"websocket"))


def test_the_key_of_an_opening_handshake_is_no_reason_to_remember_another_one() -> None:
    """RFC 6455 §4.1: it is another one each time."""
    assert b"sec-websocket-version" in NOTABLE
    assert b"sec-websocket-key" not in NOTABLE


def test_subprotocols_are_not_remembered() -> None:
    """A script in a browser can put a token into no other field (RFC 6455 §4.1)."""
    assert b"sec-websocket-protocol" not in NOTABLE


def test_so_much_is_remembered_at_most() -> None:
    first = settled((b"host", b"first"))
    for i in range(256):
        assert settled((b"host", b"%d" % i)) == PLAIN
    assert settled((b"host", b"first")) is not first


def test_a_version_or_a_target_is_judged_though_its_fields_are_known() -> None:
    """RFC 9112 §3.2: without a Host field the old version is in order, and the new one is not."""
    for _ in range(2):
        assert settled(version=b"1.0") == OLD
        with pytest.raises(RemoteProtocolError, match=r"^no Host field$"):
            settled()
        assert settled(A_HOST) == PLAIN
        with pytest.raises(RemoteProtocolError, match=r"^malformed request target$"):
            settled(A_HOST, target=b"a")


@pytest.mark.parametrize("fields", [[], [(b"content-length", b"0")], [(b"content-length", b"000")]])
def test_no_content_is_always_the_same_framing(fields: list[tuple[bytes, bytes]]) -> None:
    assert check_request(request(*fields)) is EMPTY
    assert check_response(ResponseHead(status_code=204, headers=tuple(fields)), b"GET") is EMPTY


def test_a_usual_name_is_the_same_object_in_all_heads() -> None:
    assert take_apart(b"HOST: a\t") == (b"host", b"a")
    assert take_apart(b"HOST: a\t")[0] is KNOWN[b"host"]
    assert take_apart(b"X-A:b:c") == (b"x-a", b"b:c")


@pytest.mark.parametrize(
    ("value", "size"),
    [
        (b"0", 0),
        (b"007", 7),
        (b"9" * 18, 10**18 - 1),
        (b"9" * 19, None),
        (b"", None),
        (b"+1", None),
        (b"\xb2", None),
    ],
)
def test_a_size_is_one_plain_number(value: bytes, size: int | None) -> None:
    """RFC 9110 §8.6."""
    assert parse_size(value) == size
