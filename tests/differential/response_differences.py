"""Every disagreement of the readers about responses that was looked at: which class of input, which sentence of a standard
decides, who is right.

A disagreement that no row explains fails the tests, and so does a row that explains none. aiohttp is lenient by intention
where it reads responses, which explains most of its rows.
"""

from __future__ import annotations

from typing import Final

from differential.message_differences import MESSAGE_DIFFERENCES
from differential.reading import AIOHTTP, BOTH, CHOICE, HTTPTOOLS, SPRY, Difference
from differential.sentences import (
    LARGE,
    LATE,
)

_SINGLE: Final = "A client must close the connection and discard a response whose lengths are not one number."
_PHRASE: Final = (
    "A phrase is made of tabs, spaces and visible or 8-bit characters; a client should ignore it."
)
_WORDS: Final = "A status line has single spaces; a recipient may split it at any whitespace, at the risk of another reading."
_SIZES: Final = (
    "A chunk size is hexadecimal digits and nothing else; whitespace may stand before a semicolon."
)
_LINES: Final = (
    "A recipient may take a single LF for the end of a start line or field line, and of no other line."
)
_BARE: Final = "A recipient of a bare CR must take the element for invalid, or the CR for a space."

RESPONSE_DIFFERENCES: Final[tuple[Difference, ...]] = (
    *MESSAGE_DIFFERENCES,
    # ------------------------------------------------------------------------------------------------------- framing
    Difference(
        BOTH,
        "takes",
        "a transfer coding other than chunked",
        "A list of transfer codings that ends with `chunked`, of which the others are not undone",
        "RFC 9112 §6.1",
        "A sender must not send a coding that the recipient did not ask for by TE, nor `chunked` more than once.",
        SPRY,
        where=rb"(?i)\ntransfer-encoding:(?:[^\r\n]*[ \t,])?chunked[ \t]*\r\n",
    ),
    Difference(
        BOTH,
        "takes",
        "a transfer coding other than chunked",
        "A transfer coding that is not `chunked`, or does not end with it, and is not undone",
        "RFC 9112 §6.3",
        "If `chunked` is not the last coding, the content goes up to the end of the connection.",
        "both: Spry could not decode what it gave out",
        where=rb"(?i)\ntransfer-encoding:(?!(?:[^\r\n]*[ \t,])?chunked[ \t]*\r\n)",
    ),
    Difference(
        AIOHTTP,
        "takes",
        "malformed Content-Length",
        "Two Content-Length fields, equal or not",
        "RFC 9112 §6.3",
        _SINGLE,
        SPRY,
        where=rb"(?i)\ncontent-length:(?s:.*)\ncontent-length:",
    ),
    Difference(
        BOTH,
        "takes",
        "a framing field in the trailer section",
        "Transfer-Encoding as a trailer; Content-Length too for aiohttp",
        "RFC 9110 §6.5.1",
        LATE,
        SPRY,
    ),
    Difference(
        BOTH,
        "takes",
        "a response that nobody asked for",
        "A second response behind the one that was asked for, by a parser that knows of no requests",
        "RFC 9112 §9.2",
        "What comes without an outstanding request is no response; the client should close the connection.",
        SPRY,
    ),
    Difference(
        BOTH,
        "takes",
        "a 101 that nobody asked for",
        "101 (Switching Protocols) to a request without Upgrade",
        "RFC 9110 §7.8",
        "A server must not switch to a protocol that the client has not named.",
        SPRY,
    ),
    Difference(
        HTTPTOOLS,
        "refuses",
        "HttpParserError",
        "A response behind an interim one that is of HTTP/1.0 or says `Connection: close`",
        "RFC 9110 §15.2",
        "A client must be able to parse interim responses before the final one, asked for or not.",
        SPRY,
        where=rb"(?i)(?:^|\r\n)HTTP/1\.[01] 1[^\r\n]*\r\n(?:[^\r\n]+\r\n)*?connection:[ \t]*close|HTTP/1\.0 1",
    ),
    Difference(
        HTTPTOOLS,
        "refuses",
        "HttpParserError",
        "A response behind one with `Connection: close` as a trailer",
        "RFC 9110 §6.5.1",
        "A trailer must not be taken for a header, unless its definition allows it.",
        SPRY,
        where=rb"(?i)\n0+\r\n(?:[^\r\n]+\r\n)*?connection:",
    ),
    # -------------------------------------------------------------------------------------------------------- chunks
    Difference(
        AIOHTTP,
        "takes",
        "malformed chunk-size line",
        "Whitespace around a chunk size, and a bare CR",
        "RFC 9112 §7.1",
        _SIZES,
        SPRY,
        where=rb"\n(?:\s*[0-9A-Fa-f]+\s+\r\n|\s+[0-9A-Fa-f]+)",
    ),
    Difference(
        AIOHTTP,
        "takes",
        "a line ends with a bare LF",
        "A bare LF at the end of a chunk-size line",
        "RFC 9112 §2.2",
        _LINES,
        SPRY,
        where=rb"\n[0-9A-Fa-f]+[^\r\n]*\n",
    ),
    Difference(
        AIOHTTP,
        "takes",
        "chunk data not followed by CRLF",
        "A bare LF, or CR CR LF, behind chunk data",
        "RFC 9112 §7.1",
        "Chunk data is followed by CRLF.",
        SPRY,
    ),
    # --------------------------------------------------------------------------------------------------------- sizes
    Difference(BOTH, "takes", "too many fields", "More than 100 fields", "RFC 9110 §5.4", LARGE, CHOICE),
    Difference(
        HTTPTOOLS,
        "takes",
        "a field line is too long",
        "A field line of more than 8 KiB",
        "RFC 9110 §5.4",
        LARGE,
        CHOICE,
    ),
    Difference(
        BOTH,
        "takes",
        "the header section is too long",
        "More than 32 KiB of fields",
        "RFC 9110 §5.4",
        LARGE,
        CHOICE,
    ),
    Difference(
        HTTPTOOLS,
        "takes",
        "the start line is too long",
        "A status line of more than 8 KiB",
        "RFC 9112 §4",
        "There is no limit to a reason phrase, and a client should ignore it.",
        CHOICE,
    ),
    Difference(
        AIOHTTP,
        "refuses",
        "LineTooLong",
        "A status line or field line of nearly 8 KiB",
        "RFC 9110 §5.4",
        "There is no limit to the length of a field line.",
        CHOICE,
        where=rb"[^\r\n]{8190}",
    ),
    # ------------------------------------------------------------------------------------------------- lines, fields
    Difference(
        AIOHTTP,
        "takes",
        "a line ends with a bare LF",
        "A bare LF at the end of a line of a head or trailer section, or before a status line",
        "RFC 9112 §2.2",
        _LINES,
        CHOICE,
        where=rb"(?:^|[^\r])\n",
    ),
    Difference(
        HTTPTOOLS,
        "takes",
        "a line ends with a bare LF",
        "A bare LF before a status line",
        "RFC 9112 §2.2",
        "Empty lines may stand before a request line, and before no status line.",
        SPRY,
        where=rb"(?:^|\n)\n",
    ),
    Difference(
        HTTPTOOLS,
        "takes",
        "malformed status line",
        "Empty lines before a status line",
        "RFC 9112 §2.2",
        "Empty lines may stand before a request line, and before no status line.",
        SPRY,
        where=rb"^[\r\n]|\n\r\n\r",
    ),
    Difference(
        AIOHTTP,
        "takes",
        "malformed status line",
        "Any whitespace, such as a vertical tab or a bare CR, around the parts of a status line",
        "RFC 9112 §4",
        _WORDS,
        CHOICE,
        where=rb"(?:^|\n)\s|HTTP/\d\.\d(?:[^\S ]|\s\s)|HTTP/\d\.\d \d{3}[^\S \n]",
    ),
    Difference(
        BOTH,
        "takes",
        "malformed status line",
        "Control bytes in a reason phrase, but for a bare CR; for aiohttp that too",
        "RFC 9112 §4",
        _PHRASE,
        SPRY,
        where=rb"HTTP/\d\.\d\s+\d{3}[^\n]*[\x00-\x08\x0a-\x1f\x7f]",
    ),
    Difference(
        BOTH,
        "takes",
        "malformed status line",
        "A status code below 100",
        "RFC 9110 §15",
        "Such a code is invalid; a client should process the response as one of 5xx.",
        "both: Spry ends the connection, as behind a broken head",
        where=rb"HTTP/\d\.\d\s+0",
    ),
    Difference(
        AIOHTTP,
        "takes",
        "neither HTTP/1.1 nor HTTP/1.0",
        "HTTP/1.2 up to HTTP/1.9",
        "RFC 9110 §2.5",
        "A message of a higher minor version should be processed as of the highest one that the recipient has.",
        "aiohttp; nobody speaks them (decision 7)",
        where=rb"HTTP/1\.[2-9]",
    ),
    Difference(
        BOTH,
        "takes",
        "neither HTTP/1.1 nor HTTP/1.0",
        "Other major versions",
        "RFC 9110 §2.5",
        "The major version says which syntax a message has.",
        SPRY,
        where=rb"HTTP/[02-9]\.[0-9]",
    ),
    Difference(
        AIOHTTP,
        "takes",
        "obsolete line folding",
        "A value that is folded, with spaces or tabs at the beginning of a line",
        "RFC 9112 §5.2",
        "A server must not send it; a user agent must put spaces in its place.",
        "aiohttp; Spry refuses it on both sides, as whoever does not unfold reads another message",
    ),
    Difference(
        AIOHTTP,
        "takes",
        "malformed field line",
        "Control bytes in a value, but for NUL, CR and LF",
        "RFC 9110 §5.5",
        "They are invalid; a recipient may retain them where that is safe.",
        CHOICE,
        where=rb":[^\r\n]*[\x01-\x08\x0b\x0c\x0e-\x1f\x7f]",
    ),
    Difference(
        AIOHTTP,
        "takes",
        "malformed field line",
        "A bare CR before the end of a line",
        "RFC 9112 §2.2",
        _BARE,
        SPRY,
        where=rb"\r\r\n",
    ),
    Difference(
        AIOHTTP,
        "reads",
        "reason_phrase",
        "Whitespace at the ends of a reason phrase, which the reader takes away",
        "RFC 9112 §4",
        _PHRASE,
        CHOICE,
    ),
)
