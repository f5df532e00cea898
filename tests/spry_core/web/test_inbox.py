"""`spry_core.web.inbox`: one consumer at a time, messages whole or in pieces, and what is consumed is paid for."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sockets import UPGRADE
from spry_core import Close, Limits, WebSocketBusyError
from spry_core.protocol import Accept, Connection
from spry_core.protocol.events import MessageData, MessageEnd, MessageStart
from spry_core.testing import MemoryDriver
from spry_core.wakeup import WakeUp
from spry_core.web.arrival import Arrival
from spry_core.web.inbox import Host, Inbox


class Account(Connection):
    """A connection that only notes what it is asked for; what it says of itself is the test's."""

    def __init__(self, limits: Limits | None = None) -> None:
        super().__init__("server", now=0.0, random=bytes, limits=limits)
        self.receive_data(UPGRADE, 0.0)
        assert self.next_event() is not None
        self.send(Accept(), 0.0)
        self.paid: list[int] = []
        self.whole: list[int] = []
        self.modes: list[bool] = []
        self.is_reading = True

    def release(self, n: int, now: float) -> None:
        self.paid.append(n)
        if n in self.whole[:1]:
            del self.whole[0]

    def release_messages(self, n: int, now: float) -> None:
        """Note the bytes of each."""
        sizes = self.whole[:n]
        del self.whole[:n]
        assert len(sizes) == n
        self.paid += sizes

    def receive_in_pieces(self, wanted: bool, now: float) -> None:
        self.modes.append(wanted)

    @property
    def wants_read(self) -> bool:
        return self.is_reading


class NotedInbox(Inbox):
    """An inbox that tells its account what came whole, as a connection knows it."""

    def __init__(self, connection: Account, driver: MemoryDriver, host: Host) -> None:
        super().__init__(connection, driver, host)
        self.whole = connection.whole

    def deliver(self, messages: list[str | bytes]) -> None:
        self.whole += [len(each.encode() if isinstance(each, str) else each) for each in messages]
        super().deliver(messages)


class Kept:
    """An inbox, its account, and how often its session was touched."""

    def __init__(self, limits: Limits | None = None) -> None:
        self.driver = MemoryDriver()
        self.account = Account(limits)
        self.touches: list[bool] = []
        self.at_touch: list[Callable[[], None]] = []
        self.inbox = NotedInbox(self.account, self.driver, self)

    def touch(self, soon: bool = False) -> None:
        self.touches.append(soon)
        if self.at_touch:
            self.at_touch.pop(0)()

    def paid(self) -> list[int]:
        paid, self.account.paid = self.account.paid, []
        return paid

    def pieces(self, *data: str | bytes, ends: bool = True, begins: bool = True) -> None:
        """Deliver a message in these pieces."""
        if begins:
            self.inbox.deliver_piece(MessageStart(kind="text" if isinstance(data[0], str) else "binary"))
        for each in data:
            self.inbox.deliver_piece(MessageData(data=each))
        if ends:
            self.inbox.deliver_piece(MessageEnd())

    def begin(self) -> Arrival:
        arrival = self.inbox.begin()
        assert arrival is not None
        return arrival

    def wakes(self, wake_up: WakeUp) -> list[int]:
        """Let a task count how often it is woken."""
        woken = list[int]()

        async def wait() -> None:
            while True:
                await wake_up.wait()
                woken.append(len(woken))

        self.driver.start(wait)
        self.driver.settle()
        return woken


def read(kept: Kept, arrival: Arrival) -> list[str | bytes]:
    """Return the pieces of an arrival that are there, as who comes back for each of them."""
    pieces = list[str | bytes]()
    while True:
        kept.inbox.come_back(arrival)
        piece = kept.inbox.take_piece(arrival)
        if piece is None:
            return pieces
        pieces.append(piece)


# Whole messages


