"""Tests of `spry_core.testing.strategies.fields` (RFC 9110 §5)."""

from __future__ import annotations

import h11
from hypothesis import given

from drawn import Productions, few, missing, seen, simplest
from spry_core.headers import check_raw_fields
from spry_core.protocol import RawFields
from spry_core.testing.strategies import field_names, field_values, header_sections, tokens
from spry_core.testing.strategies.fields import PADDINGS, TOKEN_CHARACTERS, field_lines, has_no_meaning


@few
@given(header_sections(), PADDINGS)
def test_a_section_may_be_sent_and_h11_reads_the_same(
    fields: RawFields, padding: tuple[bytes, bytes]
) -> None:
    """RFC 9112 §5."""
    check_raw_fields(fields)
    reader = h11.Connection(h11.SERVER)
    reader.receive_data(b"GET / HTTP/1.1\r\nHost: a\r\n" + field_lines(fields, padding) + b"\r\n")
    head = reader.next_event()
    assert isinstance(head, h11.Request)
    assert list(head.headers)[1:] == [(name.lower(), value) for name, value in fields]


def test_the_simplest_are_short() -> None:
    assert simplest(tokens()) == b"0"
    assert simplest(field_values()) == b""
    assert simplest(field_values(), bool) == b"0"
    assert simplest(header_sections()) == ()
    assert simplest(header_sections(), bool) == ((b"0", b""),)


def test_every_character_of_a_token_comes_up() -> None:
    """RFC 9110 §5.6.2."""
    characters = set(TOKEN_CHARACTERS.encode())
    assert seen(tokens(), bytes, characters) == characters


def test_every_kind_of_value_comes_up() -> None:
    """RFC 9110 §5.5."""
    shows: Productions[bytes] = {
        "empty": lambda value: not value,
        "obs-text": lambda value: any(each >= 0x80 for each in value),
        "a space inside": lambda value: b" " in value,
        "a tab inside": lambda value: b"\t" in value,
    }
    assert missing(field_values(), shows) == set()


def test_every_kind_of_section_comes_up() -> None:
    shows: Productions[RawFields] = {
        "a name twice": lambda fields: len({name.lower() for name, _ in fields}) < len(fields),
        "several fields": lambda fields: len(fields) > 1,
        "upper case": lambda fields: any(name.lower() != name for name, _ in fields),
    }
    assert missing(header_sections(), shows) == set()


def test_whitespace_stands_on_either_side() -> None:
    """RFC 9112 §5.1."""
    lines = {
        b"a:%sb%s\r\n" % (before, behind)
        for before in (b"", b" ", b"\t", b"  ", b" \t ")
        for behind in (b"", b" ", b"\t", b" \t")
    }
    assert seen(PADDINGS, lambda padding: [field_lines(((b"a", b"b"),), padding)], lines) == lines


@few
@given(field_names())
def test_no_name_changes_how_a_message_is_read(name: bytes) -> None:
    assert has_no_meaning(name)


def test_names_that_mean_something_are_known_in_any_case() -> None:
    assert not any(map(has_no_meaning, (b"Host", b"CONTENT-length", b"te", b"Sec-WebSocket-Key")))
