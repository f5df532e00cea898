"""Every disagreement of the readers that was looked at: which class of input, which sentence of a standard decides, who is right.

A disagreement that no row explains fails the tests, and so does a row that explains none.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

from differential.readers import Reading, Seen

Kind = Literal["takes", "refuses", "reads"]
"""The other reader takes what Spry refuses, or refuses what Spry takes, or both take it and read it otherwise."""

HTTPTOOLS: Final = ("httptools",)
AIOHTTP: Final = ("aiohttp",)
BOTH: Final = ("httptools", "aiohttp")

SPRY: Final = "Spry"
CHOICE: Final = "both: the standard leaves it open"


@dataclass(frozen=True)
class Difference:
    """One reviewed class of disagreements."""

    readers: tuple[str, ...]
    kind: Kind
    said: str
    """What is said to what one refuses: the text of Spry's error, or the name of the other's exception. Of what is read
    otherwise the parts of the request.
    """
    what: str
    """The class of input, for people."""
    section: str
    sentence: str
    """What it says, in short."""
    right: str
    where: bytes = b""
    """What the bytes match if the class is a part of what `said` covers."""

    def explains(self, reader: str, kind: Kind, said: str, data: bytes) -> bool:
        """Tell whether a disagreement about `data` is of this class."""
        is_ours = reader in self.readers and (kind, said) == (self.kind, self.said)
        return is_ours and re.search(self.where, data) is not None


def first_difference(ours: Reading, theirs: Reading) -> tuple[Kind, str] | None:
    """Say how two readings part, if they do: the kind, and what is said to it."""
    count = min(len(ours.requests), len(theirs.requests))
    for mine, other in zip(ours.requests, theirs.requests, strict=False):
        if mine != other:
            parts = [part for part in Seen._fields if getattr(mine, part) != getattr(other, part)]
            return "reads", ", ".join(parts)
    if len(theirs.requests) > count:
        return "takes", ours.fault
    return ("refuses", theirs.fault) if len(ours.requests) > count else None


_GRAMMAR: Final = "A chunk extension is `;` with a token and, behind `=`, a token or a quoted string."
_BAD_SPACE: Final = "There may be whitespace, which a recipient must remove; it must not be sent."
_LARGE: Final = (
    "A set of fields that is larger than a server wishes to process is answered with a 4xx status."
)
_EXTENSIONS: Final = "A server ought to limit the total length of the chunk extensions in a request."
_FORMS: Final = (
    "A target has the origin, absolute, authority or asterisk form; the last two are CONNECT's and OPTIONS'."
)
_CODING: Final = "To a transfer coding that it does not understand a server should respond with 501."
_HOST: Final = "A server must answer 400 to a request without a Host field, with two, or with one whose value is invalid."
_LINE: Final = "A request line is method, target and version with single spaces between them; what else is taken is a risk."
_SPACE: Final = "Optional whitespace is any number of spaces and tabs, and no part of what it surrounds."

DIFFERENCES: Final[tuple[Difference, ...]] = (
    # ------------------------------------------------------------------------------------------------------- framing
    Difference(
        BOTH,
        "takes",
        "Transfer-Encoding in HTTP/1.0",
        "`Transfer-Encoding: chunked` in HTTP/1.0",
        "RFC 9112 §6.1",
        "The framing of such a message is faulty; the connection is closed.",
        SPRY,
    ),
    Difference(
        BOTH,
        "takes",
        "a transfer coding other than chunked",
        "A list of transfer codings that ends with `chunked`, of which the others are not undone",
        "RFC 9112 §6.1",
        _CODING,
        SPRY,
    ),
    Difference(
        BOTH,
        "takes",
        "malformed Content-Length",
        "Content-Length with more than 18 digits, zeros before them",
        "RFC 9110 §8.6",
        "There is no limit to the value, and a recipient must not fail by converting it.",
        CHOICE,
        where=rb"\d{19}",
    ),
    Difference(
        AIOHTTP,
        "takes",
        "a framing field in the trailer section",
        "Content-Length or Transfer-Encoding as a trailer",
        "RFC 9110 §6.5.1",
        "Fields about framing must not be sent in a trailer section.",
        SPRY,
    ),
    # -------------------------------------------------------------------------------------------------------- chunks
    Difference(
        BOTH,
        "takes",
        "malformed chunk-size line",
        "A chunk size of more than 16 digits, zeros before them",
        "RFC 9112 §7.1",
        "A recipient must anticipate large numerals and not fail by converting them.",
        CHOICE,
        where=rb"\n[0-9A-Fa-f]{17}",
    ),
    Difference(
        HTTPTOOLS,
        "takes",
        "malformed chunk-size line",
        "Chunk extensions without a name or value",
        "RFC 9112 §7.1.1",
        _GRAMMAR,
        SPRY,
        where=rb"\n[0-9A-Fa-f]{1,16};",
    ),
    Difference(
        AIOHTTP,
        "takes",
        "malformed chunk-size line",
        "Anything but a bare LF behind the semicolon of a chunk-size line, control bytes too",
        "RFC 9112 §7.1.1",
        _GRAMMAR,
        SPRY,
        where=rb"\n[0-9A-Fa-f]{1,16};",
    ),
    Difference(
        BOTH,
        "takes",
        "a chunk-size line is too long",
        "A chunk-size line of more than 256 bytes",
        "RFC 9112 §7.1.1",
        _EXTENSIONS,
        SPRY,
    ),
    Difference(
        BOTH,
        "takes",
        "too many chunk extensions",
        "More than 4 KiB of chunk extensions in one content",
        "RFC 9112 §7.1.1",
        _EXTENSIONS,
        SPRY,
    ),
    Difference(
        BOTH, "takes", "too many trailer fields", "More than 32 trailers", "RFC 9110 §5.4", _LARGE, CHOICE
    ),
    Difference(
        HTTPTOOLS,
        "takes",
        "the trailer section is too long",
        "More than 8 KiB of trailers",
        "RFC 9110 §5.4",
        _LARGE,
        CHOICE,
    ),
    Difference(
        HTTPTOOLS,
        "refuses",
        "HttpParserError",
        "Whitespace around the semicolon and the equals sign of a chunk extension",
        "RFC 9112 §7.1.1",
        _BAD_SPACE,
        SPRY,
        where=rb"\n[0-9A-Fa-f]{1,16}[^\r\n]*[ \t]",
    ),
    Difference(
        AIOHTTP,
        "refuses",
        "TransferEncodingError",
        "Whitespace before the semicolon of a chunk extension",
        "RFC 9112 §7.1.1",
        _BAD_SPACE,
        SPRY,
        where=rb"\n[0-9A-Fa-f]{1,16}[ \t]+;",
    ),
    Difference(
        AIOHTTP,
        "refuses",
        "BadHttpMessage",
        "Two fields of a name that takes one value, such as Content-Type, in a header or trailer section",
        "RFC 9110 §5.3",
        "A sender must not do this; what a recipient does is not said, but for Host and the framing.",
        CHOICE,
        where=rb"(?i)\n(content-(?:location|range|type)|etag|host|max-forwards|server|user-agent):(?s:.*)\n\1:",
    ),
    # --------------------------------------------------------------------------------------------------------- lines
    Difference(
        HTTPTOOLS,
        "takes",
        "malformed request line",
        "A request line without a version, as of HTTP/0.9, with fields behind it",
        "RFC 9112 §3",
        _LINE,
        SPRY,
        where=rb"[A-Z-]+ +[^ \r\n]* *\r\n",
    ),
    Difference(
        HTTPTOOLS,
        "takes",
        "malformed request line",
        "More than one space between the parts of a request line",
        "RFC 9112 §3",
        _LINE,
        SPRY,
        where=rb"[A-Z-]+(?:  +[^ \r\n]+ +| [^ \r\n]+  +)HTTP/",
    ),
    Difference(
        HTTPTOOLS,
        "takes",
        "malformed request line",
        "A bare CR before a request",
        "RFC 9112 §2.2",
        "A recipient of a bare CR must take the element for invalid, or the CR for a space.",
        SPRY,
        where=rb"(?:^|[^\r])\r[^\n]|\r\r",
    ),
    Difference(
        AIOHTTP,
        "takes",
        "malformed request line",
        "Bytes beyond ASCII in a target",
        "RFC 9112 §3.2",
        "A target is made of URI characters, which are visible ones of ASCII.",
        SPRY,
        where=rb" [^ \r\n]*[\x80-\xff][^ \r\n]* HTTP/",
    ),
    Difference(
        HTTPTOOLS,
        "takes",
        "a line ends with a bare LF",
        "A bare LF behind a request line without a version, or before a request",
        "RFC 9112 §2.2",
        "A recipient may take a single LF for the end of a line.",
        CHOICE,
    ),
    Difference(
        BOTH,
        "takes",
        "too many empty lines before a start line",
        "More than four empty lines before a request",
        "RFC 9112 §2.2",
        "A server should ignore at least one empty line before a request line.",
        CHOICE,
    ),
    Difference(
        HTTPTOOLS,
        "refuses",
        "HttpParserInvalidMethodError",
        "A method that is not in the reader's list, or not in upper case",
        "RFC 9110 §9.1",
        "A method is any token; to one that it does not know a server should respond with 501.",
        SPRY,
    ),
    Difference(
        AIOHTTP,
        "reads",
        "method",
        "A method with small letters, which the reader makes capitals",
        "RFC 9110 §9.1",
        "The method is case-sensitive.",
        SPRY,
    ),
    Difference(
        AIOHTTP,
        "takes",
        "neither HTTP/1.1 nor HTTP/1.0",
        "HTTP/1.2 up to HTTP/1.9",
        "RFC 9110 §2.5",
        "A message of a higher minor version should be processed as of the highest one that the recipient has.",
        "aiohttp; Spry answers 505, as nobody speaks it (decision 7)",
        where=rb"HTTP/1\.[2-9]",
    ),
    Difference(
        BOTH,
        "takes",
        "neither HTTP/1.1 nor HTTP/1.0",
        "Other major versions",
        "RFC 9110 §15.6.6",
        "A server answers 505 to a major version that it does not support.",
        SPRY,
        where=rb"HTTP/[02-9]\.[0-9]",
    ),
    # ----------------------------------------------------------------------------------------------- targets, fields
    Difference(
        BOTH,
        "takes",
        "fragment in the request target",
        "A fragment in a target",
        "RFC 9112 §3.2",
        "None of the four forms of a target has a fragment.",
        SPRY,
    ),
    Difference(
        HTTPTOOLS,
        "takes",
        "malformed request target",
        "A target of no form, or not of the method's; user information, or no host, in an absolute one",
        "RFC 9112 §3.2",
        _FORMS,
        SPRY,
    ),
    Difference(
        AIOHTTP,
        "takes",
        "malformed request target",
        "CONNECT without a port or with user information; user information in an absolute target, other schemes",
        "RFC 9112 §3.2",
        _FORMS,
        SPRY,
        where=rb"CONNECT |[A-Za-z0-9+.-]+://",
    ),
    Difference(
        HTTPTOOLS,
        "takes",
        "no Host field",
        "A request of HTTP/1.1 without Host",
        "RFC 9112 §3.2",
        _HOST,
        SPRY,
    ),
    Difference(
        HTTPTOOLS, "takes", "more than one Host field", "Two Host fields", "RFC 9112 §3.2", _HOST, SPRY
    ),
    Difference(
        BOTH,
        "takes",
        "malformed Host field",
        "A Host that is no host with a port: a path, user information, a broken address",
        "RFC 9112 §3.2",
        _HOST,
        SPRY,
    ),
    Difference(
        HTTPTOOLS,
        "reads",
        "fields",
        "Whitespace behind a value, which the reader leaves there",
        "RFC 9110 §5.5",
        _SPACE,
        SPRY,
        where=rb":[^\r\n]*[ \t]\r\n",
    ),
    Difference(
        HTTPTOOLS,
        "refuses",
        "HttpParserError",
        "A tab behind the value of Transfer-Encoding",
        "RFC 9110 §5.5",
        _SPACE,
        SPRY,
        where=rb"(?i)Transfer-Encoding:[ \t]*chunked[ \t]*\t[ \t]*\r\n",
    ),
)
