"""A chunked content: sizes, extensions, terminators, trailers (RFC 9112 §7.1)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from ambiguous.case import BAD_FIELD, BARE_LF, FOLDED, GET, Case, Read, Refused, bad, good, head

HEAD: Final = head(b"Transfer-Encoding: chunked")
END: Final = b"0\r\n\r\n"

SIZE: Final = Refused(400, "malformed chunk-size line", "RFC 9112 §7.1")
LONG: Final = Refused(400, "a chunk-size line is too long", "RFC 9112 §7.1")
BOMB: Final = Refused(400, "too many chunk extensions", "RFC 9112 §7.1.1")
NO_CRLF: Final = Refused(400, "chunk data not followed by CRLF", "RFC 9112 §7.1")
MANY: Final = Refused(400, "too many trailer fields", "RFC 9112 §7.1.2")
LARGE: Final = Refused(400, "the trailer section is too long", "RFC 9112 §7.1")
FRAMING: Final = Refused(400, "a framing field in the trailer section", "RFC 9110 §6.5.1")


def sized(line: bytes) -> bytes:
    """Make a content of one chunk with this chunk-size line, and three bytes in it."""
    return HEAD + line + b"\r\nabc\r\n" + END


def trailed(section: bytes) -> bytes:
    """Make a content whose trailer section is this, with its last CRLF but without the empty line."""
    return HEAD + b"0\r\n" + section + b"\r\n"


def read(content: bytes = b"", *trailers: tuple[bytes, bytes]) -> Read:
    """Return what was read."""
    return Read(b"POST", b"/", content, trailers)


ABC: Final = read(b"abc")

SIZES: Final[Mapping[str, Case]] = {
    "one chunk": good(sized(b"3"), ABC),
    "no chunk but the last": good(HEAD + END, read()),
    "a last chunk of several zeros": good(HEAD + b"000\r\n\r\n", read()),
    "a size with leading zeros": good(sized(b"0000000000000003"), ABC),
    "sizes in both cases": good(
        HEAD + b"a\r\n0123456789\r\nB\r\n0123456789a\r\n" + END, read(b"01234567890123456789a")
    ),
    "chunk data that looks like a chunk": good(HEAD + b"5\r\n0\r\n\r\n\r\n" + END, read(b"0\r\n\r\n")),
    "chunk data that looks like a request": good(
        HEAD + b"%x\r\n" % len(GET) + GET + b"\r\n" + END, read(GET)
    ),
    "size with a plus sign": bad(SIZE, sized(b"+3")),
    "size with a minus sign": bad(SIZE, sized(b"-3")),
    "size minus zero": bad(SIZE, HEAD + b"-0\r\n\r\n"),
    "size with 0x": bad(SIZE, sized(b"0x3")),
    "size with an underscore": bad(SIZE, sized(b"0_3")),
    "size with a space before": bad(SIZE, sized(b" 3")),
    "size with a space behind": bad(SIZE, sized(b"3 ")),
    "size with a tab behind": bad(SIZE, sized(b"3\t")),
    "size with a space inside": bad(SIZE, sized(b"0 3")),
    "an empty size": bad(SIZE, sized(b"")),
    "an empty line before a size": bad(SIZE, HEAD + b"\r\n3\r\nabc\r\n" + END),
    "a size of 17 digits": bad(SIZE, sized(b"00000000000000003")),
    "a size of 2 to the 64 and three": bad(SIZE, sized(b"10000000000000003")),
    "a size with a letter behind f": bad(SIZE, sized(b"3g")),
    "a size in quotes": bad(SIZE, sized(b'"3"')),
    "a size with a comma": bad(SIZE, sized(b"3,3")),
    "a size with a point": bad(SIZE, sized(b"3.0")),
    "a size in fullwidth digits": bad(SIZE, sized("３".encode())),
    "a size behind a no-break space": bad(SIZE, sized(b"\xa03")),
    "a size behind a vertical tab": bad(SIZE, sized(b"\x0b3")),
    "a size before a NUL": bad(SIZE, sized(b"3\x00")),
    "a size before a bare CR": bad(SIZE, sized(b"3\r")),
    "a size before CR CR LF and more": bad(SIZE, HEAD + b"3\r\r\nabc\r\n" + END),
    "a size before a bare LF": bad(BARE_LF, HEAD + b"3\nabc\r\n" + END),
    "the last size before a bare LF": bad(BARE_LF, HEAD + b"0\n\r\n"),
    "a size before LF CR": bad(BARE_LF, HEAD + b"3\n\rabc\r\n" + END),
}

EXTENSIONS: Final[Mapping[str, Case]] = {
    "an extension": good(sized(b"3;a"), ABC),
    "an extension with a value": good(sized(b"3;a=b"), ABC),
    "an extension with a quoted value": good(sized(b'3;a="b;\\"c, d"'), ABC),
    "an extension with an empty quoted value": good(sized(b'3;a=""'), ABC),
    "several extensions": good(sized(b"3;a;b=c;d"), ABC),
    "extensions between spaces and tabs": good(sized(b"3 ; a\t=\tb ;c"), ABC),
    "an extension of the last chunk": good(HEAD + b"0;a=b\r\n\r\n", read()),
    "an extension of 8-bit characters in quotes": good(sized(b'3;a="\xe9"'), ABC),
    "extensions that fill a line": good(sized(b"3;" + b"a" * 254), ABC),
    "extensions that fill what one content may have": good(
        HEAD + (b"1;" + b"a" * 127 + b"\r\nx\r\n") * 32 + END, read(b"x" * 32)
    ),
    "an extension without a name": bad(SIZE, sized(b"3;")),
    "an extension of two semicolons": bad(SIZE, sized(b"3;;a")),
    "an extension with an empty value": bad(SIZE, sized(b"3;a=")),
    "an extension without its semicolon": bad(SIZE, sized(b"3 a")),
    "an extension with a space behind": bad(SIZE, sized(b"3;a ")),
    "an extension with two values": bad(SIZE, sized(b"3;a=b=c")),
    "an extension whose name is in quotes": bad(SIZE, sized(b'3;"a"')),
    "a quoted value without its end": bad(SIZE, sized(b'3;a="b')),
    "a quoted value with something behind": bad(SIZE, sized(b'3;a="b"c')),
    "a quoted value that ends with a backslash": bad(SIZE, sized(b'3;a="b\\"')),
    "CRLF in a quoted value": bad(SIZE, HEAD + b'3;a="\r\nabc"\r\n' + END),
    "LF in a quoted value": bad(BARE_LF, HEAD + b'3;a="\nabc"\r\n' + END),
    "LF in an extension": bad(BARE_LF, HEAD + b"3;a\nabc\r\n" + END),
    "CR in an extension": bad(SIZE, sized(b"3;a\rb")),
    "CR in a quoted value": bad(SIZE, sized(b'3;a="\rb"')),
    "NUL in an extension": bad(SIZE, sized(b"3;a\x00")),
    "8-bit characters in an extension's name": bad(SIZE, sized(b"3;\xe9")),
    "an extension that is too long for a line": bad(LONG, sized(b"3;" + b"a" * 255)),
    "an extension without an end": bad(LONG, HEAD + b"3;" + b"a" * 5000),
    "extensions that are too many for one content": bad(
        BOMB, HEAD + (b"1;" + b"a" * 127 + b"\r\nx\r\n") * 33 + END
    ),
}

TERMINATORS: Final[Mapping[str, Case]] = {
    "no CRLF behind chunk data": bad(NO_CRLF, HEAD + b"3\r\nabc" + END),
    "two other bytes behind chunk data": bad(NO_CRLF, HEAD + b"3\r\nabcXX" + END),
    "a bare LF behind chunk data": bad(NO_CRLF, HEAD + b"3\r\nabc\n" + END),
    "a bare CR behind chunk data": bad(NO_CRLF, HEAD + b"3\r\nabc\r" + END),
    "LF CR behind chunk data": bad(NO_CRLF, HEAD + b"3\r\nabc\n\r" + END),
    "CR and another byte behind chunk data": bad(NO_CRLF, HEAD + b"3\r\nabc\rX" + END),
    "a space before the CRLF behind chunk data": bad(NO_CRLF, HEAD + b"3\r\nabc \r\n" + END),
    "more chunk data than was announced": bad(NO_CRLF, HEAD + b"2\r\nabc\r\n" + END),
    "less chunk data than was announced": bad(NO_CRLF, HEAD + b"5\r\nabc\r\n0" + END),
    "two CRLFs behind chunk data": bad(SIZE, HEAD + b"3\r\nabc\r\n\r\n" + END),
    "a bare LF at the end of all": bad(BARE_LF, HEAD + b"0\r\n\n"),
    "a bare CR at the end of all": bad(BAD_FIELD, HEAD + b"0\r\n\r"),
    "two bytes instead of the last CRLF": bad(BAD_FIELD, HEAD + b"0\r\nXX"),
    "nothing instead of the last CRLF": bad(BAD_FIELD, HEAD + b"0\r\n"),
}

TRAILERS: Final[Mapping[str, Case]] = {
    "a trailer": good(trailed(b"X: y\r\n"), read(b"", (b"x", b"y"))),
    "an empty trailer": good(trailed(b"X:\r\n"), read(b"", (b"x", b""))),
    "trailers stay what they are": good(
        trailed(b"Host: evil\r\nAuthorization: x\r\nCookie: a=b\r\n"),
        read(b"", (b"host", b"evil"), (b"authorization", b"x"), (b"cookie", b"a=b")),
    ),
    "a trailer twice": good(trailed(b"Host: a\r\nHost: b\r\n"), read(b"", (b"host", b"a"), (b"host", b"b"))),
    "as many trailers as may be": good(trailed(b"X: y\r\n" * 32), read(b"", *[(b"x", b"y")] * 32)),
    "one trailer more": bad(MANY, trailed(b"X: y\r\n" * 33)),
    "a trailer between tabs and spaces": good(trailed(b"X:\t y \t\r\n"), read(b"", (b"x", b"y"))),
    "trailers that are too long together": bad(LARGE, trailed((b"X: " + b"y" * 4097 + b"\r\n") * 2)),
    "trailers without an end": bad(LARGE, HEAD + b"0\r\nX: " + b"y" * 8200),
    "a length in a trailer": bad(FRAMING, trailed(b"Content-Length: 3\r\n")),
    "a length that is none in a trailer": bad(FRAMING, trailed(b"Content-Length: x\r\n")),
    "a coding in a trailer": bad(FRAMING, trailed(b"X: y\r\nTransfer-Encoding: chunked\r\n")),
    "a trailer with a space before its colon": bad(BAD_FIELD, trailed(b"X : y\r\n")),
    "a trailer without a colon": bad(BAD_FIELD, trailed(b"X\r\n")),
    "a trailer without a name": bad(BAD_FIELD, trailed(b": y\r\n")),
    "a trailer with a NUL": bad(BAD_FIELD, trailed(b"X: \x00\r\n")),
    "a trailer with a bare CR": bad(BAD_FIELD, trailed(b"X: y\rZ: z\r\n")),
    "a trailer with a bare LF": bad(BARE_LF, trailed(b"X: y\nZ: z\r\n")),
    "a trailer that is folded": bad(FOLDED, trailed(b"X: y\r\n z\r\n")),
    "a first trailer that begins with a space": bad(FOLDED, trailed(b" X: y\r\n")),
    "a request in the place of trailers": bad(BAD_FIELD, HEAD + b"0\r\n" + GET),
}