def test_messages_wait_in_order_and_whoever_waits_for_one_is_woken() -> None:
    kept = Kept()
    woken = kept.wakes(kept.inbox.mail)
    kept.inbox.deliver(["one"])
    kept.inbox.deliver([b"two"])
    kept.driver.settle()
    assert (kept.inbox.has_mail, woken) == (True, [0])
    assert [kept.inbox.take() for _ in range(3)] == ["one", b"two", None]
    assert kept.inbox.has_mail is False


def test_a_message_is_released_when_its_consumer_comes_back() -> None:
    kept = Kept()
    kept.inbox.come_back()
    for message, size in (("é", 2), (b"two", 3), ("", 0), ("ascii", 5)):
        kept.inbox.deliver([message])
        assert (kept.inbox.take(), kept.paid()) == (message, [])
        kept.inbox.come_back()
        kept.inbox.come_back()
        assert kept.paid() == [size]


def test_while_more_wait_what_is_done_with_is_released_some_at_a_time() -> None:
    """As many as half the places, so that the rest of what comes finds room; all of it when nothing waits any more."""
    kept = Kept(Limits(max_queue=4))
    kept.inbox.come_back_for_next()
    kept.inbox.deliver(["", "b", "cc", "ddd", "eeee"])
    paid = list[list[int]]()
    for message in ("", "b", "cc", "ddd", "eeee"):
        assert kept.inbox.take() == message
        kept.inbox.come_back_for_next()
        paid.append(kept.paid())
    assert paid == [[], [0, 1], [], [2, 3], [4]]
    kept.inbox.come_back_for_next()
    assert kept.paid() == []


def test_a_message_that_is_there_is_taken_without_a_claim() -> None:
    """What was taken before is released some at a time, as by `come_back_for_next`."""
    kept = Kept(Limits(max_queue=4))
    assert kept.inbox.take_next() is None
    kept.inbox.deliver(["a", "bb", "ccc", b"dddd"])
    taken = [kept.inbox.take_next() for _ in range(5)]
    assert (taken, kept.paid(), kept.inbox.is_in_hand) == (["a", "bb", "ccc", b"dddd", None], [1, 2], True)
    kept.inbox.come_back_for_next()
    assert (kept.paid(), kept.inbox.is_in_hand) == ([3, 4], False)


def test_what_somebody_waits_for_nobody_else_takes() -> None:
    kept = Kept()
    consumer = object()
    kept.inbox.claim(consumer, "receive")
    kept.inbox.deliver(["a"])
    assert kept.inbox.take_next() is None
    kept.inbox.unclaim(consumer)
    assert kept.inbox.take_next() == "a"


def test_a_message_in_pieces_is_not_taken_without_a_claim() -> None:
    """Nor is one behind a message that is being read: the rest of that is to be dropped first."""
    kept = Kept()
    kept.pieces("a", "b")
    kept.inbox.deliver(["c"])
    assert kept.inbox.take_next() is None
    arrival = kept.begin()
    assert (kept.inbox.take_next(), arrival.is_dropped, kept.inbox.items) == (None, False, ["c"])


def test_a_consumer_of_pieces_gets_them_whole_again_by_a_claim_alone() -> None:
    kept = Kept()
    consumer = object()
    kept.inbox.claim(consumer, "incoming", pieces=True)
    kept.inbox.unclaim(consumer)
    kept.inbox.deliver(["a"])
    assert (kept.inbox.take_next(), kept.account.modes) == (None, [True])


def test_a_piece_in_hand_is_paid_for_before_the_next_message() -> None:
    kept = Kept()
    kept.inbox.deliver(["a", "b"])
    arrival = kept.begin()
    assert kept.inbox.take_piece(arrival) == "a"
    kept.inbox.finish(arrival)
    assert (kept.inbox.take_next(), kept.paid()) == ("b", [1])


