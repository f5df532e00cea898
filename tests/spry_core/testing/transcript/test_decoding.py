from __future__ import annotations

from collections import deque

import pytest

from spry_core.testing.frames import BINARY, CLOSE_FRAME, CONTINUATION, PING, TEXT, Frame, frame
from spry_core.testing.transcript.decoding import (
    LONGEST,
    Decoder,
    escaped,
    frame_item,
    head_item,
    hexadecimal,
    readable,
    sized,
)


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"plain", "plain"),
        ("grüße ☃".encode(), "grüße ☃"),
        (b"a\r\n\x1b[0m\x7f", r"a\r\n\x1b[0m\x7f"),
        (b"back\\slash", r"back\\slash"),
        (b"\xff\xe4a", r"\xff\xe4a"),
        ("\u202e\u2028\ufeff".encode(), r"\u202e\u2028\ufeff"),
        (b"x" * 121, "x" * 117 + "..."),
        (b"\x00" * 121, (r"\x00" * 30)[:117] + "..."),
    ],
)
def test_bytes_are_written_so_that_they_act_nowhere(data: bytes, text: str) -> None:
    """Neither in a terminal nor on a page: direction marks and line separators are escaped too."""
    assert readable(data) == text
    assert len(text) <= LONGEST
    assert text.isprintable()


def test_text_is_bounded() -> None:
    assert escaped("abcdef", 5) == "ab..."
    assert escaped("abcde", 5) == "abcde"
    assert hexadecimal(bytes(65)) == "00 " * 63 + "00 ..."
    assert hexadecimal(b"ab") == "61 62"
    assert (sized(1), sized(1200, "line")) == ("1 byte", "1,200 lines")


def titles(decoder: Decoder, *pieces: bytes) -> list[list[str]]:
    return [[item.title for item in decoder.feed(piece)] for piece in pieces]


def test_heads_and_contents_are_found() -> None:
    decoder = Decoder("request", deque())
    assert titles(
        decoder,
        b"\r\nPOST /a HTTP/1.1\r\nHost: a\r\nContent-Le",
        b"ngth: 5\r\n\r\nab",
        b"cdeGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"POST /b HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n",
    ) == [
        ["39 bytes, not yet complete"],
        ["POST /a HTTP/1.1", "2 bytes of content"],
        ["3 bytes of content", "GET / HTTP/1.1"],
        ["POST /b HTTP/1.1", "12 bytes of content"],
    ]


def test_what_is_no_http_is_bytes() -> None:
    decoder = Decoder("request", deque())
    (item,) = decoder.feed(b"\x16\x03\x01\n")
    assert (item.kind, item.title) == ("bytes", "4 bytes, not yet complete")
    assert item.details == (("bytes", "16 03 01 0a"),)


def test_behind_the_101_there_are_frames() -> None:
    """RFC 6455 §5.2; a frame may come in several pieces."""
    decoder = Decoder("response", deque([b"GET"]))
    data = frame(TEXT, b"hi", mask=None) + frame(PING, b"", mask=None)
    assert titles(
        decoder, b"HTTP/1.1 101 Switching Protocols\r\nA: b\r\n\r\n" + data[:3], data[3:], b"\x81"
    ) == [
        ["HTTP/1.1 101 Switching Protocols"],
        ["text frame, 2 bytes: hi", "ping frame, 0 bytes"],
        ["1 byte, not yet complete"],
    ]


def test_frames_that_came_before_the_answer_are_not_lost() -> None:
    decoder = Decoder("request", deque())
    hello = frame(TEXT, b"hello")
    decoder.feed(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" + hello[:4])
    decoder.switch()
    decoder.switch()  # a second time changes nothing
    assert titles(decoder, hello[4:]) == [["text frame, 5 bytes: hello"]]


def test_a_head_has_its_fields_among_the_details() -> None:
    item = head_item(b"GET / HTTP/1.1\r\nHost:  a \r\nX: \x1b\r\n\r\n")
    assert item.details == (("start line", "GET / HTTP/1.1"), ("Host", "a"), ("X", r"\x1b"))


@pytest.mark.parametrize(
    ("given", "title"),
    [
        (Frame(TEXT, b"", fin=False), "text frame, 0 bytes, more follow"),
        (Frame(BINARY, b"\x00", rsv=4), "binary frame, 1 byte, compressed"),
        (Frame(CONTINUATION, b"a", rsv=3), "continuation frame, 1 byte, rsv 011: a"),
        (Frame(CLOSE_FRAME, b""), "close frame, 0 bytes"),
        (Frame(CLOSE_FRAME, b"\x03"), r"close frame, 1 byte: \x03"),
        (Frame(CLOSE_FRAME, b"\x03\xe8"), "close frame, 2 bytes: 1000"),
        (Frame(CLOSE_FRAME, b"\x03\xe8bye"), "close frame, 5 bytes: 1000 bye"),
        (Frame(0xB, b""), "opcode 0xb frame, 0 bytes"),
    ],
)
def test_a_frame_is_told_in_one_line(given: Frame, title: str) -> None:
    assert frame_item(given).title == title


def test_a_frame_has_its_fields_among_the_details() -> None:
    """RFC 6455 §5.2, and §5.5.1 for the content of a Close frame."""
    assert frame_item(Frame(CLOSE_FRAME, b"\x03\xe8bye", mask=b"\x01\x02\x03\x04")).details == (
        ("opcode", "0x8 (close)"),
        ("fin", "1"),
        ("rsv", "000"),
        ("masked", "yes, with 01 02 03 04"),
        ("length", "5"),
        ("close code", "1000"),
        ("close reason", "bye"),
        ("payload", r"\x03\xe8bye"),
        ("payload, hexadecimal", "03 e8 62 79 65"),
    )
    assert ("masked", "no") in frame_item(Frame(TEXT, b"a")).details
