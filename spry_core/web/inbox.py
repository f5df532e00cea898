"""What has come of a WebSocket's messages and is not consumed yet, and who may consume it.

A message lies here whole, or, where pieces are wanted, as an `Arrival`: as far as it has come. What is taken counts as
consumed, which lets the peer send more, when its consumer comes back for the next, or when it is dropped.

There is one consumer at a time. A subscription is one until it ends; everybody else only while waiting for something,
since between two waits nobody can tell one task from another, nor a loop that was left from one that is slow.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import AbstractContextManager, contextmanager
from types import TracebackType
from typing import Final, Protocol

from spry_core.driver import Driver
from spry_core.errors import WebSocketBusyError
from spry_core.protocol.connection import Connection
from spry_core.protocol.events import Kind, MessageData, MessageEnd, MessageStart
from spry_core.wakeup import WakeUp
from spry_core.web.arrival import Arrival, drop, size_of


class Consumer(Protocol):
    """Who is called for each change instead of waiting for it."""

    def look(self) -> None:
        """There may be something to do: messages, room to write, the end."""
        ...


class Host(Protocol):
    """Who owns the connection."""

    def touch(self, soon: bool = False) -> None:
        """Something has changed: look at the connection."""
        ...


class _Consuming:
    """The block of a consumer that waits. A class: of a generator each idle connection would hold the frame."""

    __slots__ = ("_inbox",)

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox

    def __enter__(self) -> None:
        """It has been claimed already."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._inbox.unclaim(self)


