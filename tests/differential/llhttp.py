"""What llhttp tells of one message after the other, through httptools, as far as requests and responses are alike."""

from __future__ import annotations

from typing import Generic, Protocol, TypeVar

import httptools

from differential.reading import Seen
from spry_core.protocol import RawFields


class Parser(Protocol):
    """Either parser of httptools."""

    def get_http_version(self) -> str:
        """Return the version that the head says."""
        ...

    def feed_data(self, data: bytes, /) -> None:
        """Read, and call back."""
        ...


AnyParser = TypeVar("AnyParser", bound=Parser)


class Callbacks(Generic[AnyParser]):
    """Keeps the messages that are complete. Whoever knows their start line makes the parser and `on_message_complete`."""

    def __init__(self, parser: AnyParser) -> None:
        self.parser = parser
        self.complete: list[Seen] = []
        self.on_message_begin()

    def on_message_begin(self) -> None:
        """Begin anew."""
        self.content = self.version = b""
        self._fields: list[tuple[bytes, bytes]] = []
        self._trailers: list[tuple[bytes, bytes]] = []

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a field; behind the head it is a trailer."""
        section = self._trailers if self.version else self._fields
        section.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        """Take the version, which says that the head is whole."""
        self.version = self.parser.get_http_version().encode()

    def on_body(self, body: bytes) -> None:
        """Take content."""
        self.content += body

    @property
    def fields(self) -> RawFields:
        """The header section."""
        return tuple(self._fields)

    @property
    def trailers(self) -> RawFields:
        """The trailer section."""
        return tuple(self._trailers)

    def read(self, *pieces: bytes) -> str:
        """Have the parser read; return the fault that it finds, if any."""
        try:
            for piece in pieces:
                self.parser.feed_data(piece)
        except httptools.HttpParserUpgrade:
            pass  # behind that message the bytes are another protocol's
        except httptools.HttpParserError as error:
            return type(error).__name__
        return ""
