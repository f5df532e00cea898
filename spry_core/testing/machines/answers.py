"""Reading the responses on one connection by hand (RFC 9112 §4 to §7)."""

from __future__ import annotations

from dataclasses import dataclass, field

from spry_core.headers import Headers


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One final response, or what one should be."""

    status_code: int = 200
    """Three digits (RFC 9110 §15)."""
    content: bytes | None = None
    """The content; None if it does not matter."""
    headers: Headers = field(default_factory=Headers)
    """The header section; of an expected one, the fields that must be there, with these values."""

    def misses(self, got: Answer) -> str:
        """Say what is wrong with `got`, if this was expected; nothing if it is right."""
        if got.status_code != self.status_code:
            return f"the status code is {got.status_code}, and should be {self.status_code}"
        if self.content is not None and got.content != self.content:
            return f"the content is {got.content!r}, and should be {self.content!r}"
        for name, value in self.headers.items():
            if value not in got.headers.get_all(name):
                return f"{name} is {got.headers.get_all(name)}, and should be {value!r}"
        return ""


class AnswerReader:
    """Takes bytes, and gives the final responses that are complete. It passes over interim ones (RFC 9110 §15.2)."""

    def __init__(self) -> None:
        self._held = bytearray()

    def add(self, data: bytes) -> None:
        """Take what came."""
        self._held += data

    @property
    def rest(self) -> bytes:
        """What has come and is no complete response."""
        return bytes(self._held)

    def take(self, method: bytes, *, is_ended: bool) -> Answer | None:
        """Take the next response, to a request of `method`; None if it is not complete.

        Args:
            method: HEAD has no content, whatever the fields say (RFC 9112 §6.3).
            is_ended: Whether the stream has ended, which ends a content without a length.
        """
        while (parsed := self._head()) is not None:
            status_code, headers, end = parsed
            if status_code < 200:
                del self._held[:end]
                continue
            found = self._content(method, status_code, headers, end, is_ended)
            if found is None:
                return None
            content, behind = found
            del self._held[:behind]
            return Answer(status_code=status_code, content=content, headers=headers)
        return None

    def _head(self) -> tuple[int, Headers, int] | None:
        end = self._held.find(b"\r\n\r\n")
        if end < 0:
            return None
        line, *fields = bytes(self._held[:end]).split(b"\r\n")
        version, _, rest = line.partition(b" ")
        assert version == b"HTTP/1.1", f"a malformed status line: {line!r} (RFC 9112 §4)"
        assert rest[:3].isdigit(), f"a malformed status line: {line!r} (RFC 9112 §4)"
        pairs = [(name, value.strip()) for name, _, value in (each.partition(b":") for each in fields)]
        return int(rest[:3]), Headers.from_raw(tuple(pairs)), end + 4

    def _content(
        self, method: bytes, status_code: int, headers: Headers, start: int, is_ended: bool
    ) -> tuple[bytes, int] | None:
        """Return the content and where it ends (RFC 9112 §6.3)."""
        if method == b"HEAD" or status_code in (204, 304):
            return b"", start
        if headers.get("transfer-encoding", "").lower() == "chunked":
            return self._chunks(start)
        length = headers.get("content-length")
        if length is not None:
            end = start + int(length)
            return (bytes(self._held[start:end]), end) if end <= len(self._held) else None
        return (bytes(self._held[start:]), len(self._held)) if is_ended else None

    def _chunks(self, start: int) -> tuple[bytes, int] | None:
        """Read chunks, which end with an empty trailer section (RFC 9112 §7.1)."""
        content, place = b"", start
        while (end := self._held.find(b"\r\n", place)) >= 0:
            size = int(bytes(self._held[place:end]).partition(b";")[0], 16)
            place = end + 2 + size
            if place + 2 > len(self._held):
                return None
            assert self._held[place : place + 2] == b"\r\n", "chunk data not followed by CRLF (RFC 9112 §7.1)"
            if not size:
                return content, place + 2
            content += self._held[end + 2 : place]
            place += 2
        return None
