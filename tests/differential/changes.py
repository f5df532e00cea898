"""Random changes of the messages of a corpus."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from hypothesis import strategies as st

PIECES: Final = (
    *(b"\r\n", b"\n", b"\r", b"\0", b" ", b"\t", b":", b";", b",", b"=", b'"', b"#", b"/", b"?", b"*"),
    *(b"0", b"3", b"f", b"+", b"-", b"_", b"\xa0", b"\x85", b"\xff", b"\x0b", b"\x7f", b"abc", b"chunked"),
    *(b"HTTP/1.1", b"HTTP/1.0", b"Host: b\r\n", b"Content-Length: 3\r\n", b"Transfer-Encoding: chunked\r\n"),
    *(b"Connection: close\r\n", b"0\r\n\r\n", b"\r\n "),
)
"""What a change puts in."""

ASKED: Final = (*PIECES, b"CONNECT ", b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n")
ANSWERED: Final = (*PIECES, b"HTTP/1.1 204 ", b"HTTP/1.1 100 A\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n")


@st.composite
def changed(draw: st.DrawFn, messages: Sequence[bytes], pieces: Sequence[bytes]) -> bytes:
    """Change one of the messages in up to three places."""
    data = draw(st.sampled_from(messages))
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.integers(0, len(data)))
        gone = draw(st.sampled_from([0, 0, 1, 1, 2, 8]))
        piece = draw(st.sampled_from(pieces) | st.binary(max_size=1) | st.sampled_from(messages))
        data = data[:place] + piece + data[place + gone :]
    return data
