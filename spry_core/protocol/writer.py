"""How HTTP messages leave: through the engine onto the stream, a response with what every response has."""

from __future__ import annotations

from collections.abc import Callable

from spry_core.protocol.date import DateCache
from spry_core.protocol.engines import HttpEngine, HttpEvent
from spry_core.protocol.events import BodyData, RequestHead, ResponseHead
from spry_core.protocol.outgoing import failure_answer, reason_phrase
from spry_core.protocol.stream import Stream


class MessageWriter:
    """Writes what `http1_server` or `http1_client` has found to be right."""

    __slots__ = ("_date", "_engine", "_stream")

    def __init__(self, stream: Stream, engine: HttpEngine, wall_clock: Callable[[], float] | None) -> None:
        self._stream = stream
        self._engine = engine
        self._date = DateCache(wall_clock)

    def write(self, event: HttpEvent, now: float) -> None:
        """Write one event as it is."""
        self._stream.write(self._engine.send(event), now)

    def write_response_head(
        self, status_code: int, phrase: bytes, fields: list[tuple[bytes, bytes]], now: float
    ) -> None:
        """Write the head of a response, with the usual reason phrase for an empty one, and Date (RFC 9110 §6.6.1)."""
        names = {name.lower() for name, _ in fields}
        if status_code >= 200 and b"date" not in names and (date := self._date.value()) is not None:
            fields = [*fields, (b"Date", date)]
        phrase = phrase or reason_phrase(status_code)
        self.write(ResponseHead(status_code=status_code, headers=tuple(fields), reason_phrase=phrase), now)

    def write_failure(self, status_code: int, request: RequestHead | None, now: float) -> None:
        """Answer a broken request, as far as it is known, with a short text; it is the last answer."""
        fields, content = failure_answer(status_code)
        self.write_response_head(status_code, b"", fields, now)
        if request is None or request.method != b"HEAD":
            self.write(BodyData(data=content), now)
