"""How HTTP messages leave: through the engine onto the stream, a response with what every response has."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from spry_core.protocol.date import DateCache
from spry_core.protocol.engines import HttpEngine
from spry_core.protocol.events import RawFields, RequestHead, ResponseHead
from spry_core.protocol.head import Terms
from spry_core.protocol.lines import REMEMBERED, field_line
from spry_core.protocol.outgoing import failure_answer, in_order, reason_phrase
from spry_core.protocol.stream import Stream

_LONGEST_JOINED: Final = 16 * 1024
"""Content that costs less to copy than a piece of its own costs to write."""

# Heads of responses that were found to be plain, by status and fields: the length that they announce, and what they are on the
# wire before Date. Most answers of an application have one of a few.
_KNOWN: Final[dict[tuple[int, RawFields], tuple[int, bytes]]] = {}
_MOST_KNOWN: Final = 1024
_LONGEST_KNOWN: Final = 512


class MessageWriter:
    """Writes what `http1_server` or `http1_client` has found to be right."""

    __slots__ = ("_date", "_engine", "_known", "_stream")

    def __init__(self, stream: Stream, engine: HttpEngine, wall_clock: Callable[[], float] | None) -> None:
        self._stream = stream
        self._engine = engine
        self._date = DateCache(wall_clock)
        self._known = _KNOWN if engine.keeps_nothing else None

    def write(self, data: bytes, now: float) -> None:
        """Write what the engine has encoded."""
        self._stream.write(data, now)

    def write_response_head(
        self,
        status_code: int,
        phrase: bytes,
        fields: Sequence[tuple[bytes, bytes]],
        now: float,
        terms: Terms | None = None,
    ) -> None:
        """Write the head of a response, with the usual reason phrase for an empty one, and Date (RFC 9110 §6.6.1).

        `terms` are those of the request that it answers, if the head of that was in order.
        """
        if status_code >= 200:
            fields = self._dated(fields)
            if terms is not None:
                fields = in_order(fields, status_code, terms)
        phrase = phrase or reason_phrase(status_code)
        self._stream.write(self._engine.write_response(status_code, phrase, fields), now)

    def write_plain_response(self, head: ResponseHead, content: bytes, now: float) -> None:
        """Write a whole response that is framed by its length, has no Date yet, and says nothing about the connection."""
        fields, date = head.headers, self._date.field()
        status_code = head.status_code
        phrase = reason_phrase(status_code)
        if date is not None:
            fields = (*fields, date)
        if len(content) <= _LONGEST_JOINED:
            self._stream.write(self._engine.write_whole_response(status_code, phrase, fields, content), now)
        else:
            self._stream.write(self._engine.write_response(status_code, phrase, fields), now)
            self._stream.write(self._engine.write_data(content, False), now)
            self._stream.write(self._engine.write_end((), False), now)
        self._remember(head, phrase, len(content))

    def write_known_response(self, head: ResponseHead, content: bytes, now: float) -> bool:
        """Do what `write_plain_response` does, if such a head was written before and announces the length of `content`; tell
        whether that is so. Then it is plain, whatever the request was, unless the method of that allows no content.
        """
        if self._known is None or head.reason_phrase or head.http_version != b"1.1":
            return False
        known = self._known.get((head.status_code, head.headers))
        if known is None or known[0] != len(content):
            return False
        self._stream.write(b"%b%b\r\n%b" % (known[1], self._date.line(), content), now)
        return True

    def _remember(self, head: ResponseHead, phrase: bytes, length: int) -> None:
        """Keep a plain head in mind, unless it is long or has a field that `lines` does not keep either."""
        known = self._known
        if (
            known is None
            or length > _LONGEST_JOINED
            or not all(field in REMEMBERED for field in head.headers)
        ):
            return
        start = self._engine.write_response(head.status_code, phrase, head.headers)[:-2]
        if len(start) <= _LONGEST_KNOWN:
            if len(known) >= _MOST_KNOWN:
                known.clear()
            known[head.status_code, head.headers] = length, start

    def _dated(self, fields: Sequence[tuple[bytes, bytes]]) -> Sequence[tuple[bytes, bytes]]:
        date = self._date.field()
        if date is None or any(field_line(field)[1] == b"date" for field in fields):
            return fields
        return *fields, date

    def write_failure(
        self, status_code: int, request: RequestHead | None, now: float, terms: Terms | None = None
    ) -> None:
        """Answer a broken request, as far as it is known, with a short text; it is the last answer."""
        fields, content = failure_answer(status_code)
        self.write_response_head(status_code, b"", fields, now, terms)
        if request is None or request.method != b"HEAD":
            self._stream.write(content, now)
