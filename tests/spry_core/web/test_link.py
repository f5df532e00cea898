"""What stands between a WebSocket of an application and its session: without either, and seen through an application."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Generator
from contextlib import AbstractContextManager, contextmanager

import pytest

from frames import CLOSE_FRAME, TEXT, close_payload, frame
from sockets import SWITCH, UPGRADE, close_frame, messages
from spry_core import (
    Application,
    Close,
    ConnectionClosed,
    ConnectionLost,
    KeepaliveTimeout,
    Limits,
    ProtocolFailure,
    ReadyState,
    Request,
    Timeouts,
    WebSocket,
    sleep,
)
from spry_core.errors import LocalProtocolError, RemoteProtocolError
from spry_core.protocol import (
    ABORT,
    HALF_CLOSE,
    Accept,
    Connection,
    ConnectionEnded,
    Message,
    MessageStart,
    StreamEnd,
)
from spry_core.testing import MemoryDriver, TestClient
from spry_core.wakeup import WakeUp
from spry_core.web.link import Link


class Host:
    """A session that notes what it is asked for."""

    def __init__(self) -> None:
        self.driver = MemoryDriver()
        self.closed = False
        self.is_cancelling = False
        self.touches: list[bool] = []
        self.reported: list[BaseException] = []

    def touch(self, soon: bool = False) -> None:
        self.touches.append(soon)

    def start(self, function: Callable[[], Awaitable[None]]) -> None:
        self.driver.start(function)

    def report_handler_error(self, error: BaseException) -> None:
        self.reported.append(error)


class Linked:
    """A link over a real connection, and what a session would do with its events."""

    def __init__(self, limits: Limits | None = None, timeouts: Timeouts | None = None) -> None:
        self.host = Host()
        self.connection = Connection("server", now=0.0, random=bytes, limits=limits, timeouts=timeouts)
        self.connection.receive_data(UPGRADE, 0.0)
        self.connection.send(Accept(), 0.0)
        self.drop_events()
        self.link = Link(self.connection, self.host)
        assert self.written() == [SWITCH]

    def drop_events(self) -> None:
        while self.connection.next_event() is not None:
            pass

    def receive(self, *data: bytes) -> None:
        for each in data:
            self.connection.receive_data(each, 0.0)
        self.look()

    def lose(self) -> None:
        self.connection.connection_lost(None, 0.0)
        self.look()

    def look(self) -> None:
        while (event := self.connection.next_event()) is not None:
            if isinstance(event, Message):
                self.link.inbox.deliver([event.data])
            elif isinstance(event, ConnectionEnded):
                self.link.end()
        self.link.notice_settling()

    def written(self) -> list[bytes | StreamEnd]:
        items = self.connection.data_to_send()
        self.connection.bytes_written(sum(len(item) for item in items if isinstance(item, bytes)), 0.0)
        return items

    def wakes(self, wake_up: WakeUp) -> list[int]:
        """Let a task count how often it is woken."""
        woken = list[int]()

        async def wait() -> None:
            while True:
                await wake_up.wait()
                woken.append(len(woken))

        self.host.driver.start(wait)
        self.host.driver.settle()
        return woken


# Sending


def test_there_is_no_room_while_more_than_the_mark_is_unsent() -> None:
    linked = Linked(limits=Limits(high_water=10))
    woken = linked.wakes(linked.link.room)
    linked.link.send(Message(data="12345678"))
    assert linked.link.is_full is False
    linked.link.send(Message(data=""))
    assert linked.link.is_full is True
    linked.link.look()
    linked.host.driver.settle()
    assert woken == []
    assert linked.written() == [b"\x81\x0812345678", b"\x81\x00"]
    linked.link.look()
    linked.host.driver.settle()
    assert (linked.link.is_full, woken) == (False, [0])


def test_the_pump_may_wait_a_little_when_the_handler_has_more_to_do() -> None:
    linked = Linked()
    linked.link.send(Message(data="nothing waits"))
    linked.receive(messages("one"))
    linked.link.send(Message(data="one more waits"))
    assert linked.host.touches == [False, True]


def test_a_message_needs_no_event_to_be_sent() -> None:
    linked = Linked()
    linked.link.send_message("one", None)
    linked.receive(messages("waits"))
    linked.link.send_message(b"two", False)
    assert linked.written() == [b"\x81\x03one", b"\x82\x03two"]
    assert linked.host.touches == [False, True]
    linked.link.inbox.is_delivering = True  # the session looks when all is delivered
    linked.link.send_message("three", None)
    assert (linked.written(), linked.host.touches) == ([b"\x81\x05three"], [False, True])


def test_a_message_is_not_sent_that_could_not_go_out() -> None:
    linked = Linked()
    linked.link.send(MessageStart(kind="text"))
    with pytest.raises(LocalProtocolError, match=r"^a message in pieces is under way"):
        linked.link.send_message("inside", None)
    linked.link.close(Close(code=4000))
    with pytest.raises(ConnectionClosed, match="the connection is closing"):
        linked.link.send_message("late", None)
    assert linked.written() == [b"\x88\x02\x0f\xa0"]


def test_nothing_is_sent_that_could_not_go_out() -> None:
    linked = Linked()
    linked.link.close(Close(code=4000))
    with pytest.raises(ConnectionClosed, match="the connection is closing") as caught:
        linked.link.send(Message(data="late"))
    assert caught.value.info is None
    assert linked.written() == [b"\x88\x02\x0f\xa0"]


# The end


def test_the_first_close_counts_and_what_was_not_read_is_dropped() -> None:
    linked = Linked()
    linked.receive(messages("unread"))
    linked.link.close(Close(code=4000))
    linked.link.close(Close(code=4001))
    assert (linked.link.inbox.has_mail, linked.host.touches) == (False, [False, False])
    linked.link.inbox.claim(object(), "receive")
    linked.link.inbox.deliver(["on its way to us when we closed"])
    assert linked.link.inbox.has_mail is False
    assert linked.written() == [b"\x88\x02\x0f\xa0"]


def test_aborting_drops_everything_and_cuts_the_stream() -> None:
    linked = Linked()
    linked.receive(messages("unread"))
    linked.link.send(Message(data="unsent"))
    linked.link.abort()
    assert (linked.link.inbox.has_mail, linked.connection.data_to_send()) == (False, [ABORT])


def test_the_end_is_known_when_it_is_settled_and_everything_before_it_is_delivered() -> None:
    """RFC 6455 §7.1.4."""
    linked = Linked()
    linked.connection.receive_data(messages("one") + close_frame(4000, "bye"), 0.0)
    assert (linked.connection.close_info is not None, linked.link.info) == (True, None)
    woken = [linked.wakes(each) for each in (linked.link.inbox.mail, linked.link.settling, linked.link.room)]
    ending = linked.wakes(linked.link.ending)
    linked.look()
    linked.host.driver.settle()
    assert linked.link.info == linked.connection.close_info
    assert ([len(each) for each in woken], ending) == ([1, 1, 1], [])
    assert linked.link.notice_settling() is False
    linked.lose()
    linked.host.driver.settle()
    assert ending == [0]


def test_everybody_waits_for_the_same_change() -> None:
    """What is waited for is made for the first who waits."""
    linked = Linked()
    link = linked.link
    assert (link.room, link.settling, link.ending) == (link.room, link.settling, link.ending)
    woken = [linked.wakes(link.settling), linked.wakes(link.settling)]
    linked.receive(close_frame(4000))
    linked.host.driver.settle()
    assert woken == [[0], [0]]


def test_its_state_is_that_of_the_connection() -> None:
    linked = Linked()
    states = [linked.link.ready_state]
    linked.link.close(Close(code=1000))
    states.append(linked.link.ready_state)
    linked.lose()
    states.append(linked.link.ready_state)
    assert states == [ReadyState.OPEN, ReadyState.CLOSING, ReadyState.CLOSED]


def clean(linked: Linked) -> None:
    linked.receive(close_frame(4000))


def closed_by_us(linked: Linked) -> None:
    linked.link.close(Close(code=4000))
    linked.connection.handle_deadline(5.0)
    linked.look()


def aborted_by_us(linked: Linked) -> None:
    linked.link.abort()
    linked.look()


def lost(linked: Linked) -> None:
    linked.lose()


def failed(linked: Linked) -> None:
    linked.receive(frame(TEXT, b"\xff"))


def silent(linked: Linked) -> None:
    linked.connection.handle_deadline(20.0)
    linked.connection.handle_deadline(40.0)
    linked.look()


@pytest.mark.parametrize(
    ("end", "kind", "code"),
    [
        (clean, ConnectionClosed, 4000),
        (closed_by_us, ConnectionClosed, 4000),
        (aborted_by_us, ConnectionClosed, 1006),
        (lost, ConnectionLost, 1006),
        (failed, ProtocolFailure, 1007),
        (silent, KeepaliveTimeout, 1011),
    ],
)
def test_an_exception_says_how_the_connection_ended(
    end: Callable[[Linked], None], kind: type[ConnectionClosed], code: int
) -> None:
    """RFC 6455 §7.1.5."""
    linked = Linked()
    end(linked)
    error = linked.link.closed_error()
    assert (type(error), error.close_code, error.info) == (kind, code, linked.link.info)
    assert linked.link.info is not None
    assert error.__cause__ is linked.link.info.cause


def refused(linked: Linked) -> Refused:
    return Refused(linked, RemoteProtocolError("not text", close_code=1003, section="RFC 6455 §7.4.1"))


class Refused:
    """A task that refuses what has come, and what it gets for that."""

    def __init__(self, linked: Linked, error: RemoteProtocolError) -> None:
        self.error = error
        self.raised: list[ConnectionClosed] = []
        linked.host.driver.start(self._refuse, linked.link)
        linked.host.driver.settle()

    async def _refuse(self, link: Link) -> None:
        try:
            await link.refuse(self.error)
        except ConnectionClosed as error:
            self.raised.append(error)


def test_what_came_may_be_refused_which_fails_the_connection_at_once() -> None:
    """RFC 6455 §7.1.7, §7.4.1; nobody reads any more what was still to be answered."""
    linked = Linked()
    linked.receive(messages("taken", "unread"))
    assert linked.link.inbox.take() == "taken"
    refusal = refused(linked)
    assert (linked.link.inbox.has_mail, linked.written()) == (False, [b"\x88\x02\x03\xeb", HALF_CLOSE])
    linked.look()
    linked.host.driver.settle()
    (raised,) = refusal.raised
    assert (type(raised), raised.close_code, raised.__cause__) == (ProtocolFailure, 1003, refusal.error)


def test_what_came_may_be_refused_while_the_connection_fails_for_something_else() -> None:
    linked = Linked()
    linked.receive(messages("taken") + frame(TEXT, b"\xff"))
    assert linked.link.inbox.take() == "taken"
    refusal = refused(linked)
    assert linked.written() == [b"\x88\x02\x03\xef", HALF_CLOSE]
    linked.look()
    linked.host.driver.settle()
    assert [(type(raised), raised.close_code) for raised in refusal.raised] == [(ProtocolFailure, 1007)]


def test_what_came_before_the_end_is_refused_in_vain() -> None:
    linked = Linked()
    linked.receive(messages("taken") + close_frame(4000))
    assert linked.link.inbox.take() == "taken"
    assert [(type(raised), raised.close_code) for raised in refused(linked).raised] == [
        (ConnectionClosed, 4000)
    ]


def test_a_pong_answers_the_pings_of_the_application() -> None:
    linked = Linked()
    ping = linked.link.pings.add(b"ping", 1.0)
    linked.link.take_pong(b"another", 2.0)
    assert ping.round_trip_time is None
    assert linked.link.pings.add(b"later", 2.5) is not ping
    linked.link.take_pong(b"ping", 3.0)
    assert ping.round_trip_time == 2.0


def test_a_pong_that_nobody_waits_for_changes_nothing() -> None:
    """RFC 6455 §5.5.3."""
    linked = Linked()
    linked.link.take_pong(b"unsolicited", 1.0)
    assert linked.link.pings.add(b"unsolicited", 2.0).round_trip_time is None


def test_who_waits_for_a_pong_is_woken_when_the_end_is_settled() -> None:
    linked = Linked()
    woken = linked.wakes(linked.link.pings.answers)
    linked.receive(close_frame(4000))
    linked.host.driver.settle()
    assert woken == [0]


def test_the_pump_learns_of_a_new_ping_interval() -> None:
    linked = Linked()
    linked.link.set_ping_interval(3.0)
    assert (linked.connection.next_deadline(), linked.host.touches) == (3.0, [False])


# The handler's end


def test_an_error_of_the_handler_closes_and_is_the_cause_of_the_end() -> None:
    linked = Linked()
    error, late = LookupError("of the handler"), LookupError("late")
    linked.link.fail_handler(error, Close(code=1011), is_logged=True)
    linked.link.fail_handler(late, Close(code=4000), is_logged=True)
    assert linked.written() == [frame(CLOSE_FRAME, close_payload(1011), mask=None)]
    linked.receive(close_frame(1011))
    assert linked.link.info is not None
    assert (linked.link.info.cause, linked.link.info.clean, linked.host.reported) == (
        error,
        True,
        [error, late],
    )
    assert linked.link.closed_error().info == linked.link.info


def test_an_answer_that_a_handler_raised_is_not_reported() -> None:
    linked = Linked()
    linked.link.fail_handler(LookupError(), Close(code=4000), is_logged=False)
    assert linked.host.reported == []


def test_what_nobody_consumes_after_the_handler_is_discarded_until_somebody_does() -> None:
    linked = Linked(limits=Limits(max_queue=2))
    linked.receive(messages("unread", "unread too"))
    linked.link.handler_has_returned(closes=False)
    linked.receive(messages("three", "four", "five"))
    assert (linked.link.inbox.has_mail, linked.connection.wants_read) == (False, True)
    with linked.link.inbox.consuming("receive"):
        linked.receive(messages("six"))
        assert linked.link.inbox.take() == "six"
    assert linked.written() == []


def test_what_somebody_consumes_when_the_handler_returns_is_kept() -> None:
    linked = Linked()
    with linked.link.inbox.consuming("receive"):
        linked.receive(messages("kept"))
        linked.link.handler_has_returned(closes=False)
        assert linked.link.inbox.take() == "kept"


def test_a_handler_may_close_by_returning_when_nothing_goes_on_behind_it() -> None:
    linked = Linked()
    linked.link.background += 1
    linked.link.leave_alone()
    linked.link.handler_has_returned(closes=True)
    assert linked.written() == []
    linked.link.background -= 1
    linked.link.leave_alone()
    assert linked.written() == [b"\x88\x02\x03\xe8"]


def test_it_is_over_when_the_stream_is_gone_and_the_last_task_has_ended() -> None:
    linked = Linked()
    event = linked.host.driver.event()
    linked.link.start(event.wait)
    woken = linked.wakes(linked.link.ending)
    linked.lose()
    linked.host.driver.settle()
    assert (linked.link.is_over, woken) == (False, [0])
    event.set()
    linked.host.driver.settle()
    assert (linked.link.is_over, woken) == (True, [0, 1])


def test_it_asks_its_session_what_has_become_of_that() -> None:
    linked = Linked()
    assert (linked.link.is_dead, linked.link.is_cancelling) == (False, False)
    linked.host.closed = linked.host.is_cancelling = True
    assert (linked.link.is_dead, linked.link.is_cancelling) == (True, True)


class Block:
    """A block that waits, and how it has ended."""

    def __init__(self, linked: Linked, block: Callable[[], AbstractContextManager[object]]) -> None:
        self._driver = linked.host.driver
        self._event = linked.host.driver.event()
        self._notes: list[str] = []
        self._driver.start(self._wait, block)

    async def _wait(self, block: Callable[[], AbstractContextManager[object]]) -> None:
        with block():
            await self._event.wait()
            self._notes.append("let through")
        self._notes.append("left")

    def look(self) -> list[str]:
        self._driver.settle()
        return self._notes

    def let_through(self) -> list[str]:
        self._event.set()
        return self.look()


def test_a_block_may_end_when_the_end_is_settled() -> None:
    linked = Linked()
    block = Block(linked, linked.link.interrupted_by_settling)
    assert block.look() == []
    linked.receive(messages("one"))
    assert block.look() == []
    linked.receive(close_frame(1000))
    assert block.look() == ["left"]
    linked.lose()
    assert block.let_through() == ["left"]


def test_a_block_may_end_with_the_stream() -> None:
    linked = Linked()
    linked.link.cancels_on_end = True
    block = Block(linked, linked.link.interrupted_by_end)
    assert block.look() == []
    linked.receive(close_frame(1000))
    assert block.look() == []
    linked.lose()
    assert block.look() == ["left"]


def test_a_block_goes_on_after_the_stream_unless_the_route_says_so() -> None:
    linked = Linked()
    block = Block(linked, linked.link.interrupted_by_end)
    assert block.look() == []
    linked.lose()
    assert block.look() == []
    assert block.let_through() == ["let through", "left"]


def test_a_block_that_begins_after_the_end_ends_at_its_first_wait() -> None:
    linked = Linked()
    linked.link.cancels_on_end = True
    linked.lose()
    assert Block(linked, linked.link.interrupted_by_end).look() == ["left"]


@contextmanager
def older(linked: Linked, *, is_spared: bool) -> Generator[None]:
    """A block that began before the 101."""
    with linked.host.driver.scope() as scope:
        linked.link.interrupt_at_end(scope)
        if is_spared:
            linked.link.spare(scope)
        yield


def test_a_block_that_is_older_than_the_link_may_end_with_the_stream() -> None:
    linked = Linked()
    ended = Block(linked, lambda: older(linked, is_spared=False))
    spared = Block(linked, lambda: older(linked, is_spared=True))
    assert (ended.look(), spared.look()) == ([], [])
    linked.lose()
    assert (ended.look(), spared.look()) == (["left"], [])
    assert Block(linked, lambda: older(linked, is_spared=False)).look() == ["left"]


def test_a_block_that_was_left_is_not_interrupted_any_more() -> None:
    linked = Linked()
    linked.link.cancels_on_end = True
    block = Block(linked, linked.link.interrupted_by_end)
    assert block.let_through() == ["let through", "left"]
    linked.lose()
    assert block.look() == ["let through", "left"]


# When the handler has returned


class Handed:
    """An application in which the handler of one WebSocket returns, and that of another goes on with it."""

    def __init__(self) -> None:
        self.app = Application()
        self.app.ws("/room", self.enter)
        self.app.ws("/keeper", self.keep)
        self.room: WebSocket | None = None
        self.heard: list[str | bytes] = []

    async def enter(self, ws: WebSocket, request: Request) -> None:
        """Leave the WebSocket to somebody else."""
        self.room = ws

    async def keep(self, ws: WebSocket, request: Request) -> None:
        """Take it over, and answer slowly."""
        assert self.room is not None
        async for message in self.room:
            self.heard.append(message)
            await self.room.add_stream(self.answers())

    async def answers(self) -> AsyncIterator[str]:
        yield "one"
        await sleep(1.0)
        yield "two"


def test_what_comes_before_somebody_takes_over_is_thrown_away() -> None:
    handed = Handed()
    client = TestClient(handed.app)
    with client.ws("/room") as room:
        room.send("too early")
        with client.ws("/keeper"):
            room.send("in time")
            assert room.receive() == "one"
    assert handed.heard == ["in time"]


def test_who_has_taken_over_loses_nothing_while_it_does_something_else() -> None:
    """The end of its stream is not the end of its interest."""
    handed = Handed()
    client = TestClient(handed.app)
    with client.ws("/room") as room, client.ws("/keeper"):
        room.send("first")
        assert room.receive() == "one"
        room.send("second")
        assert [room.receive() for _ in range(3)] == ["two", "one", "two"]
    assert handed.heard == ["first", "second"]