def test_who_takes_when_the_handler_has_returned_may_be_back_for_more() -> None:
    kept = Kept()
    kept.inbox.deliver(["a", "b"])
    assert (kept.inbox.take_next(), kept.inbox.is_left) == ("a", True)
    kept.inbox.is_orphaned = True
    assert (kept.inbox.take_next(), kept.inbox.is_left) == ("b", False)


def test_a_consumer_that_is_called_learns_whether_more_waits() -> None:
    kept = Kept()
    assert kept.inbox.come_back_for_more() is False
    kept.inbox.deliver(["a", "b"])
    assert kept.inbox.come_back_for_more() is False  # it had nothing: nothing has changed
    kept.inbox.take()
    assert (kept.inbox.come_back_for_more(), kept.paid()) == (True, [1])
    kept.inbox.take()
    assert (kept.inbox.come_back_for_more(), kept.paid()) == (False, [1])


def test_who_is_back_for_the_next_message_is_done_with_some_of_another_too() -> None:
    kept = Kept()
    kept.inbox.claim(object(), "reading", pieces=True)
    kept.pieces("two", ends=False)
    arrival = kept.begin()
    kept.inbox.take_piece(arrival)
    kept.inbox.come_back_for_next()
    assert kept.paid() == [3]


def test_who_took_several_may_be_done_with_all_but_the_last() -> None:
    kept = Kept()
    kept.inbox.deliver(["a", "bb", "ccc"])
    assert kept.inbox.is_in_hand is False
    kept.inbox.take()
    kept.inbox.come_back_with_one()
    assert (kept.inbox.is_in_hand, kept.paid()) == (True, [])
    kept.inbox.take()
    kept.inbox.take()
    kept.inbox.come_back_with_one()
    assert (kept.inbox.is_in_hand, kept.paid()) == (True, [1, 2])
    kept.inbox.come_back()
    assert (kept.inbox.is_in_hand, kept.paid()) == (False, [3])


def test_dropping_pays_for_what_was_taken_first() -> None:
    kept = Kept()
    kept.inbox.deliver(["a", "bb", "ccc", "dddd"])
    kept.inbox.take()
    kept.inbox.take()
    kept.inbox.drop()
    assert (kept.inbox.is_in_hand, kept.inbox.has_mail, kept.paid()) == (False, False, [1, 2, 3, 4])


def test_the_session_is_not_asked_to_look_while_it_delivers() -> None:
    """It looks anyway, when all is delivered."""
    kept = Kept()
    kept.account.is_reading = False
    kept.inbox.is_delivering = True
    for is_last in (False, True):
        kept.inbox.deliver(["one"])
        kept.inbox.take()
        kept.inbox.come_back()
        assert (kept.paid(), kept.touches) == ([3], [True] if is_last else [])
        kept.inbox.is_delivering = False


def test_the_session_looks_when_reading_may_go_on_or_a_failure_is_over() -> None:
    kept = Kept()
    for is_reading, touches in ((True, []), (False, [True])):
        kept.account.is_reading = is_reading
        kept.inbox.deliver(["one"])
        kept.inbox.take()
        kept.inbox.come_back()
        assert kept.touches == touches
    kept.account.is_reading = True
    kept.account.connection_lost(None, 0.0)
    kept.inbox.deliver(["left"])
    kept.inbox.take()
    kept.inbox.come_back()
    assert kept.touches == [True, True]


# One consumer


def test_one_consumer_at_a_time() -> None:
    inbox = Kept().inbox
    with inbox.consuming("receive"):
        with pytest.raises(WebSocketBusyError, match="listen: somebody else is receiving"):
            inbox.claim(object(), "listen")
        with pytest.raises(WebSocketBusyError, match="receive: somebody else is receiving"):
            inbox.consuming("receive").__enter__()
        with pytest.raises(WebSocketBusyError, match="discard_incoming: somebody else"):
            inbox.discarding("discard_incoming").__enter__()
    consumer = object()
    inbox.claim(consumer, "listen")
    inbox.unclaim(object())
    with pytest.raises(WebSocketBusyError):
        inbox.claim(object(), "receive")
    inbox.unclaim(consumer)
    with inbox.consuming("receive"):
        pass


