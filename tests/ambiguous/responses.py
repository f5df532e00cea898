"""Responses, and what a client makes of them (RFC 9112 §4, §6.3)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from ambiguous.answer import (
    CHUNKED,
    LINE,
    LONG_FIELD,
    LONG_LINE,
    LONG_SECTION,
    MANY_FIELDS,
    NONE,
    SHORT,
    SWITCH,
    VERSION,
    Answer,
    bad,
    cut,
    good,
    head,
    more,
    start,
    trailed,
)
from ambiguous.case import BAD_FIELD, BARE_LF, FOLDED
from ambiguous.chunks import BOMB, FRAMING, LARGE, LONG, MANY, NO_CRLF, SIZE
from ambiguous.framing import BOTH, CHUNKS, CODING, IN_1_0, LENGTH

OK: Final = start(b"HTTP/1.1 200 OK")
CONTINUE: Final = head(start=b"HTTP/1.1 100 Continue")
NO_CONTENT: Final = b"HTTP/1.1 204 No Content"
NOT_MODIFIED: Final = b"HTTP/1.1 304 Not Modified"

INTERIM: Final[Mapping[str, Answer]] = {
    "an interim response": good(CONTINUE + OK, 100, 200),
    "interim responses": good(head(start=b"HTTP/1.1 103 Early Hints") * 3 + OK, 103, 103, 103, 200),
    "interim responses of every kind": good(
        b"".join(head(start=b"HTTP/1.1 %d A" % code) for code in (100, 102, 104, 199)) + OK,
        *(100, 102, 104, 199, 200),
    ),
    "an interim response to HEAD": good(CONTINUE + head(b"Content-Length: 3"), 100, 200, method=b"HEAD"),
    "an interim response with a length": good(
        head(b"Content-Length: 3", start=b"HTTP/1.1 103 Hints") + OK, 103, 200
    ),
    "an interim response with a coding": good(
        head(b"Transfer-Encoding: chunked", start=b"HTTP/1.1 103 Hints") + OK, 103, 200
    ),
    "an interim response that says close": good(
        head(b"Connection: close", start=b"HTTP/1.1 103 Hints") + OK, 103, 200
    ),
    "an interim response of HTTP/1.0": good(head(start=b"HTTP/1.0 100 Continue") + OK, 100, 200),
    "an interim response and content up to the end": good(
        CONTINUE + head() + b"abc", 100, 200, content=b"abc"
    ),
    "an interim response with two lengths": bad(
        LENGTH, head(b"Content-Length: 3", b"Content-Length: 4", start=b"HTTP/1.1 103 Hints") + OK
    ),
    "an interim response with length and chunked": bad(
        BOTH, head(b"Content-Length: 3", b"Transfer-Encoding: chunked", start=b"HTTP/1.1 103 Hints") + OK
    ),
    "content behind an interim response": Answer(CONTINUE + b"abc" + OK, (100,), refused=LINE),
    "an empty line behind an interim response": Answer(CONTINUE + b"\r\n" + OK, (100,), refused=LINE),
    "an interim response behind the response": more(OK + CONTINUE, 200),
    "an interim response and no other": Answer(CONTINUE, (100,), refused=NONE),
    "101 to who did not ask": bad(SWITCH, head(b"Upgrade: websocket", start=b"HTTP/1.1 101 Switching")),
    "101 without a word of it": bad(SWITCH, head(start=b"HTTP/1.1 101 Switching") + OK),
    "101 behind 100": Answer(
        CONTINUE + head(b"Upgrade: h2c", b"Connection: Upgrade", start=b"HTTP/1.1 101 Switching"),
        (100,),
        refused=SWITCH,
    ),
}

EMPTY: Final[Mapping[str, Answer]] = {
    "204": good(head(start=NO_CONTENT), 204),
    "204 with a length": good(head(b"Content-Length: 3", start=NO_CONTENT), 204),
    "204 with a coding": good(head(b"Transfer-Encoding: chunked", start=NO_CONTENT), 204),
    "304": good(head(start=NOT_MODIFIED), 304),
    "304 with a length": good(head(b"Content-Length: 3", start=NOT_MODIFIED), 304),
    "304 with a coding": good(head(b"Transfer-Encoding: chunked", start=NOT_MODIFIED), 304),
    "205 with content": good(
        head(b"Content-Length: 3", start=b"HTTP/1.1 205 Reset Content") + b"abc", 205, content=b"abc"
    ),
    "a length, to HEAD": good(head(b"Content-Length: 3"), 200, method=b"HEAD"),
    "a coding, to HEAD": good(CHUNKED, 200, method=b"HEAD"),
    "neither, to HEAD": good(head(), 200, method=b"HEAD"),
    "length zero": good(OK, 200),
    "content behind 204": more(head(b"Content-Length: 3", start=NO_CONTENT) + b"abc", 204),
    "chunks behind 204": more(head(b"Transfer-Encoding: chunked", start=NO_CONTENT) + CHUNKS, 204),
    "content behind 304": more(head(start=NOT_MODIFIED) + b"abc", 304),
    "chunks behind 304": more(head(b"Transfer-Encoding: chunked", start=NOT_MODIFIED) + CHUNKS, 304),
    "a response behind 304 with its length": more(
        head(b"Content-Length: %d" % len(OK), start=NOT_MODIFIED) + OK, 304
    ),
    "content to HEAD": more(head(b"Content-Length: 3") + b"abc", 200, method=b"HEAD"),
    "chunks to HEAD": more(CHUNKED + CHUNKS, 200, method=b"HEAD"),
    "content behind length zero": more(OK + b"abc", 200),
    "two lengths of a 304": bad(LENGTH, head(b"Content-Length: 3", b"Content-Length: 4", start=NOT_MODIFIED)),
    "length and chunked of a 304": bad(
        BOTH, head(b"Content-Length: 3", b"Transfer-Encoding: chunked", start=NOT_MODIFIED)
    ),
    "length and chunked, to HEAD": bad(
        BOTH, head(b"Content-Length: 3", b"Transfer-Encoding: chunked"), b"HEAD"
    ),
    "a broken length of a 204": bad(LENGTH, head(b"Content-Length: +0", start=NO_CONTENT)),
    "another coding of a 204": bad(CODING, head(b"Transfer-Encoding: gzip", start=NO_CONTENT)),
}

ENDS: Final[Mapping[str, Answer]] = {
    "a length": good(head(b"Content-Length: 3") + b"abc", 200, content=b"abc"),
    "content up to the end": good(head() + b"abc", 200, content=b"abc"),
    "no content up to the end": good(head(), 200),
    "content up to the end that looks like a response": good(head() + OK, 200, content=OK),
    "content up to the end, kept alive": good(head(b"Connection: keep-alive") + b"abc", 200, content=b"abc"),
    "content up to the end in HTTP/1.0": good(
        head(start=b"HTTP/1.0 200 OK") + b"HTTP/1.1 200 OK\r\n\r\n", 200, content=b"HTTP/1.1 200 OK\r\n\r\n"
    ),
    "a length in HTTP/1.0": good(
        head(b"Content-Length: 3", start=b"HTTP/1.0 200 OK") + b"abc", 200, content=b"abc"
    ),
    "a length that looks like a response": good(head(b"Content-Length: %d" % len(OK)) + OK, 200, content=OK),
    "a length and close": good(
        head(b"Content-Length: 3", b"Connection: close") + b"abc", 200, content=b"abc"
    ),
    "content behind the content": more(head(b"Content-Length: 3") + b"abcd", 200, content=b"abc"),
    "an empty line behind the content": more(head(b"Content-Length: 3") + b"abc\r\n", 200, content=b"abc"),
    "a second response": more(OK * 2, 200),
    "a second response behind chunks": more(CHUNKED + CHUNKS + OK, 200, content=b"abc"),
    "nothing": bad(NONE, b""),
    "half a head": bad(NONE, b"HTTP/1.1 200 OK\r\n"),
    "a head without its last LF": bad(NONE, head(b"Content-Length: 0")[:-1]),
    "less than the length": cut(SHORT, head(b"Content-Length: 3") + b"ab", b"ab"),
    "less than the length in HTTP/1.0": cut(
        SHORT, head(b"Content-Length: 3", start=b"HTTP/1.0 200 OK") + b"ab", b"ab"
    ),
    "nothing of the length": cut(SHORT, head(b"Content-Length: 3")),
    "chunks without a last one": cut(SHORT, CHUNKED + b"3\r\nabc\r\n", b"abc"),
    "half a chunk": cut(SHORT, CHUNKED + b"3\r\nab", b"ab"),
    "no chunk at all": cut(SHORT, CHUNKED),
    "chunks without the last empty line": cut(SHORT, CHUNKED + b"0\r\n"),
    "trailers without the last empty line": cut(SHORT, CHUNKED + b"0\r\nX: y\r\n"),
}

CHUNKS_AND_TRAILERS: Final[Mapping[str, Answer]] = {
    "chunks": good(CHUNKED + CHUNKS, 200, content=b"abc"),
    "chunked in another case": good(head(b"TRANSFER-encoding: cHUNKED") + CHUNKS, 200, content=b"abc"),
    "no chunk but the last": good(CHUNKED + b"000\r\n\r\n", 200),
    "chunks with extensions": good(CHUNKED + b'3;a="b;c" ; d\r\nabc\r\n0;e\r\n\r\n', 200, content=b"abc"),
    "chunk data that looks like the end": good(
        CHUNKED + b"5\r\n0\r\n\r\n\r\n0\r\n\r\n", 200, content=b"0\r\n\r\n"
    ),
    "trailers": trailed(b"X: y\r\nX:\t z \r\n", (b"x", b"y"), (b"x", b"z")),
    "trailers that say what only headers may": trailed(
        b"Set-Cookie: a=b\r\nConnection: close\r\n", (b"set-cookie", b"a=b"), (b"connection", b"close")
    ),
    "as many trailers as may be": trailed(b"X: y\r\n" * 32, *[(b"x", b"y")] * 32),
    "one trailer more": cut(MANY, CHUNKED + b"0\r\n" + b"X: y\r\n" * 33 + b"\r\n"),
    "trailers without an end": cut(LARGE, CHUNKED + b"0\r\nX: " + b"y" * 8200),
    "trailers that are too long together": cut(
        LARGE, CHUNKED + b"0\r\n" + (b"X: " + b"y" * 4097 + b"\r\n") * 2 + b"\r\n"
    ),
    "a length in the trailers": cut(FRAMING, CHUNKED + b"0\r\nContent-Length: 3\r\n\r\n"),
    "a coding in the trailers": cut(FRAMING, CHUNKED + b"0\r\nTransfer-Encoding: gzip\r\n\r\n"),
    "a trailer with a space before its colon": cut(BAD_FIELD, CHUNKED + b"0\r\nX : y\r\n\r\n"),
    "a trailer with a NUL": cut(BAD_FIELD, CHUNKED + b"0\r\nX: \x00\r\n\r\n"),
    "a trailer with a bare CR": cut(BAD_FIELD, CHUNKED + b"0\r\nX: y\rZ: z\r\n\r\n"),
    "a trailer with a bare LF": cut(BARE_LF, CHUNKED + b"0\r\nX: y\nZ: z\r\n\r\n"),
    "a trailer that is folded": cut(FOLDED, CHUNKED + b"0\r\nX: y\r\n z\r\n\r\n"),
    "a response in the place of trailers": cut(BAD_FIELD, CHUNKED + b"0\r\n" + OK),
    "a chunk size with a sign": cut(SIZE, CHUNKED + b"+3\r\nabc\r\n0\r\n\r\n"),
    "a chunk size with 0x": cut(SIZE, CHUNKED + b"0x3\r\nabc\r\n0\r\n\r\n"),
    "a chunk size with an underscore": cut(SIZE, CHUNKED + b"0_3\r\nabc\r\n0\r\n\r\n"),
    "a chunk size with a space behind": cut(SIZE, CHUNKED + b"3 \r\nabc\r\n0\r\n\r\n"),
    "a chunk size with a space before": cut(SIZE, CHUNKED + b" 3\r\nabc\r\n0\r\n\r\n"),
    "a chunk size of 17 digits": cut(SIZE, CHUNKED + b"0" * 16 + b"3\r\nabc\r\n0\r\n\r\n"),
    "an empty chunk size": cut(SIZE, CHUNKED + b"\r\nabc\r\n0\r\n\r\n"),
    "a chunk size before a bare LF": cut(BARE_LF, CHUNKED + b"3\nabc\r\n0\r\n\r\n"),
    "a chunk size before CR CR LF": cut(SIZE, CHUNKED + b"3\r\r\nabc\r\n0\r\n\r\n"),
    "a last chunk before a bare LF": cut(BARE_LF, CHUNKED + b"3\r\nabc\r\n0\n\r\n", b"abc"),
    "an extension without a name": cut(SIZE, CHUNKED + b"3;\r\nabc\r\n0\r\n\r\n"),
    "an extension with a control byte": cut(SIZE, CHUNKED + b"3;\x01\r\nabc\r\n0\r\n\r\n"),
    "an extension that is too long for a line": cut(
        LONG, CHUNKED + b"3;" + b"a" * 255 + b"\r\nabc\r\n0\r\n\r\n"
    ),
    "extensions that are too many for one content": cut(
        BOMB, CHUNKED + (b"1;" + b"a" * 127 + b"\r\nx\r\n") * 33 + b"0\r\n\r\n", b"x" * 32
    ),
    "chunk data with two other bytes behind": cut(NO_CRLF, CHUNKED + b"3\r\nabcXX0\r\n\r\n", b"abc"),
    "chunk data with nothing behind": cut(NO_CRLF, CHUNKED + b"3\r\nabc0\r\n\r\n", b"abc"),
    "chunk data with a bare LF behind": cut(NO_CRLF, CHUNKED + b"3\r\nabc\n0\r\n\r\n", b"abc"),
    "chunk data with CR CR LF behind": cut(NO_CRLF, CHUNKED + b"3\r\nabc\r\r\n0\r\n\r\n", b"abc"),
    "more chunk data than was said": cut(NO_CRLF, CHUNKED + b"2\r\nabc\r\n0\r\n\r\n", b"ab"),
    "a bare LF at the end of all": cut(BARE_LF, CHUNKED + b"3\r\nabc\r\n0\r\n\n", b"abc"),
    "CR CR LF at the end of all": cut(BAD_FIELD, CHUNKED + b"3\r\nabc\r\n0\r\n\r\r\n", b"abc"),
}

FRAMINGS: Final[Mapping[str, Answer]] = {
    "a length with leading zeros": good(head(b"Content-Length: 003") + b"abc", 200, content=b"abc"),
    "a length between tabs and spaces": good(head(b"Content-Length:\t 3 \t") + b"abc", 200, content=b"abc"),
    "TE is another field": good(head(b"TE: chunked", b"Content-Length: 3") + b"abc", 200, content=b"abc"),
    "length and chunked": bad(BOTH, head(b"Content-Length: 3", b"Transfer-Encoding: chunked") + CHUNKS),
    "chunked and length": bad(BOTH, head(b"Transfer-Encoding: chunked", b"Content-Length: 3") + CHUNKS),
    "length and chunked in HTTP/1.0": bad(
        BOTH,
        head(b"Content-Length: 3", b"Transfer-Encoding: chunked", start=b"HTTP/1.0 200 OK") + CHUNKS,
    ),
    "two lengths": bad(LENGTH, head(b"Content-Length: 3", b"Content-Length: 3") + b"abc"),
    "two unequal lengths": bad(LENGTH, head(b"Content-Length: 3", b"content-length: 4") + b"abcd"),
    "a list of lengths": bad(LENGTH, head(b"Content-Length: 3, 3") + b"abc"),
    "a list of unequal lengths": bad(LENGTH, head(b"Content-Length: 3, 4") + b"abcd"),
    "a signed length": bad(LENGTH, head(b"Content-Length: +3") + b"abc"),
    "a length with an underscore": bad(LENGTH, head(b"Content-Length: 1_0") + b"0123456789"),
    "a length in hex": bad(LENGTH, head(b"Content-Length: 0x3") + b"abc"),
    "a length with a space inside": bad(LENGTH, head(b"Content-Length: 3 3") + b"abc"),
    "a length with a comma behind": bad(LENGTH, head(b"Content-Length: 3,") + b"abc"),
    "an empty length": bad(LENGTH, head(b"Content-Length:") + b"abc"),
    "a length in Arabic digits": bad(LENGTH, head("Content-Length: ٣".encode()) + b"abc"),
    "a length behind a no-break space": bad(LENGTH, head(b"Content-Length: \xa03") + b"abc"),
    "a negative length": bad(LENGTH, head(b"Content-Length: -1")),
    "a length of 2 to the 64 and three": bad(LENGTH, head(b"Content-Length: 18446744073709551619") + b"abc"),
    "a length of 400 digits": bad(LENGTH, head(b"Content-Length: " + b"9" * 400)),
    "a length of 20 digits, zeros before them": bad(
        LENGTH, head(b"Content-Length: " + b"0" * 19 + b"3") + b"abc"
    ),
    "another coding": bad(CODING, head(b"Transfer-Encoding: gzip") + b"abc"),
    "identity": bad(CODING, head(b"Transfer-Encoding: identity") + b"abc"),
    "an empty coding": bad(CODING, head(b"Transfer-Encoding:") + b"abc"),
    "a coding before chunked": bad(CODING, head(b"Transfer-Encoding: gzip, chunked") + CHUNKS),
    "chunked twice": bad(CODING, head(b"Transfer-Encoding: chunked, chunked") + CHUNKS),
    "chunked twice, in two fields": bad(
        CODING, head(b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked") + CHUNKS
    ),
    "chunked is not final": bad(CODING, head(b"Transfer-Encoding: chunked, identity") + CHUNKS),
    "chunked with a parameter": bad(CODING, head(b"Transfer-Encoding: chunked;a=b") + CHUNKS),
    "chunked in quotes": bad(CODING, head(b'Transfer-Encoding: "chunked"') + CHUNKS),
    "chunked with a letter before": bad(CODING, head(b"Transfer-Encoding: xchunked") + CHUNKS),
    "chunked behind a comma": bad(CODING, head(b"Transfer-Encoding: ,chunked") + CHUNKS),
    "chunked with a Kelvin sign": bad(CODING, head("Transfer-Encoding: chun\u212aed".encode()) + CHUNKS),
    "chunked behind a vertical tab": bad(BAD_FIELD, head(b"Transfer-Encoding: \x0bchunked") + CHUNKS),
    "chunked in HTTP/1.0": bad(
        IN_1_0, head(b"Transfer-Encoding: chunked", start=b"HTTP/1.0 200 OK") + CHUNKS
    ),
}

FIELDS: Final[Mapping[str, Answer]] = {
    "an empty value": good(head(b"X:", b"Content-Length:0"), 200),
    "whitespace around values": good(head(b"X:\t y \t", b"Content-Length: 0"), 200),
    "8-bit characters in a value": good(head(b"X: \xe9\xff", b"Content-Length: 0"), 200),
    "every visible character in a name": good(head(b"!#$%&'*+-.^_`|~09AZaz: y", b"Content-Length: 0"), 200),
    "Content-Type twice": good(head(b"Content-Type: a/b", b"Content-Type: c/d", b"Content-Length: 0"), 200),
    "as many fields as may be": good(head(*[b"X: y"] * 99, b"Content-Length: 0"), 200),
    "one field more": bad(MANY_FIELDS, head(*[b"X: y"] * 100, b"Content-Length: 0")),
    "a field as long as may be": good(head(b"X: " + b"y" * 8189, b"Content-Length: 0"), 200),
    "a field that is longer": bad(LONG_FIELD, head(b"X: " + b"y" * 8190, b"Content-Length: 0")),
    "as many bytes of fields as may be": good(
        head(*[b"X: " + b"y" * 7997] * 4, b"X: " + b"y" * 736, b"Content-Length: 0"), 200
    ),
    "a byte of fields more": bad(
        LONG_SECTION, head(*[b"X: " + b"y" * 7997] * 4, b"X: " + b"y" * 737, b"Content-Length: 0")
    ),
    "space before a colon": bad(BAD_FIELD, head(b"Content-Length : 3") + b"abc"),
    "a tab before a colon": bad(BAD_FIELD, head(b"Content-Length\t: 3") + b"abc"),
    "a space in a name": bad(BAD_FIELD, head(b"X Content-Length: 3") + b"abc"),
    "no colon": bad(BAD_FIELD, head(b"X", b"Content-Length: 3") + b"abc"),
    "no name": bad(BAD_FIELD, head(b": y", b"Content-Length: 3") + b"abc"),
    "8-bit characters in a name": bad(BAD_FIELD, head(b"X\xe9: y", b"Content-Length: 3") + b"abc"),
    "a NUL in a name": bad(BAD_FIELD, head(b"Content-\x00Length: 3") + b"abc"),
    "a NUL in a value": bad(BAD_FIELD, head(b"X: \x00")),
    "a control byte in a value": bad(BAD_FIELD, head(b"X: \x01", b"Content-Length: 0")),
    "DEL in a value": bad(BAD_FIELD, head(b"X: \x7f", b"Content-Length: 0")),
    "a bare CR in a value": bad(BAD_FIELD, head(b"X: y\rContent-Length: 3")),
    "CR CR LF behind a value": bad(BAD_FIELD, head(b"X: y\r", b"Content-Length: 0")),
    "a bare LF in a value": bad(BARE_LF, head(b"X: y\nContent-Length: 3")),
    "a bare LF at the end of a head": bad(BARE_LF, head(b"Content-Length: 3")[:-2] + b"\nabc"),
    "CR CR LF at the end of a head": bad(BAD_FIELD, head(b"Content-Length: 3")[:-2] + b"\r\r\nabc"),
    "CR and a letter for the empty line": bad(BAD_FIELD, head(b"Content-Length: 0")[:-2] + b"\rX\r\n"),
    "a fold": bad(FOLDED, head(b"X: y", b" z")),
    "a fold with a tab": bad(FOLDED, head(b"X: y", b"\tz")),
    "a folded length": bad(FOLDED, head(b"Content-Length:", b" 3") + b"abc"),
    "a folded coding": bad(FOLDED, head(b"Transfer-Encoding:", b" chunked") + CHUNKS),
    "a line of one space": bad(FOLDED, head(b"X: y", b" ", b"Content-Length: 0")),
    "a first field that begins with a space": bad(FOLDED, head(b" Content-Length: 3") + b"abc"),
}

STATUS_LINES: Final[Mapping[str, Answer]] = {
    "no reason phrase": good(start(b"HTTP/1.1 200 "), 200),
    "no space behind the code": good(start(b"HTTP/1.1 200"), 200),
    "a reason phrase of 8-bit characters": good(start(b"HTTP/1.1 200 \xe9"), 200),
    "a reason phrase with tabs and spaces": good(start(b"HTTP/1.1 200 \tO K "), 200),
    "a reason phrase that looks like a status line": good(start(b"HTTP/1.1 200 HTTP/1.1 404 no"), 200),
    "an unknown code": good(start(b"HTTP/1.1 999 ?"), 999),
    "HTTP/1.0": good(start(b"HTTP/1.0 200 OK"), 200),
    "a status line as long as may be": good(start(b"HTTP/1.1 200 " + b"x" * 8179), 200),
    "a status line that is longer": bad(LONG_LINE, start(b"HTTP/1.1 200 " + b"x" * 8180)),
    "HTTP/2.0": bad(VERSION, start(b"HTTP/2.0 200 OK")),
    "HTTP/1.2": bad(VERSION, start(b"HTTP/1.2 200 OK")),
    "HTTP/0.9": bad(LINE, b"<html>\r\n\r\n"),
    "HTTP/0.9, with a number": bad(VERSION, start(b"HTTP/0.9 200 OK")),
    "http/1.1": bad(LINE, start(b"http/1.1 200 OK")),
    "HTTPS/1.1": bad(LINE, start(b"HTTPS/1.1 200 OK")),
    "HTTP/1.10": bad(LINE, start(b"HTTP/1.10 200 OK")),
    "HTTP/01.1": bad(LINE, start(b"HTTP/01.1 200 OK")),
    "HTTP/1": bad(LINE, start(b"HTTP/1 200 OK")),
    "HTTP/1,1": bad(LINE, start(b"HTTP/1,1 200 OK")),
    "HTTP/+1.1": bad(LINE, start(b"HTTP/+1.1 200 OK")),
    "HTTP/1.1 in fullwidth digits": bad(LINE, start("HTTP/１.１ 200 OK".encode())),
    "ICY": bad(LINE, start(b"ICY 200 OK")),
    "HTTP alone": bad(LINE, start(b"HTTP 200 OK")),
    "a code of two digits": bad(LINE, start(b"HTTP/1.1 20 OK")),
    "a code of four digits": bad(LINE, start(b"HTTP/1.1 2000 OK")),
    "a code with a sign": bad(LINE, start(b"HTTP/1.1 +20 OK")),
    "a code with an underscore": bad(LINE, start(b"HTTP/1.1 2_0 OK")),
    "a code with a point": bad(LINE, start(b"HTTP/1.1 200.1 OK")),
    "a code below 100": bad(LINE, start(b"HTTP/1.1 099 OK")),
    "a code in fullwidth digits": bad(LINE, start("HTTP/1.1 ２００ OK".encode())),
    "no code": bad(LINE, start(b"HTTP/1.1 ")),
    "a version alone": bad(LINE, start(b"HTTP/1.1")),
    "a reason without a code": bad(LINE, start(b"HTTP/1.1 OK")),
    "a reason right behind the code": bad(LINE, start(b"HTTP/1.1 200OK")),
    "two spaces before the code": bad(LINE, start(b"HTTP/1.1  200 OK")),
    "a tab before the code": bad(LINE, start(b"HTTP/1.1\t200 OK")),
    "a tab behind the code": bad(LINE, start(b"HTTP/1.1 200\tOK")),
    "a vertical tab before the code": bad(LINE, start(b"HTTP/1.1\x0b200 OK")),
    "a space before the version": bad(LINE, start(b" HTTP/1.1 200 OK")),
    "a NUL before the version": bad(LINE, start(b"\x00HTTP/1.1 200 OK")),
    "a byte order mark before the version": bad(LINE, start(b"\xef\xbb\xbfHTTP/1.1 200 OK")),
    "an empty line before the status line": bad(LINE, b"\r\n" + start(b"HTTP/1.1 200 OK")),
    "a bare LF before the status line": bad(BARE_LF, b"\n" + start(b"HTTP/1.1 200 OK")),
    "a NUL in the reason phrase": bad(LINE, start(b"HTTP/1.1 200 O\x00K")),
    "a control byte in the reason phrase": bad(LINE, start(b"HTTP/1.1 200 O\x1bK")),
    "DEL in the reason phrase": bad(LINE, start(b"HTTP/1.1 200 O\x7fK")),
    "a bare CR in the reason phrase": bad(LINE, start(b"HTTP/1.1 200 OK\rX: y")),
    "a bare CR behind the code": bad(LINE, start(b"HTTP/1.1 200\rX: y")),
    "a bare LF in the reason phrase": bad(BARE_LF, start(b"HTTP/1.1 200 OK\nX: y")),
    "a bare LF behind the status line": bad(BARE_LF, b"HTTP/1.1 200 OK\n\n"),
    "bare LFs everywhere": bad(BARE_LF, b"HTTP/1.1 200 OK\nContent-Length: 3\n\nabc"),
    "a request": bad(LINE, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
}

CLASSES: Final[Mapping[str, Mapping[str, Answer]]] = {
    "interim": INTERIM,
    "without content": EMPTY,
    "ends": ENDS,
    "chunks": CHUNKS_AND_TRAILERS,
    "framing": FRAMINGS,
    "field lines": FIELDS,
    "status lines": STATUS_LINES,
}
RESPONSES: Final[Mapping[str, Answer]] = {
    f"{kind}: {name}": answer for kind, answers in CLASSES.items() for name, answer in answers.items()
}
"""Every response of the corpus, under the name of its class and its own."""
