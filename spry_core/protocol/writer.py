"""How HTTP messages leave: through the engine onto the stream, a response with what every response has."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from spry_core.protocol.date import DateCache
from spry_core.protocol.engines import HttpEngine
from spry_core.protocol.events import RequestHead, ResponseHead
from spry_core.protocol.head import Terms
from spry_core.protocol.lines import field_line
from spry_core.protocol.outgoing import failure_answer, in_order, reason_phrase
from spry_core.protocol.stream import Stream

_LONGEST_JOINED: Final = 16 * 1024
"""Content that costs less to copy than a piece of its own costs to write."""


class MessageWriter:
    """Writes what `http1_server` or `http1_client` has found to be right."""

    __slots__ = ("_date", "_engine", "_stream")

    def __init__(self, stream: Stream, engine: HttpEngine, wall_clock: Callable[[], float] | None) -> None:
        self._stream = stream
        self._engine = engine
        self._date = DateCache(wall_clock)

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
        if date is not None:
            fields = (*fields, date)
        status_code = head.status_code
        phrase = reason_phrase(status_code)
        if len(content) <= _LONGEST_JOINED:
            self._stream.write(self._engine.write_whole_response(status_code, phrase, fields, content), now)
        else:
            self._stream.write(self._engine.write_response(status_code, phrase, fields), now)
            self._stream.write(self._engine.write_data(content, False), now)
            self._stream.write(self._engine.write_end((), False), now)

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