def test_who_is_called_is_called_for_each_change() -> None:
    kept = Kept()
    seen = list[str]()

    class Looking:
        def look(self) -> None:
            seen.append("looked")

    looking = Looking()
    kept.inbox.claim(looking, "listen")
    kept.inbox.call(looking)
    kept.inbox.deliver(["one"])
    kept.pieces("two", "three")
    kept.inbox.look()
    assert seen == ["looked"] * 6
    kept.inbox.unclaim(looking)
    kept.inbox.look()
    assert seen == ["looked"] * 6


def test_nobody_is_expected_back_but_who_received_since_the_handler_returned() -> None:
    inbox = Kept().inbox
    left = [inbox.is_left]
    with inbox.consuming("receive"):
        left.append(inbox.is_left)
    left.append(inbox.is_left)
    inbox.is_orphaned = True
    left.append(inbox.is_left)
    with inbox.consuming("receive"):
        left.append(inbox.is_left)
    left.append(inbox.is_left)
    assert left == [True, False, True, True, False, False]


# Pieces


def test_who_reads_in_pieces_gets_them_as_they_come() -> None:
    kept = Kept()
    assert kept.inbox.begin() is None
    kept.pieces("é", ends=False)
    arrival = kept.begin()
    assert (arrival.kind, arrival.is_complete, read(kept, arrival), kept.paid()) == (
        "text",
        False,
        ["é"],
        [2],
    )
    assert kept.inbox.take_piece(arrival) is None
    kept.pieces("b", begins=False)
    assert (read(kept, arrival), arrival.is_complete, kept.paid()) == (["b"], True, [1])
    kept.inbox.finish(arrival)
    assert (arrival.is_over, kept.paid()) == (True, [])
    kept.inbox.come_back()
    assert kept.paid() == [0]  # the end is an entry of its own


def test_a_message_that_came_whole_is_one_piece_and_its_consumers_until_he_is_done() -> None:
    kept = Kept()
    kept.inbox.deliver([b"whole"])
    arrival = kept.begin()
    assert (arrival.kind, read(kept, arrival), arrival.is_complete, kept.paid()) == (
        "binary",
        [b"whole"],
        True,
        [],
    )
    kept.inbox.finish(arrival)
    assert kept.paid() == []
    kept.inbox.come_back()
    assert kept.paid() == [5]


def test_an_empty_message_that_came_whole_is_no_piece() -> None:
    kept = Kept()
    kept.inbox.deliver([""])
    arrival = kept.begin()
    assert (arrival.kind, read(kept, arrival), arrival.is_complete) == ("text", [], True)
    kept.inbox.finish(arrival)
    kept.inbox.come_back()
    assert kept.paid() == [0]


@pytest.mark.parametrize("unit", ["é", b"x"])
def test_small_pieces_that_wait_are_put_together(unit: str | bytes) -> None:
    """Of a message that drips in there is not an object for every few bytes."""
    kept = Kept()
    kept.pieces(*[unit] * 3000)
    arrival = kept.begin()
    assert [len(piece) for piece in arrival.pieces] == [1024, 1024, 952]
    assert sum(map(len, read(kept, arrival))) == 3000
    assert sum(kept.paid()) == 3000 * (2 if unit == "é" else 1)


@pytest.mark.parametrize(
    ("pieces", "whole", "sizes"), [(["a", "é", "c"], "aéc", [4]), ([b"a", b"bc"], b"abc", [3])]
)
def test_a_message_in_pieces_may_be_taken_whole(
    pieces: list[str | bytes], whole: str | bytes, sizes: list[int]
) -> None:
    """What has come is paid for at once, or the rest could never come; the message is not done with by that."""
    kept = Kept()
    kept.pieces(*pieces, ends=False)
    assert (kept.inbox.take(), kept.paid(), kept.inbox.has_mail) == (None, sizes, True)
    kept.inbox.deliver_piece(MessageEnd())
    assert (kept.inbox.take(), kept.paid(), kept.inbox.has_mail) == (whole, [], False)
    kept.inbox.come_back()
    assert kept.paid() == [0]


