"""The content of an HTTP message and the framing that tells its end (RFC 9112 §6, §7)."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import cycle
from typing import Final

from hypothesis import strategies as st

from spry_core.protocol.events import RawFields
from spry_core.testing.strategies.cuts import cut_at
from spry_core.testing.strategies.fields import PADDINGS, field_lines, header_sections, tokens

QUOTABLE: Final = 'abc \t;=,\\"'
"""What quoted strings are made of; the last two need a backslash (RFC 9110 §5.6.4)."""


LENGTH: Final = (b"Content-Length", b"content-length", b"CONTENT-LENGTH")
ZEROS: Final = (b"", b"0", b"000")


@dataclass(frozen=True, slots=True, kw_only=True)
class Framed:
    """A content in one framing."""

    fields: RawFields = ()
    """The field that says how long it is; none for no content, and for one up to the end of the stream."""
    data: bytes = b""
    """What stands behind the head."""
    trailers: RawFields = ()
    """The trailer section, which only a chunked content has (RFC 9110 §6.5)."""


def contents(*, max_size: int = 200) -> st.SearchStrategy[bytes]:
    """Give contents, long ones among them; the simplest is empty."""
    return st.binary(max_size=max_size) | st.integers(0, max_size).map(lambda size: b"a" * size)


def with_length(content: bytes) -> st.SearchStrategy[Framed]:
    """Give the ways to send `content` with Content-Length (RFC 9112 §6.2)."""
    return _LENGTHS.map(
        lambda style: Framed(fields=((style[0], b"%s%d" % (style[1], len(content))),), data=content)
    )


def chunked(content: bytes) -> st.SearchStrategy[Framed]:
    """Give the ways to send `content` in chunks: any sizes, written in any way, extensions, trailers (RFC 9112 §7.1)."""
    return _CHUNKINGS.map(lambda chunking: chunking.frame(content))


@dataclass(frozen=True, slots=True)
class _Chunking:
    """A way to write chunks."""

    field: tuple[bytes, bytes]
    places: list[int]
    sizes: list[tuple[bytes, bytes]]
    """How to write the sizes, over and over again: a format, and the extensions behind it."""
    trailers: RawFields
    padding: tuple[bytes, bytes]

    def frame(self, content: bytes) -> Framed:
        """Put `content` into chunks."""
        sizes = cycle(self.sizes)
        pieces = [*(cut_at(content, self.places) if content else []), b""]
        lines = [
            written % len(piece) + extensions
            for piece, (written, extensions) in zip(pieces, sizes, strict=False)
        ]
        chunks = b"".join(b"%s\r\n%s\r\n" % each for each in zip(lines, pieces[:-1], strict=False))
        end = lines[-1] + b"\r\n" + field_lines(self.trailers, self.padding) + b"\r\n"
        return Framed(fields=(self.field,), data=chunks + end, trailers=self.trailers)


def _quoted(text: str) -> bytes:
    """Write a quoted string (RFC 9110 §5.6.4)."""
    return b'"%s"' % text.replace("\\", "\\\\").replace('"', '\\"').encode()


_NAMES: Final = tokens()
_VALUES: Final = st.one_of(
    st.just(b""),
    _NAMES.map(b"=%s".__mod__),
    st.text(st.sampled_from(QUOTABLE), max_size=6).map(_quoted).map(b"=%s".__mod__),
)
# A name alone, with a token, with a quoted string (RFC 9112 §7.1.1).
_EXTENSIONS: Final = st.lists(st.tuples(st.just(b";"), _NAMES, _VALUES).map(b"".join), max_size=2).map(
    b"".join
)
_SIZES: Final = st.tuples(st.sampled_from((b"%x", b"%X", b"0%x", b"0000%X")), _EXTENSIONS)
_LENGTHS: Final = st.sampled_from([(name, zeros) for zeros in ZEROS for name in LENGTH])
_CODINGS: Final = (b"chunked", b"Chunked", b"CHUNKED")
_CHUNKINGS: Final = st.builds(
    _Chunking,
    field=st.tuples(st.sampled_from((b"Transfer-Encoding", b"transfer-encoding")), st.sampled_from(_CODINGS)),
    places=st.lists(st.integers(0, 500), max_size=4),
    sizes=st.lists(_SIZES, min_size=1, max_size=3),
    trailers=header_sections(max_size=2),
    padding=PADDINGS,
)
