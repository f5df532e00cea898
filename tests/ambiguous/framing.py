"""How long a content is: Content-Length and Transfer-Encoding in every shape (RFC 9112 §6, §11.2)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from ambiguous.case import BAD_FIELD, BARE_LF, FOLDED, GET, POSTED, Case, Read, Refused, bad, good, head

LENGTH: Final = Refused(400, "malformed Content-Length", "RFC 9112 §6.3")
BOTH: Final = Refused(400, "both Content-Length and Transfer-Encoding", "RFC 9112 §6.1")
CODING: Final = Refused(501, "a transfer coding other than chunked", "RFC 9112 §6.1")
IN_1_0: Final = Refused(400, "Transfer-Encoding in HTTP/1.0", "RFC 9112 §6.1")

ABC: Final = Read(b"POST", b"/", b"abc")
CHUNKS: Final = b"3\r\nabc\r\n0\r\n\r\n"


def length(value: bytes) -> bytes:
    """Make a request with this Content-Length, and three bytes of content."""
    return head(b"Content-Length:" + value) + b"abc"


def coding(value: bytes) -> bytes:
    """Make a request with this Transfer-Encoding, and a chunked content."""
    return head(b"Transfer-Encoding:" + value) + CHUNKS


LENGTHS: Final[Mapping[str, Case]] = {
    "a plain length": good(length(b" 3"), ABC),
    "a length without whitespace": good(length(b"3"), ABC),
    "a length between tabs and spaces": good(length(b"\t 3 \t"), ABC),
    "a length with leading zeros": good(length(b" 003"), ABC),
    "length zero": good(head(b"Content-Length: 0"), POSTED),
    "length zero many times over": good(head(b"Content-Length: 000000000000000000"), POSTED),
    "a length with another case of its name": good(head(b"cOnTeNt-LeNgTh: 3") + b"abc", ABC),
    "no length and no coding": good(head(), POSTED),
    "a GET with content": good(
        head(b"Content-Length: 3", start=b"GET / HTTP/1.1") + b"abc", Read(b"GET", b"/", b"abc")
    ),
    "a content that looks like a request": good(
        head(b"Content-Length: %d" % len(GET)) + GET, Read(b"POST", b"/", GET)
    ),
    "a length with an underscore for the hyphen is another field": good(head(b"Content_Length: 3"), POSTED),
    "a length with a prefix is another field": good(head(b"X-Content-Length: 3"), POSTED),
    "length with a plus sign": bad(LENGTH, length(b" +3")),
    "length with a minus sign": bad(LENGTH, length(b" -3")),
    "length minus zero": bad(LENGTH, length(b" -0")),
    "length with an underscore": bad(LENGTH, length(b" 1_0")),
    "length in hex": bad(LENGTH, length(b" 0x3")),
    "length in hex digits": bad(LENGTH, length(b" a")),
    "length in octal": bad(LENGTH, length(b" 0o3")),
    "length with a point": bad(LENGTH, length(b" 3.0")),
    "length with an exponent": bad(LENGTH, length(b" 3e0")),
    "length with a space inside": bad(LENGTH, length(b" 3 3")),
    "length in quotes": bad(LENGTH, length(b' "3"')),
    "length with a parameter": bad(LENGTH, length(b" 3;a=b")),
    "length with a comma behind": bad(LENGTH, length(b" 3,")),
    "length with a comma before": bad(LENGTH, length(b" ,3")),
    "a list of equal lengths": bad(LENGTH, length(b" 3, 3")),
    "a list of unequal lengths": bad(LENGTH, length(b" 3, 4")),
    "an empty length": bad(LENGTH, length(b"")),
    "a length of spaces": bad(LENGTH, length(b"   ")),
    "length in Arabic digits": bad(LENGTH, length(" ٣".encode())),
    "length in fullwidth digits": bad(LENGTH, length(" ３".encode())),
    "a superscript length": bad(LENGTH, length(b" \xb3")),
    "length behind a no-break space": bad(LENGTH, length(b" \xa03")),
    "length before NEL": bad(LENGTH, length(b" 3\x85")),
    "length before a no-break space in UTF-8": bad(LENGTH, length(b" 3\xc2\xa0")),
    "length behind a vertical tab": bad(BAD_FIELD, length(b" \x0b3")),
    "length before a form feed": bad(BAD_FIELD, length(b" 3\x0c")),
    "length before a NUL": bad(BAD_FIELD, length(b" 3\x00")),
    "length before a bare CR": bad(BAD_FIELD, length(b" 3\r")),
    "length behind a file separator": bad(BAD_FIELD, length(b" \x1c3")),
    "a length of 19 digits": bad(LENGTH, length(b" 9999999999999999999")),
    "a length of 2 to the 64": bad(LENGTH, length(b" 18446744073709551616")),
    "a length of 400 digits": bad(LENGTH, length(b" " + b"0" * 399 + b"3")),
    "two equal lengths": bad(LENGTH, head(b"Content-Length: 3", b"Content-Length: 3") + b"abc"),
    "two unequal lengths": bad(LENGTH, head(b"Content-Length: 0", b"Content-Length: 3") + b"abc"),
    "two lengths in different cases": bad(LENGTH, head(b"Content-Length: 3", b"content-length: 3") + b"abc"),
    "two lengths, one of them empty": bad(LENGTH, head(b"Content-Length: 3", b"Content-Length:") + b"abc"),
    "length with a space before the colon": bad(BAD_FIELD, head(b"Content-Length : 3") + b"abc"),
    "length with a tab before the colon": bad(BAD_FIELD, head(b"Content-Length\t: 3") + b"abc"),
    "length with a NUL in its name": bad(BAD_FIELD, head(b"Content-\x00Length: 3") + b"abc"),
    "length with a no-break space behind its name": bad(BAD_FIELD, head(b"Content-Length\xa0: 3") + b"abc"),
    "length folded": bad(FOLDED, head(b"Content-Length:\r\n 3") + b"abc"),
    "length folded with a tab": bad(FOLDED, head(b"Content-Length:\r\n\t3") + b"abc"),
    "length behind a bare LF": bad(BARE_LF, head(b"X: y\nContent-Length: 3") + b"abc"),
    "length behind a bare CR": bad(BAD_FIELD, head(b"X: y\rContent-Length: 3") + b"abc"),
    "length behind a NUL": bad(BAD_FIELD, head(b"X: y\x00Content-Length: 3") + b"abc"),
    "a broken length in HTTP/1.0": bad(
        LENGTH, head(b"Content-Length: 3, 3", start=b"POST / HTTP/1.0") + b"abc"
    ),
}

CODINGS: Final[Mapping[str, Case]] = {
    "chunked": good(coding(b" chunked"), ABC),
    "chunked in another case": good(coding(b" cHUNKED"), ABC),
    "chunked without whitespace": good(coding(b"chunked"), ABC),
    "chunked between tabs and spaces": good(coding(b"\t chunked \t"), ABC),
    "chunked by another case of the name": good(head(b"TRANSFER-encoding: chunked") + CHUNKS, ABC),
    "a coding with an underscore for the hyphen is another field": good(
        head(b"Transfer_Encoding: chunked", b"Content-Length: 3") + b"abc", ABC
    ),
    "TE is another field": good(head(b"TE: chunked", b"Content-Length: 3") + b"abc", ABC),
    "a GET with chunks": good(
        head(b"Transfer-Encoding: chunked", start=b"GET / HTTP/1.1") + CHUNKS, Read(b"GET", b"/", b"abc")
    ),
    "length before chunked": bad(BOTH, head(b"Content-Length: 13", b"Transfer-Encoding: chunked") + CHUNKS),
    "chunked before length": bad(BOTH, head(b"Transfer-Encoding: chunked", b"Content-Length: 13") + CHUNKS),
    "length zero beside chunked": bad(
        BOTH, head(b"Content-Length: 0", b"Transfer-Encoding: chunked") + CHUNKS
    ),
    "a broken length beside chunked": bad(
        BOTH, head(b"Content-Length: x", b"Transfer-Encoding: chunked") + CHUNKS
    ),
    "length beside identity": bad(BOTH, head(b"Content-Length: 3", b"Transfer-Encoding: identity") + b"abc"),
    "length beside an empty coding": bad(BOTH, head(b"Content-Length: 3", b"Transfer-Encoding:") + b"abc"),
    "length beside an unknown coding": bad(
        BOTH, head(b"Content-Length: 3", b"Transfer-Encoding: x") + b"abc"
    ),
    "both in HTTP/1.0": bad(
        BOTH,
        head(b"Content-Length: 3", b"Transfer-Encoding: chunked", start=b"POST / HTTP/1.0") + b"abc",
    ),
    "chunked in HTTP/1.0": bad(
        IN_1_0, head(b"Transfer-Encoding: chunked", start=b"POST / HTTP/1.0") + CHUNKS
    ),
    "chunked in HTTP/1.0 that asks for keep-alive": bad(
        IN_1_0,
        head(b"Transfer-Encoding: chunked", b"Connection: keep-alive", start=b"POST / HTTP/1.0") + CHUNKS,
    ),
    "chunked twice in two fields": bad(
        CODING, head(b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked") + CHUNKS
    ),
    "chunked, then identity, in two fields": bad(
        CODING, head(b"Transfer-Encoding: chunked", b"Transfer-Encoding: identity") + CHUNKS
    ),
    "an unknown coding, then chunked, in two fields": bad(
        CODING, head(b"Transfer-Encoding: x", b"Transfer-Encoding: chunked") + CHUNKS
    ),
    "chunked, then nothing, in two fields": bad(
        CODING, head(b"Transfer-Encoding: chunked", b"Transfer-Encoding:") + CHUNKS
    ),
    "chunked twice in one field": bad(CODING, coding(b" chunked, chunked")),
    "chunked is not final": bad(CODING, coding(b" chunked, gzip")),
    "chunked is not final, for identity": bad(CODING, coding(b" chunked, identity")),
    "a coding before chunked": bad(CODING, coding(b" gzip, chunked")),
    "identity before chunked": bad(CODING, coding(b" identity, chunked")),
    "identity": bad(CODING, coding(b" identity")),
    "a coding that is not chunked": bad(CODING, coding(b" gzip")),
    "an unknown coding": bad(CODING, coding(b" xchunked")),
    "an unknown coding that begins like chunked": bad(CODING, coding(b" chunkedfoo")),
    "an empty coding": bad(CODING, coding(b"")),
    "chunked with a parameter": bad(CODING, coding(b" chunked;a=b")),
    "chunked in quotes": bad(CODING, coding(b' "chunked"')),
    "chunked with a comma before": bad(CODING, coding(b" , chunked")),
    "chunked with a comma behind": bad(CODING, coding(b" chunked,")),
    "chunked with a space behind a letter": bad(CODING, coding(b" chu nked")),
    "chunked with the Kelvin sign": bad(CODING, coding(" chun\u212aed".encode())),
    "chunked with a no-break space": bad(CODING, coding(b" \xa0chunked")),
    "chunked behind a vertical tab": bad(BAD_FIELD, coding(b" \x0bchunked")),
    "chunked before a form feed": bad(BAD_FIELD, coding(b" chunked\x0c")),
    "chunked before a NUL": bad(BAD_FIELD, coding(b" chunked\x00")),
    "chunked before a bare CR": bad(BAD_FIELD, coding(b" chunked\r")),
    "coding with a space before the colon": bad(BAD_FIELD, head(b"Transfer-Encoding : chunked") + CHUNKS),
    "coding with a vertical tab before the colon": bad(
        BAD_FIELD, head(b"Transfer-Encoding\x0b: chunked") + CHUNKS
    ),
    "coding with a letter of UTF-8 in its name": bad(
        BAD_FIELD, head("Tran\u017ffer-Encoding: chunked".encode()) + CHUNKS
    ),
    "coding folded": bad(FOLDED, head(b"Transfer-Encoding:\r\n chunked") + CHUNKS),
    "coding behind a fold": bad(FOLDED, head(b"X: y", b" Transfer-Encoding: chunked") + CHUNKS),
    "coding behind a bare LF": bad(BARE_LF, head(b"X: y\nTransfer-Encoding: chunked") + CHUNKS),
    "coding behind a bare CR": bad(BAD_FIELD, head(b"X: y\rTransfer-Encoding: chunked") + CHUNKS),
}