def test_what_comes_by_paying_for_a_piece_is_joined_as_well() -> None:
    """A message that waits compressed is inflated when there is room."""
    kept = Kept()
    kept.account.is_reading = False
    kept.at_touch = [
        lambda: kept.pieces("b", ends=False, begins=False),
        lambda: kept.pieces("c", begins=False),
    ]
    kept.pieces("a", ends=False)
    assert kept.inbox.take() == "abc"
    assert kept.paid() == [1, 1, 1]


def test_what_was_joined_for_somebody_who_has_gone_is_the_first_piece_and_already_paid_for() -> None:
    kept = Kept()
    kept.pieces("a", "é", ends=False)
    assert (kept.inbox.take(), kept.paid()) == (None, [3])
    kept.pieces("c", begins=False)
    arrival = kept.begin()
    assert (read(kept, arrival), kept.paid()) == (["aé", "c"], [1])


def test_joining_goes_on_where_it_was_left() -> None:
    kept = Kept()
    kept.pieces(b"a", ends=False)
    arrival = kept.begin()
    assert (kept.inbox.join(arrival), arrival.joined_size) == (False, 1)
    kept.pieces(b"bc", begins=False)
    assert (kept.inbox.join(arrival), arrival.is_over, arrival.take_joined()) == (True, True, b"abc")


def test_joining_goes_no_further_than_its_bound() -> None:
    """What waits compressed could be inflated to a thousand times its size."""
    kept = Kept()
    kept.account.is_reading = False
    kept.at_touch = [
        lambda: kept.pieces(b"de", ends=False, begins=False),
        lambda: kept.pieces(b"f", begins=False),
    ]
    kept.pieces(b"abc", ends=False)
    arrival = kept.begin()
    assert [kept.inbox.join(arrival, 4), arrival.joined_size, kept.paid()] == [False, 5, [3, 2]]
    assert [kept.inbox.join(arrival, 4), list(arrival.pieces), arrival.is_complete] == [False, [b"f"], True]
    assert [kept.inbox.join(arrival, 5), arrival.take_joined()] == [True, b"abcdef"]


def test_a_message_that_came_whole_is_still_its_consumers_when_it_is_joined() -> None:
    kept = Kept()
    kept.inbox.deliver(["whole"])
    arrival = kept.begin()
    assert (kept.inbox.join(arrival), arrival.take_joined(), kept.paid()) == (True, "whole", [])
    kept.inbox.come_back()
    assert kept.paid() == [5]


# Messages come in pieces for those who want them so


def test_the_connection_is_asked_for_pieces_only_when_that_changes() -> None:
    kept = Kept()
    modes = [False, True, True, False, False]
    for pieces in modes:
        with kept.inbox.consuming("receive", pieces=pieces):
            pass
    assert (kept.account.modes, kept.touches) == ([True, False], [True, True])


def test_messages_of_any_size_come_in_pieces_anyway() -> None:
    kept = Kept(Limits(max_message_size=None))
    for pieces in (True, False):
        with kept.inbox.consuming("incoming", pieces=pieces):
            pass
    assert (kept.inbox.is_boundless, kept.account.modes) == (True, [])


def test_a_connection_that_is_closing_is_not_asked_for_pieces() -> None:
    kept = Kept()
    kept.account.send(Close(), 0.0)
    with kept.inbox.consuming("incoming", pieces=True):
        pass
    assert kept.account.modes == []


# Dropping


