"""An owner that answers whatever a connection hears, always in the same way, and remembers it all."""

from __future__ import annotations

from fuzz.misuse import attempt
from spry_core.protocol import (
    Accept,
    BodyData,
    BodyEnd,
    Connection,
    Deflate,
    Event,
    Message,
    MessageData,
    MessageEnd,
    Offer,
    Refusal,
    RequestHead,
    ResponseHead,
    SentEvent,
)
from spry_core.protocol.deflate import negotiate
from traces import size_of


def consumed(event: Event) -> int | None:
    """Return how many bytes are released with this event, or None if it holds nothing back."""
    match event:
        case BodyData(data=data) | Message(data=data) | MessageData(data=data):
            return size_of(data)
        case MessageEnd():
            return 0
        case _:
            return None


class Owner:
    """The owner of a server's or a client's connection.

    Nothing that it says depends on how the bytes came: it answers a request when that is complete, and says nothing to
    messages.
    """

    def __init__(self, conn: Connection, *, may_be_late: bool = False, takes_runs: bool = False) -> None:
        """With `may_be_late` an answer may be refused, because it comes when the connection has ended or said others; with
        `takes_runs` messages are taken many at once, where they come so.
        """
        self.conn = conn
        self._takes_runs = takes_runs
        self._may_be_late = may_be_late
        self.heard: list[Event] = []
        """Every event so far."""
        self._head: RequestHead | None = None
        self._content = b""

    def take(self, now: float) -> list[Event]:
        """Take every event there is, and answer; return them. Nothing is released."""
        taken: list[Event] = []
        while events := self._next():
            taken += events
            for event in events:
                self._answer(event, now)
        self.heard += taken
        return taken

    def _next(self) -> list[Event]:
        if not self._takes_runs:
            event = self.conn.next_event()
            return [] if event is None else [event]
        taken = self.conn.take_event()
        if isinstance(taken, list):
            return [Message(data=data) for data in taken]
        return [] if taken is None else [taken]

    def _answer(self, event: Event, now: float) -> None:
        match event:
            case RequestHead():
                self._head, self._content = event, b""
            case BodyData():
                self._content += event.data
            case BodyEnd() if self._head is not None:
                for each in answer_to(self._head, self._content):
                    self._say(each, now)
            case _:
                pass

    def _say(self, event: SentEvent, now: float) -> None:
        if self._may_be_late:
            attempt(self.conn, lambda: self.conn.send(event, now))
        else:
            self.conn.send(event, now)


def answer_to(head: RequestHead, content: bytes) -> list[SentEvent]:
    """Return the answer: a handshake is taken up, a request gets its own content back, in one of two framings."""
    match head.websocket:
        case Offer(subprotocols=subprotocols, extensions=extensions):
            agreement = negotiate(extensions, Deflate())
            chosen = () if agreement is None else (str(agreement),)
            return [Accept(subprotocol=subprotocols[0] if subprotocols else None, extensions=chosen)]
        case Refusal(status_code=status_code):
            # Said by us, so that it does not depend on whether frames have come already.
            return [ResponseHead(status_code=status_code, headers=((b"Connection", b"close"),)), BodyEnd()]
        case None:
            return _echo(head, content)


def _echo(head: RequestHead, content: bytes) -> list[SentEvent]:
    status_code = 405 if head.method == b"CONNECT" else 200
    length = ((b"Content-Length", b"%d" % len(content)),)
    start = ResponseHead(status_code=status_code, headers=length if len(content) % 2 else ())
    if head.method == b"HEAD" or not content:
        return [start, BodyEnd()]
    return [start, BodyData(data=content), BodyEnd()]