class Inbox:
    """The received messages of one WebSocket."""

    __slots__ = (
        "_arriving",
        "_called",
        "_connection",
        "_consumer",
        "_current",
        "_driver",
        "_flow",
        "_host",
        "_in_pieces",
        "_is_discarding",
        "_is_taken_over",
        "_lot",
        "_taken",
        "_unreleased",
        "is_boundless",
        "is_closed",
        "is_delivering",
        "is_orphaned",
        "items",
        "mail",
    )

    def __init__(self, connection: Connection, driver: Driver, host: Host) -> None:
        """Take messages of `connection`, and tell `host` when what is consumed may have changed something there."""
        self.mail: WakeUp = WakeUp(driver)
        """Awaited by the receiver: something has come, or the end."""
        self.is_boundless: Final[bool] = connection.limits.max_message_size is None
        """True if messages may be of any size, and so never come whole."""
        self.is_closed: bool = False
        """True when we have ended the connection: what comes is of no interest any more."""
        self.is_delivering: bool = False
        """True while a consumer is called from within the session, which looks at everything afterwards."""
        self.is_orphaned: bool = False
        """True when the handler has returned."""
        self._connection = connection
        self._flow = connection.flow
        self._driver = driver
        self._host = host
        self.items: list[str | bytes | Arrival] = []
        """What waits to be taken, oldest first; the inbox alone changes it."""
        self._arriving: Arrival | None = None  # the last one that came in pieces, here or not
        self._current: Arrival | None = None  # the one that is being read piece by piece
        self._lot = max(connection.limits.max_queue // 2, 1)
        self._taken = 0  # messages that came whole and are in the consumer's hands,
        self._unreleased: int | None = None  # or some bytes of another
        self._consumer: object | None = None
        self._called: Consumer | None = None
        self._in_pieces = self.is_boundless
        self._is_discarding = False
        self._is_taken_over = (
            False  # somebody has received since the handler returned, and may be back for more
        )

    @property
    def has_mail(self) -> bool:
        """True if a message, or some of one, waits to be taken."""
        return bool(self.items)

    @property
    def is_left(self) -> bool:
        """True if nobody receives, nor is expected back since the handler has returned."""
        return self._consumer is None and not self._is_taken_over

    # Who consumes

    def consuming(
        self, what: str, arrival: Arrival | None = None, *, pieces: bool = False
    ) -> AbstractContextManager[None]:
        """Be the only consumer until the block is left, or raise `WebSocketBusyError`; see `claim`."""
        consuming = _Consuming(self)
        self.claim_for_a_wait(consuming, what, arrival, pieces=pieces)
        return consuming

    def claim_for_a_wait(
        self, consumer: object, what: str, arrival: Arrival | None = None, *, pieces: bool = False
    ) -> None:
        """Do as `claim` does, for a consumer who is one only while it waits."""
        if self._consumer is None and self._current is arrival and pieces is self._in_pieces:
            self._consumer = consumer  # `claim`, where nothing else is to be done for it
            self._is_discarding = self.is_closed
        else:
            self.claim(consumer, what, arrival, pieces=pieces)
        self._is_taken_over = self.is_orphaned

    def claim(
        self, consumer: object, what: str, arrival: Arrival | None = None, *, pieces: bool = False
    ) -> None:
        """Become the consumer, or raise `WebSocketBusyError` if there is one.

        The rest of a message that was being read in pieces is dropped, unless that is the `arrival`. Messages that
        begin from now on come in `pieces`, or whole.
        """
        if self._consumer is not None:
            raise WebSocketBusyError(f"{what}: somebody else is receiving the messages of this WebSocket")
        self._consumer = consumer
        self._is_discarding = self.is_closed
        if self._current is not arrival:
            self._leave_current()
        if pieces is not self._in_pieces:
            self._switch(pieces)

    def call(self, consumer: Consumer) -> None:
        """Call `consumer.look` for each change from now on."""
        self._called = consumer

    def unclaim(self, consumer: object) -> None:
        """Be the consumer no longer."""
        if self._consumer is consumer:
            self._consumer = self._called = None

    def _leave_current(self) -> None:
        sizes = self._sizes_in_hand()
        current, self._current = self._current, None
        self._release([*sizes, *drop(current)])

    def _switch(self, pieces: bool) -> None:
        if self.is_boundless or not self._connection.is_open:
            return
        self._in_pieces = pieces
        self._connection.receive_in_pieces(pieces, self._driver.now())
        self._host.touch(True)  # what has come of the present message is there now

    # Taking

    def come_back(self, arrival: Arrival | None = None) -> None:
        """The consumer is back for the next message, or for more of `arrival`: what it had is done with.

        At the end of an arrival that came whole it still has that message.
        """
        if arrival is not None and not arrival.pieces and arrival.is_complete and not arrival.has_end:
            return
        if self._taken:
            self._release_taken()
        elif self._unreleased is not None:
            self._release(self._sizes_in_hand())

    def come_back_for_next(self) -> None:
        """Do so for the next message as a whole. While more of them wait here, what is done with is released some at a time:
        so what comes behind them comes in runs too.
        """
        if not self._taken:
            self.come_back()
        elif not self.items or self._taken >= self._lot:
            self._release_taken()

    def come_back_for_more(self) -> bool:
        """Do so if the consumer has anything, and tell whether messages wait after that."""
        if self._taken:
            self._release_taken()
        elif self._unreleased is None:
            return False
        else:
            self._release(self._sizes_in_hand())
        return bool(self.items)

    def come_back_with_one(self) -> None:
        """The consumer has taken several messages, and is done with all but the last."""
        if self._taken > 1:
            self._release_taken(1)

    @property
    def is_in_hand(self) -> bool:
        """True if the consumer has something that it was not released of."""
        return self._taken > 0 or self._unreleased is not None

    def take(self) -> str | bytes | None:
        """Take the oldest message, if all of it is there. Of those that came whole, several may be taken before the consumer
        comes back.
        """
        if not self.items:
            return None
        first = self.items[0]
        if not isinstance(first, Arrival):
            del self.items[0]
            self._taken += 1
            return first
        if self._taken:
            self._release_taken()
        if not self.join(first):
            return None
        del self.items[0]
        return first.take_joined()

    def take_next(self) -> str | bytes | None:
        """Come back for the next message and take it, if that takes no waiting: it came whole, it is here, and nobody waits."""
        items = self.items
        if self._consumer is not None or not items or self._in_pieces or self._current is not None:
            return None
        first = items[0]
        if isinstance(first, Arrival):
            return None
        del items[0]
        if self._taken >= self._lot or self._unreleased is not None:
            self.come_back()
        self._taken += 1
        self._is_taken_over = self.is_orphaned
        return first

    def join(self, arrival: Arrival, max_size: int | None = None) -> bool:
        """Put together what has come of an arrival, until that is more than `max_size` bytes; tell whether it is all.

        What came in pieces is released by this, all but its end: else a message bigger than the account could not come.
        """
        while max_size is None or arrival.joined_size <= max_size:
            sizes = arrival.join()
            if not sizes:
                break
            if arrival.has_end:
                self._release(
                    sizes
                )  # more may come by this: a compressed message goes on as far as there is room
            else:
                self._unreleased = sum(sizes)
        if not arrival.is_complete or arrival.pieces:
            return False
        self.finish(arrival)
        return True

    def begin(self) -> Arrival | None:
        """Take the oldest message, as far as it has come, to read it piece by piece."""
        if not self.items:
            return None
        first = self.items.pop(0)
        self._current = first if isinstance(first, Arrival) else Arrival.of(first)
        return self._current

    def take_piece(self, arrival: Arrival) -> str | bytes | None:
        """Take the oldest piece of an arrival, if one is there."""
        if arrival.joined_size:  # who wanted it whole has gone, and it is released already
            return arrival.take_joined()
        if not arrival.pieces:
            return None
        piece = arrival.pieces.pop(0)
        self._unreleased = size_of(piece)
        return piece

    def finish(self, arrival: Arrival) -> None:
        """Take the end of an arrival."""
        arrival.is_over = True
        if arrival.has_end:
            self._unreleased = 0
        if self._current is arrival:
            self._current = None

    # Dropping

    def drop(self) -> None:
        """Drop what is not yet read, and what comes from now on, until somebody consumes again."""
        self._is_discarding = True
        sizes = self._sizes_in_hand()
        sizes += drop(self._current)
        items = tuple(self.items)
        self.items.clear()  # before the release: what that leads to may call a consumer back
        self._current = None
        for item in items:
            sizes += drop(item) if isinstance(item, Arrival) else [size_of(item)]
        self._release(sizes)

    def close(self) -> None:
        """Drop everything, for good: we have ended the connection."""
        self.is_closed = True
        self.drop()

    @contextmanager
    def discarding(self, what: str) -> Generator[None]:
        """Be the only consumer inside the block, and drop everything."""
        token = object()
        self.claim(token, what)
        try:
            self.drop()
            yield
        finally:
            self._is_discarding = self.is_closed
            self.unclaim(token)

    def _sizes_in_hand(self) -> list[int]:
        """Return what is still to be released of what the consumer has; it has nothing any more."""
        if self._taken:
            self._release_taken()
        size, self._unreleased = self._unreleased, None
        return [] if size is None else [size]

    def _release_taken(self, spare: int = 0) -> None:
        """Pay for the messages that were taken, but for `spare` of them."""
        connection = self._connection
        n, self._taken = self._taken - spare, spare
        if self.is_delivering:
            connection.release_messages(n, self._driver.now())
            return  # the session looks when all is delivered
        wanted_read = connection.wants_read
        connection.release_messages(n, self._driver.now())
        if not wanted_read or self._flow.is_settled:
            self._host.touch(True)

    def _release(self, sizes: Sequence[int]) -> None:
        """Pay for entries of the connection's account, oldest first, and only then look at what has come of it."""
        if not sizes:
            return
        connection, now = self._connection, self._driver.now()
        wanted_read = connection.wants_read
        for size in sizes:
            connection.release(size, now)
        if not wanted_read or self._flow.is_settled:
            self._host.touch(True)

    # What a session tells

    def deliver(self, messages: list[str | bytes]) -> None:
        """Messages have come whole."""
        if self._is_discarding:
            self._release([size_of(message) for message in messages])
            return
        self.items += messages
        if self._called is None:
            self.mail.wake()
            return
        self.is_delivering = True
        try:
            self._called.look()
        finally:
            self.is_delivering = False

    def deliver_piece(self, event: MessageStart | MessageData | MessageEnd) -> None:
        """Some of a message in pieces has come."""
        if isinstance(event, MessageStart):
            self._begin_arrival(event.kind)
            return
        arrival = self._arriving
        assert arrival is not None
        if isinstance(event, MessageData):
            if arrival.is_dropped:
                self._release([size_of(event.data)])
                return
            arrival.add(event.data)
        else:
            arrival.is_complete = True
            if arrival.is_dropped:
                self._release([0])
                return
        self._tell()

    def _begin_arrival(self, kind: Kind) -> None:
        self._arriving = arrival = Arrival(kind)
        arrival.is_dropped = self._is_discarding
        if not arrival.is_dropped:
            self.items.append(arrival)
            self._tell()

    def _tell(self) -> None:
        self.mail.wake()
        if self._called is not None:
            self._called.look()

    def look(self) -> None:
        """Let the consumer that is called look: something has changed."""
        if self._called is not None:
            self._called.look()
