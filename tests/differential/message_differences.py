"""The disagreements of the readers that are the same about requests and responses: lengths, chunks, trailers, whitespace."""

from __future__ import annotations

from typing import Final

from differential.reading import AIOHTTP, BOTH, CHOICE, HTTPTOOLS, SPRY, Difference
from differential.sentences import BAD_SPACE, BIG_LENGTH, BIG_SIZE, EXTENSIONS, FAULTY, GRAMMAR, LARGE, SPACE

MESSAGE_DIFFERENCES: Final[tuple[Difference, ...]] = (
    Difference(
        BOTH,
        "takes",
        "Transfer-Encoding in HTTP/1.0",
        "`Transfer-Encoding: chunked` in HTTP/1.0",
        "RFC 9112 §6.1",
        FAULTY,
        SPRY,
    ),
    Difference(
        BOTH,
        "takes",
        "malformed Content-Length",
        "Content-Length with more than 18 digits, zeros before them",
        "RFC 9110 §8.6",
        BIG_LENGTH,
        CHOICE,
        where=rb"\d{19}",
    ),
    Difference(
        BOTH,
        "takes",
        "malformed chunk-size line",
        "A chunk size of more than 16 digits, zeros before them",
        "RFC 9112 §7.1",
        BIG_SIZE,
        CHOICE,
        where=rb"\n[0-9A-Fa-f]{17}",
    ),
    Difference(
        AIOHTTP,
        "takes",
        "malformed chunk-size line",
        "Anything but a bare LF behind the semicolon of a chunk-size line, control bytes too",
        "RFC 9112 §7.1.1",
        GRAMMAR,
        SPRY,
        where=rb"\n[0-9A-Fa-f]{1,16};",
    ),
    Difference(
        BOTH,
        "takes",
        "a chunk-size line is too long",
        "A chunk-size line of more than 256 bytes",
        "RFC 9112 §7.1.1",
        EXTENSIONS,
        SPRY,
    ),
    Difference(
        BOTH,
        "takes",
        "too many chunk extensions",
        "More than 4 KiB of chunk extensions in one content",
        "RFC 9112 §7.1.1",
        EXTENSIONS,
        SPRY,
    ),
    Difference(
        BOTH, "takes", "too many trailer fields", "More than 32 trailers", "RFC 9110 §5.4", LARGE, CHOICE
    ),
    Difference(
        BOTH,
        "takes",
        "the trailer section is too long",
        "More than 8 KiB of trailers",
        "RFC 9110 §5.4",
        LARGE,
        CHOICE,
    ),
    Difference(
        HTTPTOOLS,
        "refuses",
        "HttpParserError",
        "Whitespace around the semicolon and the equals sign of a chunk extension",
        "RFC 9112 §7.1.1",
        BAD_SPACE,
        SPRY,
        where=rb"\n[0-9A-Fa-f]{1,16}[^\r\n]*[ \t]",
    ),
    Difference(
        HTTPTOOLS,
        "reads",
        "fields",
        "Whitespace behind a value, which the reader leaves there",
        "RFC 9110 §5.5",
        SPACE,
        SPRY,
        where=rb":[^\r\n]*[ \t]\r\n",
    ),
    Difference(
        HTTPTOOLS,
        "reads",
        "trailers",
        "Whitespace behind the value of a trailer, which the reader leaves there",
        "RFC 9110 §5.5",
        SPACE,
        SPRY,
        where=rb":[^\r\n]*[ \t]\r\n",
    ),
)