def waiting(kept: Kept) -> Arrival:
    """Let somebody read in pieces, and leave: three bytes in its hands, six unread, and behind them messages of both kinds."""
    kept.pieces(b"abc", ends=False)
    arrival = kept.begin()
    assert read(kept, arrival) == [b"abc"]
    kept.paid()
    kept.pieces(b"held", ends=False, begins=False)
    assert kept.inbox.take_piece(arrival) == b"held"
    kept.pieces(b"unread", begins=False)
    kept.inbox.deliver(["grün"])
    kept.pieces("x", "y")
    return arrival


def test_another_consumer_drops_the_rest_of_a_message_that_was_read_in_pieces() -> None:
    kept = Kept()
    arrival = waiting(kept)
    with kept.inbox.consuming("incoming", arrival, pieces=True):
        assert (kept.paid(), arrival.is_dropped) == ([], False)
    with kept.inbox.consuming("receive"):
        assert (kept.paid(), arrival.is_dropped) == ([4, 6, 0], True)
        assert [kept.inbox.take() for _ in range(3)] == ["grün", "xy", None]
    kept.inbox.come_back()
    assert kept.paid() == [5, 2, 0]


def test_the_rest_of_a_dropped_message_is_paid_for_as_it_comes() -> None:
    kept = Kept()
    kept.pieces("a", ends=False)
    arrival = kept.begin()
    with kept.inbox.consuming("receive"):
        assert (kept.paid(), arrival.is_dropped) == ([1], True)
        kept.pieces("é", begins=False)
        kept.pieces("next")
        assert (kept.inbox.take(), kept.paid()) == ("next", [2, 0, 4])


def test_dropping_pays_for_everything_in_order_and_the_session_looks_once() -> None:
    kept = Kept()
    kept.account.is_reading = False
    arrival = waiting(kept)
    kept.paid()
    kept.touches.clear()
    kept.inbox.drop()
    assert (kept.paid(), kept.touches, kept.inbox.has_mail) == ([4, 6, 0, 5, 2, 0], [True], False)
    assert arrival.is_dropped is True
    kept.inbox.deliver([b"later"])
    kept.pieces("later", "too")
    assert (kept.paid(), kept.inbox.has_mail) == ([5, 5, 3, 0], False)


def test_dropping_nothing_pays_nothing() -> None:
    kept = Kept()
    kept.inbox.drop()
    assert (kept.paid(), kept.touches) == ([], [])


def test_what_comes_is_dropped_until_somebody_consumes_again() -> None:
    kept = Kept()
    kept.inbox.drop()
    kept.inbox.deliver(["one"])
    kept.pieces("begun", ends=False)
    with kept.inbox.consuming("receive"):
        kept.pieces("rest", begins=False)
        kept.inbox.deliver(["two"])
        assert (kept.inbox.take(), kept.paid()) == ("two", [3, 5, 4, 0])


def test_after_the_end_by_us_even_a_consumer_gets_nothing() -> None:
    kept = Kept()
    kept.inbox.deliver(["one"])
    kept.inbox.close()
    with kept.inbox.consuming("receive"):
        kept.inbox.deliver(["two"])
        assert (kept.inbox.is_closed, kept.inbox.take(), kept.paid()) == (True, None, [3, 3])


def test_who_discards_drops_everything_and_then_messages_wait_again() -> None:
    kept = Kept()
    kept.inbox.deliver(["one"])
    with kept.inbox.discarding("discard_incoming"):
        kept.inbox.deliver(["two"])
    kept.inbox.deliver(["three"])
    assert (kept.inbox.take(), kept.paid()) == ("three", [3, 3])


def test_discarding_after_the_end_by_us_changes_nothing() -> None:
    kept = Kept()
    kept.inbox.close()
    with kept.inbox.discarding("discard_incoming"):
        pass
    kept.inbox.deliver(["late"])
    assert (kept.inbox.has_mail, kept.paid()) == (False, [4])
