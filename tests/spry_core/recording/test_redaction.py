from __future__ import annotations

import pytest

from spry_core.protocol import Accept, BodyData, BodyEnd, RequestHead, ResponseHead
from spry_core.recording import NEEDED_FIELDS, SECRET_FIELDS, Redaction
from spry_core.recording.redaction import hide, hide_query


def test_a_secret_keeps_its_length_its_spaces_and_its_control_characters() -> None:
    """What was refused for its grammar must be refused again (RFC 9110 §5.5)."""
    assert hide(b" Basic a\tb\x01c\x7f\xffd \r\n") == b" ***** *\t*\x01*\x7f** \r\n"
    every = bytes(range(256))
    assert hide(every) == bytes(range(0x21)) + b"*" * (0x7F - 0x21) + b"\x7f" + b"*" * 128


@pytest.mark.parametrize(
    ("target", "shown"),
    [
        (b"/a/b", b"/a/b"),
        (b"/a?", b"/a?"),
        (b"/a?token=x%20y&b=1;c?d", b"/a?*****=*****&*=*****"),
        (b"/?a#b\x80<", b"/?*#*\x80<"),
        (b"http://h/p?q=1", b"http://h/p?*=*"),
    ],
)
def test_a_query_is_hidden_but_for_what_stands_between_names_and_values(target: bytes, shown: bytes) -> None:
    """RFC 3986 §3.4: what cannot stand in a query stays, since it is why the target is refused."""
    assert hide_query(target) == shown
    assert hide_query(shown) == shown


def test_the_rule_names_the_fields_that_authenticate_and_what_the_user_adds() -> None:
    assert {"authorization", "cookie", "proxy-authorization", "set-cookie"} == SECRET_FIELDS
    assert Redaction(["X-API-Key", "cookie"]).names == (
        "authorization",
        "cookie",
        "proxy-authorization",
        "set-cookie",
        "x-api-key",
    )


@pytest.mark.parametrize("name", sorted(NEEDED_FIELDS))
def test_what_the_core_reads_itself_cannot_be_redacted(name: str) -> None:
    with pytest.raises(ValueError, match=f"^{name} cannot be redacted: a replay needs it$"):
        Redaction([name.upper()])


@pytest.mark.parametrize("name", ["", "a b", "a:", "ä", "x" * 60 + " " * 99])
def test_what_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"^'.{0,60}' is not the name of a field \(RFC 9110 §5\.1\)$"):
        Redaction([name])


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        (b"Cookie: a=b; c\r\n", b"Cookie: **** *\r\n"),
        (b"COOKIE:a\r\n", b"COOKIE:*\r\n"),
        (b"Cookie : a\r\n", b"Cookie : *\r\n"),
        (b" Cookie: a\r\n", b" Cookie: *\r\n"),
        (b"Cookie", b"Cookie"),
        (b"Cookie-Jar: a\r\n", b"Cookie-Jar: a\r\n"),
        (b"X-Key: a: b\r\n", b"X-Key: ** *\r\n"),
    ],
)
def test_a_field_line_is_known_by_its_name(line: bytes, shown: bytes) -> None:
    redaction = Redaction(["x-key"])
    assert redaction.line(line) == shown
    assert [redaction.line(line[:end]) for end in range(len(line))] == [
        shown[:end] for end in range(len(line))
    ]


def test_events_are_shown_without_secrets() -> None:
    """In every section that they can have, trailers too (RFC 9110 §6.5)."""
    redaction = Redaction()
    secret, plain = ((b"Set-Cookie", b"a=b"), (b"A", b"b")), ((b"A", b"b"),)
    hidden = ((b"Set-Cookie", b"***"), (b"A", b"b"))
    assert redaction.event(ResponseHead(status_code=200, headers=secret)).headers == hidden
    assert redaction.event(Accept(headers=secret)).headers == hidden
    assert redaction.event(BodyEnd(trailers=secret)).trailers == hidden
    head = redaction.event(RequestHead(method=b"GET", target=b"/?a=b", headers=secret))
    assert (head.target, head.headers) == (b"/?*=*", hidden)
    assert redaction.event(BodyEnd(trailers=plain)).trailers is plain
    data = BodyData(data=b"Cookie: a")
    assert redaction.event(data) is data
