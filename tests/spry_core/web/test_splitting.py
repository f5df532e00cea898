"""No character that an application puts into an answer can end its line: over the characters that might, and every place
where one can stand, it is written in its place or refused where it is set (RFC 9110 §5.5, RFC 9112 §11.1).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spry_core import Abort, Application, Request, Response
from spry_core.testing import TestClient

CHARACTERS: Final = [
    *map(chr, range(0x180)),
    *("\u010a", "\u010d", "\u0a0d", "\u2028", "\u2029", "\u2424", "\u560a", "\u560d", "\ufeff"),
    *("\ud800", "\uff0d", "\U0001000a", "\U0001000d"),
]
"""All that two bytes of UTF-8 begin with, those whose last byte is CR or LF, and those that look like an end of line."""

VISIBLE: Final = frozenset(map(chr, range(0x21, 0x7F)))
TOKEN: Final = VISIBLE - frozenset('"(),/:;<=>?@[\\]{}')
LATIN: Final = VISIBLE | {"\t", " "} | frozenset(map(chr, range(0x80, 0x100)))
OCTETS: Final = VISIBLE - frozenset('",;\\')
LABELS: Final = frozenset("-.0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")


@dataclass(frozen=True)
class Place:
    """Somewhere in an answer where text of the application stands."""

    make: Callable[[str], Response]
    lines: int
    """How many field lines the answer has with it, Date too."""
    allowed: frozenset[str]
    """Which characters may stand there, between others."""


def with_value(text: str) -> Response:
    response = Response(headers={"x": "y"})
    response.headers["x"] = text
    return response


def with_field(text: str) -> Response:
    response = Response()
    response.headers.add("x", text)
    return response


def with_cookie(name: str = "a", value: str = "b", path: str = "/", domain: str = "c") -> Response:
    response = Response()
    response.set_cookie(name, value, path=path, domain=domain)
    return response


PLACES: Final[Mapping[str, Place]] = {
    "a field's name": Place(lambda text: Response(headers={text: "x"}), 3, TOKEN),
    "a field's value": Place(lambda text: Response(headers={"x": text}), 3, LATIN),
    "a field's value set in place of another": Place(with_value, 3, LATIN),
    "a field's value added": Place(with_field, 3, LATIN),
    "a reason phrase": Place(lambda text: Response(reason_phrase=text), 2, LATIN),
    "a field's value of an abort": Place(lambda text: Abort(400, "x", {"x": text}).response(), 4, LATIN),
    # What a URI cannot hold is escaped, and of a surrogate there is no UTF-8.
    "a location": Place(
        lambda text: Abort.redirect(text).response(),
        4,
        frozenset(CHARACTERS) - frozenset(map(chr, range(0x20))) - {"\x7f", "\ud800"},
    ),
    "a cookie's name": Place(lambda text: with_cookie(name=text), 3, TOKEN),
    "a cookie's value": Place(lambda text: with_cookie(value=text), 3, OCTETS),
    "a cookie's path": Place(
        lambda text: with_cookie(path="/" + text), 3, (VISIBLE | {" "}) - frozenset(";")
    ),
    "a cookie's domain": Place(lambda text: with_cookie(domain=text), 3, LABELS),
}


def answered(place: Place, text: str) -> bytes | None:
    """Return what an application sends that puts `text` into the place; None if that raised where it was put."""
    app, refused = Application(), list[ValueError]()

    @app.get("/")
    async def handler(request: Request) -> Response:
        try:
            return place.make(text)
        except ValueError as error:
            refused.append(error)
            raise Abort(503) from None

    peer = TestClient(app).connect()
    peer.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    if refused:
        assert peer.received.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
        return None
    return peer.received


def check(place: Place, sent: bytes) -> None:
    """See that every line is one that was meant."""
    head, separator, content = sent.partition(b"\r\n\r\n")
    assert separator
    lines = head.split(b"\r\n")
    assert len(lines) == 1 + place.lines
    assert all(each not in line for line in lines for each in (b"\r", b"\n", b"\0"))
    assert content in (b"", b"x", b"Found")


@pytest.mark.parametrize("name", PLACES)
def test_every_character_stands_in_its_place_or_is_refused(name: str) -> None:
    """Between others; what a field's value has at its ends is no part of it."""
    place, passed = PLACES[name], set[str]()
    for character in CHARACTERS:
        sent = answered(place, f"a{character}b")
        if sent is not None:
            check(place, sent)
            passed.add(character)
    assert passed == place.allowed


@given(
    st.sampled_from(list(PLACES)),
    st.lists(
        st.sampled_from(["\r\n", "\r", "\n", "\0", "X: y", " ", "\t", ";", "\x85", "\u2028", "\u560a", "a"])
    ),
)
def test_no_characters_together_split_an_answer(name: str, parts: list[str]) -> None:
    place = PLACES[name]
    sent = answered(place, "".join(parts))
    if sent is not None:
        check(place, sent)
