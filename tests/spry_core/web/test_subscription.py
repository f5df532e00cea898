"""`listen`: callbacks for messages, one at a time, in order."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextvars import ContextVar

import pytest

from frames import CLOSE_FRAME, CONTINUATION, TEXT, Frame, close_payload, frame
from sockets import Opened, Peer, Running, client_of, close_frame, messages
from spry_core import (
    CloseInfo,
    ConnectionClosed,
    ConnectionLost,
    Limits,
    Next,
    Outcome,
    ProtocolFailure,
    ReadyState,
    Request,
    Subscription,
    Timeouts,
    WebSocket,
    WebSocketBusyError,
    WebSocketClose,
)
from spry_core.testing import Cancelled, TestClient
from spry_core.web.application import Application


class Gate:
    """An async callback that holds each message until it is let through."""

    def __init__(self, opened: Opened) -> None:
        self._driver = opened.driver
        self._event = opened.driver.event()
        self.begun: list[object] = []
        self.done: list[object] = []
        self.cancelled: list[object] = []

    async def __call__(self, message: object) -> None:
        self.begun.append(message)
        try:
            await self._event.wait()
        except Cancelled:
            self.cancelled.append(message)
            raise
        self.done.append(message)

    def open_once(self) -> None:
        event, self._event = self._event, self._driver.event()
        event.set()
        self._driver.settle()


# Messages


def test_a_sync_callback_is_called_while_the_bytes_are_taken_without_a_task() -> None:
    opened = Opened()
    received = list[tuple[str | bytes, int]]()
    tasks = len(opened.driver.tasks())
    opened.ws.listen(lambda message: received.append((message, len(opened.driver.tasks()))))
    opened.peer.send("one", b"two", "")
    assert received == [("one", tasks), (b"two", tasks), ("", tasks)]


def test_an_async_callback_gets_one_message_at_a_time() -> None:
    opened = Opened()
    gate = Gate(opened)
    opened.ws.listen(gate)
    opened.peer.send("one", "two")
    opened.peer.send("three")
    assert (gate.begun, gate.done) == (["one"], [])
    opened.peer.send("four")
    for _ in range(3):
        gate.open_once()
    assert (gate.begun, gate.done) == (["one", "two", "three", "four"], ["one", "two", "three"])
    gate.open_once()
    opened.peer.send("five")
    assert gate.begun[-1] == "five"


def test_a_callback_may_be_sync_for_one_message_and_async_for_the_next() -> None:
    opened = Opened()
    gate = Gate(opened)
    seen = list[str | bytes]()

    def on_message(message: str | bytes) -> Awaitable[None] | None:
        seen.append(message)
        return gate(message) if message == "slow" else None

    opened.ws.listen(on_message)
    opened.peer.send("fast", "slow", "after")
    assert seen == ["fast", "slow"]
    gate.open_once()
    assert seen == ["fast", "slow", "after"]


def test_messages_that_wait_already_are_not_called_back_inside_listen() -> None:
    opened = Opened()
    opened.peer.send("one", "two")
    received = list[str | bytes]()
    seen_inside = list[list[str | bytes]]()

    async def listen() -> None:
        opened.ws.listen(received.append)
        seen_inside.append(list(received))

    opened.start(listen)
    assert (seen_inside, received) == ([[]], ["one", "two"])


def test_what_comes_while_the_waiting_messages_have_not_been_called_back_keeps_its_place() -> None:
    opened = Opened()
    opened.peer.send("one")
    received = list[str | bytes]()
    opened.ws.listen(received.append)
    opened.peer.send("two")
    assert received == ["one", "two"]


def test_callbacks_run_in_the_context_of_the_call_of_listen() -> None:
    variable = ContextVar[str]("variable", default="unset")
    opened = Opened()
    seen = list[str]()

    async def listen() -> None:
        variable.set("inside")

        async def asynchronous(message: str | bytes) -> None:
            seen.append(f"{message!r} {variable.get()}")

        def on_message(message: str | bytes) -> object:
            seen.append(f"{message!r} {variable.get()}")
            variable.set(f"after {message!r}")
            return asynchronous(message) if message == "async" else None

        opened.ws.listen(on_message)

    opened.peer.send("waiting")
    opened.start(listen)
    opened.peer.send("sync", "async")
    assert seen == [
        "'waiting' inside",
        "'sync' after 'waiting'",
        "'async' after 'sync'",
        "'async' after 'async'",
    ]
    assert variable.get() == "unset"


def test_listening_excludes_every_other_consumer_and_makes_way_when_it_is_cancelled() -> None:
    opened = Opened()
    received = list[str | bytes]()
    subscription = opened.ws.listen(print)
    with pytest.raises(WebSocketBusyError, match="receive: somebody else"):
        opened.driver.run(opened.ws.receive)
    with pytest.raises(WebSocketBusyError, match="listen: somebody else"):
        opened.ws.listen(print)
    subscription.cancel()
    opened.ws.listen(received.append)
    opened.peer.send("for the second")
    assert received == ["for the second"]


# Backpressure


def test_who_listens_gets_what_came_in_pieces_as_whole_messages() -> None:
    """They came so for somebody who has left them."""
    opened = Opened(limits=Limits(max_queue_size=6))
    opened.start(anext, opened.ws.incoming()).cancel()
    opened.stream.send(frame(TEXT, b"one ", fin=False) + frame(CONTINUATION, b"and mo", fin=False))
    received = list[str | bytes]()
    opened.ws.listen(received.append)
    assert received == []
    opened.driver.settle()
    opened.stream.send(frame(CONTINUATION, b"re", fin=False))
    opened.stream.send(frame(CONTINUATION) + messages("two"))
    assert (received, opened.stream.unread) == (["one and more", "two"], 0)


def test_half_a_message_is_not_called_back() -> None:
    opened, ends = Opened(), Ends()
    opened.start(anext, opened.ws.incoming()).cancel()
    opened.stream.send(frame(TEXT, b"half", fin=False))
    ends.listen(opened.ws)
    opened.driver.settle()
    opened.stream.send(frame(0x3))
    assert ends.notes == [("error", ProtocolFailure), ("done", 1002)]


def test_the_callback_waits_while_too_much_is_unsent() -> None:
    """``ws.listen(ws.add)`` is an echo whose buffer is bounded."""
    opened = Opened(limits=Limits(high_water=10, max_unsent=20))
    opened.stream.is_reading = False
    opened.ws.add(bytes(65_532))  # fills the pipe
    opened.driver.settle()
    opened.ws.listen(opened.ws.add)
    opened.peer.send("123456", "beyond the mark", "next")
    assert opened.ws.buffered_amount == 8 + 17
    opened.stream.is_reading = True
    assert opened.ws.buffered_amount == 0
    assert opened.stream.take()[65_536:] == b"\x81\x06123456\x81\x0fbeyond the mark\x81\x04next"


def test_an_echo_by_listen_gives_back_everything_in_order() -> None:
    opened = Opened(limits=Limits(high_water=10))
    opened.stream.is_reading = False
    opened.ws.listen(opened.ws.add)
    sent = [f"message {n}" for n in range(40)]
    for each in sent:
        opened.peer.send(each)
    opened.stream.is_reading = True
    assert opened.peer.texts() == sent


def test_an_echo_by_an_async_send_gives_back_everything_in_order() -> None:
    opened = Opened(limits=Limits(high_water=10))
    opened.ws.listen(opened.ws.send)
    sent = [f"message {n}" for n in range(100)]
    for n in range(0, 100, 10):
        opened.peer.send(*sent[n : n + 10])
    assert opened.peer.texts() == sent


def test_messages_that_are_not_called_back_yet_stop_the_reading() -> None:
    opened = Opened(max_queue=2)
    gate = Gate(opened)
    opened.ws.listen(gate)
    opened.peer.send("one", "two")
    opened.peer.send("three")
    assert (gate.begun, opened.stream.unread) == (["one"], len(messages("three")))
    gate.open_once()
    assert (gate.begun, opened.stream.unread) == (["one", "two"], 0)


def test_what_could_not_be_taken_before_a_message_was_done_with_is_called_back_behind_it() -> None:
    opened = Opened(max_queue=1)
    gate = Gate(opened)
    opened.ws.listen(gate)
    opened.peer.send("one", "two", "three")
    for done in (["one"], ["one", "two"], ["one", "two", "three"]):
        gate.open_once()
        assert gate.done == done


# Pause, resume, cancel


def test_a_paused_subscription_calls_nobody_back_and_messages_wait() -> None:
    opened = Opened(max_queue=2)
    received = list[str | bytes]()
    subscription = opened.ws.listen(received.append)
    subscription.pause()
    opened.peer.send("one", "two")
    opened.peer.send("three")
    assert (received, opened.stream.unread) == ([], len(messages("three")))
    subscription.resume()
    assert received == []
    opened.driver.settle()
    assert received == ["one", "two", "three"]
    opened.peer.send("four")
    assert received[3:] == ["four"]


def test_resuming_when_nothing_waits_needs_no_task() -> None:
    opened = Opened()
    received = list[str | bytes]()
    subscription = opened.ws.listen(received.append)
    tasks = len(opened.driver.tasks())
    subscription.pause()
    subscription.resume()
    assert len(opened.driver.tasks()) == tasks
    opened.peer.send("one")
    assert received == ["one"]


def test_a_callback_may_pause_and_resume() -> None:
    opened = Opened()
    received = list[str | bytes]()

    def on_message(message: str | bytes) -> None:
        received.append(message)
        subscription.pause()
        if message == "go on":
            subscription.resume()

    subscription = opened.ws.listen(on_message)
    opened.peer.send("go on", "stop", "waits")
    assert received == ["go on", "stop"]
    subscription.resume()
    opened.driver.settle()
    assert received == ["go on", "stop", "waits"]


def test_pausing_twice_and_resuming_twice_calls_back_once() -> None:
    opened = Opened()
    received = list[str | bytes]()
    subscription = opened.ws.listen(received.append)
    subscription.pause()
    subscription.pause()
    opened.peer.send("one")
    subscription.resume()
    subscription.resume()
    opened.driver.settle()
    assert received == ["one"]


def test_a_subscription_that_is_paused_during_an_async_callback_calls_nobody_back_behind_it() -> None:
    opened = Opened()
    gate = Gate(opened)
    subscription = opened.ws.listen(gate)
    opened.peer.send("one", "two")
    subscription.pause()
    gate.open_once()
    assert (gate.begun, gate.done) == (["one"], ["one"])
    subscription.resume()
    assert gate.begun == ["one"]
    opened.driver.settle()
    assert gate.begun == ["one", "two"]


def test_resuming_during_an_async_callback_changes_no_order() -> None:
    opened = Opened()
    gate = Gate(opened)
    subscription = opened.ws.listen(gate)
    opened.peer.send("one", "two")
    subscription.pause()
    subscription.resume()
    opened.driver.settle()
    assert gate.begun == ["one"]
    gate.open_once()
    assert gate.begun == ["one", "two"]


def test_a_subscription_may_begin_paused() -> None:
    opened = Opened()
    opened.peer.send("one")
    received = list[str | bytes]()
    subscription = opened.ws.listen(received.append)
    subscription.pause()
    opened.driver.settle()
    assert received == []
    subscription.resume()
    opened.driver.settle()
    assert received == ["one"]


def test_a_cancelled_subscription_calls_nobody_back_and_leaves_messages_to_the_next() -> None:
    opened = Opened()
    received, ends = list[str | bytes](), list[CloseInfo]()

    def on_message(message: str | bytes) -> None:
        received.append(message)
        subscription.cancel()

    subscription = opened.ws.listen(on_message, on_done=ends.append)
    opened.peer.send("one", "two", "three")
    assert received == ["one"]
    assert [opened.driver.run(opened.ws.receive) for _ in range(2)] == ["two", "three"]
    subscription.cancel()
    subscription.resume()
    opened.stream.reset()
    assert (received, ends) == (["one"], [])


def test_a_callback_that_runs_when_its_subscription_is_cancelled_is_left_to_finish() -> None:
    opened = Opened()
    gate = Gate(opened)
    subscription = opened.ws.listen(gate)
    opened.peer.send("one", "two")
    subscription.cancel()
    gate.open_once()
    assert (gate.begun, gate.done) == (["one"], ["one"])
    assert opened.driver.run(opened.ws.receive) == "two"


def test_who_waits_for_a_subscription_hears_when_it_is_cancelled() -> None:
    opened = Opened()
    subscription = opened.ws.listen(print)
    waiting = [opened.start(subscription.done) for _ in range(2)]
    assert [each.is_waiting for each in waiting] == [True, True]
    subscription.cancel()
    opened.driver.settle()
    assert [each.result for each in waiting] == [None, None]
    assert opened.driver.run(subscription.done) is None


def test_waiting_for_a_subscription_is_a_cancellation_point() -> None:
    opened = Opened()
    subscription = opened.ws.listen(print)
    subscription.cancel()
    passed = list[int]()

    async def wait() -> None:
        task.cancel()
        await subscription.done()
        passed.append(1)

    task = opened.driver.start(wait)
    opened.driver.settle()
    assert (task.is_done, passed) == (True, [])


# The end


class Ends:
    """Callbacks that note what they are called with."""

    def __init__(self) -> None:
        self.notes: list[tuple[str, object]] = []

    def on_message(self, message: str | bytes) -> None:
        self.notes.append(("message", message))

    def on_error(self, error: ConnectionClosed) -> None:
        self.notes.append(("error", type(error)))

    def on_done(self, info: CloseInfo) -> None:
        self.notes.append(("done", info.close_code))

    def listen(self, ws: WebSocket) -> Subscription:
        return ws.listen(self.on_message, self.on_error, self.on_done)


def test_what_came_in_one_piece_with_the_close_is_called_back_before_the_end() -> None:
    opened, ends = Opened(), Ends()
    ends.listen(opened.ws)
    opened.stream.send(messages("one", "two") + close_frame(4000))
    assert ends.notes == [("message", "one"), ("message", "two"), ("done", 4000)]


def test_an_end_that_was_not_clean_is_told_as_an_error_first() -> None:
    opened, ends = Opened(), Ends()
    ends.listen(opened.ws)
    opened.stream.send(messages("one"))
    opened.stream.reset()
    assert ends.notes == [("message", "one"), ("error", ConnectionLost), ("done", 1006)]


def test_a_fault_of_the_peer_is_told_when_what_came_before_is_called_back() -> None:
    """RFC 6455 §7.1.7."""
    opened, ends = Opened(), Ends()
    ends.listen(opened.ws)
    opened.stream.send(messages("one", "two") + b"\xff\xff")
    assert ends.notes == [
        ("message", "one"),
        ("message", "two"),
        ("error", ProtocolFailure),
        ("done", 1002),
    ]
    assert opened.peer.frames() == [Frame(CLOSE_FRAME, close_payload(1002))]


def test_a_fault_behind_a_message_waits_for_an_async_callback_and_its_answer() -> None:
    """RFC 6455 §7.1.7: the Close frame comes behind the answers."""
    opened, ends = Opened(), Ends()
    gate = Gate(opened)

    async def answer(message: str | bytes) -> None:
        await gate(message)
        await opened.ws.send(message)

    opened.ws.listen(answer, ends.on_error, ends.on_done)
    opened.stream.send(messages("one") + frame(TEXT, b"\xff"))
    assert (ends.notes, opened.stream.take()) == ([], b"")
    gate.open_once()
    assert opened.peer.frames() == [Frame(TEXT, b"one"), Frame(CLOSE_FRAME, close_payload(1007))]
    assert ends.notes == [("error", ProtocolFailure), ("done", 1007)]


def test_the_end_without_anybody_to_tell_only_ends_the_subscription() -> None:
    opened = Opened()
    subscription = opened.ws.listen(print)
    waiting = opened.start(subscription.done)
    opened.stream.reset()
    assert waiting.result == opened.ws.close_info
    assert opened.errors == []


def test_who_waits_for_a_subscription_hears_of_the_end_when_the_last_callback_has_returned() -> None:
    opened = Opened()
    gate = Gate(opened)
    waiting = opened.start(opened.ws.listen(print, on_done=gate).done)
    opened.stream.reset()
    assert (gate.begun, waiting.is_waiting) == (opened.ends, True)
    gate.open_once()
    assert waiting.result == gate.begun[0]


def test_an_async_callback_for_the_error_is_awaited_before_the_one_for_the_end() -> None:
    opened, ends = Opened(), Ends()
    gate = Gate(opened)
    opened.ws.listen(print, gate, ends.on_done)
    opened.stream.reset()
    assert (len(gate.begun), ends.notes) == (1, [])
    gate.open_once()
    assert ends.notes == [("done", 1006)]


def test_cancelling_while_the_end_is_told_tells_no_more() -> None:
    opened, ends = Opened(), Ends()

    def on_error(error: ConnectionClosed) -> None:
        subscription.cancel()

    subscription = opened.ws.listen(print, on_error, ends.on_done)
    opened.stream.reset()
    assert ends.notes == []
    assert opened.driver.run(subscription.done) == opened.ws.close_info


def test_after_our_close_nothing_is_called_back_but_the_end() -> None:
    opened, ends = Opened(), Ends()

    def on_message(message: str | bytes) -> None:
        ends.on_message(message)
        opened.ws.close()

    opened.ws.listen(on_message, ends.on_error, ends.on_done)
    opened.peer.send("one", "dropped")
    opened.peer.send("late")
    opened.stream.send(close_frame(1000))
    assert ends.notes == [("message", "one"), ("done", 1000)]


def test_after_a_close_in_a_callback_even_a_new_consumer_gets_nothing() -> None:
    opened, received = Opened(), list[str | bytes]()

    def on_message(message: str | bytes) -> None:
        opened.ws.close()
        subscription.cancel()
        opened.ws.listen(received.append)

    subscription = opened.ws.listen(on_message)
    opened.peer.send("one", "dropped", "dropped too")
    assert received == []


def test_closing_may_be_awaited_in_a_callback() -> None:
    opened, infos = Opened(), list[CloseInfo]()

    async def on_message(message: str | bytes) -> None:
        infos.append(await opened.ws.close(4000))

    opened.ws.listen(on_message)
    opened.peer.send("one")
    assert opened.peer.frames() == [Frame(CLOSE_FRAME, close_payload(4000))]
    opened.stream.send(close_frame(4000))
    assert [info.clean for info in infos] == [True]


def test_aborting_in_a_callback_is_the_end() -> None:
    opened, ends = Opened(), Ends()

    def on_message(message: str | bytes) -> None:
        opened.ws.abort()

    opened.ws.listen(on_message, ends.on_error, ends.on_done)
    opened.peer.send("one", "dropped")
    assert ends.notes == [("done", 1006)]
    assert opened.stream.is_reset is True


def test_aborting_from_elsewhere_drops_what_waits_for_room() -> None:
    """Not even some of it is called back when giving up the first of the messages makes the end known."""
    opened, ends = Opened(limits=Limits(high_water=10)), Ends()
    opened.stream.is_reading = False
    opened.ws.add(bytes(65_600))  # more than the pipe and the mark
    opened.driver.settle()
    opened.ws.listen(ends.on_message, ends.on_error, ends.on_done)
    opened.peer.send("one", "two", "three")
    assert ends.notes == []
    opened.ws.abort()
    assert ends.notes == [("done", 1006)]


def test_closing_a_failing_connection_drops_what_waits_for_room() -> None:
    opened, ends = Opened(limits=Limits(high_water=10)), Ends()
    opened.stream.is_reading = False
    opened.ws.add(bytes(65_600))
    opened.driver.settle()
    ends.listen(opened.ws)
    opened.stream.send(messages("one", "two", "three") + frame(0x3, b""))
    assert ends.notes == []
    opened.ws.close(4000)
    assert [kind for kind, _ in ends.notes if kind == "message"] == []


def test_listening_after_the_end_gives_what_is_left_and_the_end() -> None:
    opened, ends = Opened(), Ends()
    opened.stream.send(messages("left") + close_frame(4000))
    ends.listen(opened.ws)
    assert ends.notes == []
    opened.driver.settle()
    assert ends.notes == [("message", "left"), ("done", 4000)]


def test_listening_when_the_handler_is_over_too_raises() -> None:
    opened = Opened()
    opened.stream.reset()
    assert opened.client.server.session_count == 0
    with pytest.raises(ConnectionLost):
        opened.ws.listen(print)


def test_a_paused_subscription_holds_back_the_end_while_the_stream_is_there() -> None:
    opened, ends = Opened(), Ends()
    subscription = ends.listen(opened.ws)
    subscription.pause()
    opened.stream.send(messages("one") + close_frame(4000))
    assert ends.notes == []
    subscription.resume()
    opened.driver.settle()
    assert ends.notes == [("message", "one"), ("done", 4000)]


def test_a_paused_subscription_does_not_outlive_the_stream() -> None:
    opened, ends = Opened(), Ends()
    subscription = ends.listen(opened.ws)
    subscription.pause()
    opened.stream.send(messages("dropped") + close_frame(4000))
    opened.stream.close()
    assert ends.notes == [("done", 4000)]
    subscription.resume()
    assert opened.client.server.session_count == 0


# Errors of callbacks


def test_an_exception_in_a_callback_closes_with_1011_and_is_logged_once() -> None:
    opened, ends = Opened(), Ends()

    def on_message(message: str | bytes) -> None:
        ends.on_message(message)
        raise LookupError("of the callback")

    opened.ws.listen(on_message, ends.on_error, ends.on_done)
    opened.peer.send("one", "dropped")
    assert opened.peer.frames() == [Frame(CLOSE_FRAME, close_payload(1011))]
    assert [repr(error) for error in opened.errors] == ["LookupError('of the callback')"]
    assert ends.notes == [("message", "one")]
    opened.stream.send(close_frame(1011))
    assert ends.notes == [("message", "one"), ("done", 1011)]
    assert opened.ws.close_info is not None
    assert repr(opened.ws.close_info.cause) == "LookupError('of the callback')"


def test_an_exception_in_an_async_callback_does_the_same() -> None:
    opened, ends = Opened(), Ends()

    async def on_message(message: str | bytes) -> None:
        raise LookupError("of the callback")

    opened.ws.listen(on_message, ends.on_error, ends.on_done)
    opened.peer.send("one", "dropped")
    assert opened.peer.frames() == [Frame(CLOSE_FRAME, close_payload(1011))]
    assert [repr(error) for error in opened.errors] == ["LookupError('of the callback')"]
    opened.stream.send(close_frame(1011))
    assert ends.notes == [("done", 1011)]


def test_a_callback_may_raise_the_answer() -> None:
    opened = Opened()

    def on_message(message: str | bytes) -> None:
        raise ExceptionGroup("tasks", [WebSocketClose(4000, "enough")])

    opened.ws.listen(on_message)
    opened.peer.send("one")
    assert opened.peer.frames() == [Frame(CLOSE_FRAME, close_payload(4000, "enough"))]
    assert opened.errors == []


def test_a_callback_that_only_notices_the_end_is_no_error() -> None:
    opened, sent = Opened(), list[str | bytes]()

    async def on_message(message: str | bytes) -> None:
        sent.append(message)
        await opened.ws.send(message)

    opened.ws.listen(on_message)
    opened.stream.send(messages("one", "two") + close_frame(1000))
    assert (sent, opened.errors) == (["one", "two"], [])


def test_a_cancellation_in_a_callback_that_nobody_asked_for_is_an_error() -> None:
    opened = Opened()

    async def on_message(message: str | bytes) -> None:
        raise Cancelled

    opened.ws.listen(on_message)
    opened.peer.send("one")
    assert opened.peer.frames() == [Frame(CLOSE_FRAME, close_payload(1011))]
    assert [type(error) for error in opened.errors] == [Cancelled]


@pytest.mark.parametrize("raised", [Cancelled(), BaseExceptionGroup("tasks", [Cancelled()])])
def test_what_looks_like_a_cancellation_in_a_sync_callback_is_an_error_of_it(raised: BaseException) -> None:
    """It runs while the bytes are taken: nothing could have been cancelled there."""
    opened = Opened()

    def on_message(message: str | bytes) -> None:
        raise raised

    opened.ws.listen(on_message)
    opened.peer.send("one", "dropped")
    assert opened.peer.frames() == [Frame(CLOSE_FRAME, close_payload(1011))]
    assert opened.errors == [raised]


def test_an_error_in_a_last_callback_is_logged_and_the_other_is_called() -> None:
    opened, ends = Opened(), Ends()

    def on_error(error: ConnectionClosed) -> None:
        raise LookupError("of the callback")

    opened.ws.listen(print, on_error, ends.on_done)
    opened.stream.reset()
    assert ends.notes == [("done", 1006)]
    assert [repr(error) for error in opened.errors] == ["LookupError('of the callback')"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_what_ends_the_process_passes_a_callback(error: type[BaseException]) -> None:
    async def asynchronous(message: str | bytes) -> None:
        raise error

    def synchronous(message: str | bytes) -> None:
        raise error

    for on_message in (asynchronous, synchronous):
        opened = Opened()
        opened.ws.listen(on_message)
        with pytest.raises(error):
            opened.peer.send("one")


# The route's options, and middleware


def test_a_callback_goes_on_when_the_connection_ends_and_middleware_waits_for_it() -> None:
    notes = list[str]()
    events = list[Callable[[], None]]()
    app = Application()

    async def note(request: Request, next: Next) -> Outcome:
        outcome = await next()
        notes.append("middleware")
        return outcome

    @app.ws("/")
    def handler(ws: WebSocket, request: Request) -> None:
        async def on_message(message: str | bytes) -> None:
            event = client.driver.event()
            events.append(event.set)
            await event.wait()
            notes.append("callback")

        async def on_done(info: CloseInfo) -> None:
            event = client.driver.event()
            events.append(event.set)
            await event.wait()
            notes.append("done")

        ws.listen(on_message, on_done=on_done)

    app.middleware.use(note)
    client = TestClient(app)
    peer = Peer(client)
    peer.send("one")
    peer.stream.reset()
    while events:
        assert client.server.session_count == 1
        events.pop()()
        client.driver.settle()
    assert (notes, client.server.session_count) == (["callback", "done", "middleware"], 0)


def test_with_on_disconnect_cancel_a_callback_in_progress_is_cancelled_and_the_end_is_told() -> None:
    opened, ends = Opened(on_disconnect="cancel"), Ends()
    gate = Gate(opened)
    opened.ws.listen(gate, on_done=ends.on_done)
    opened.peer.send("in progress", "waiting")
    opened.stream.reset()
    assert (gate.cancelled, gate.begun) == (["in progress"], ["in progress"])
    assert (ends.notes, opened.errors, opened.client.server.session_count) == ([("done", 1006)], [], 0)


def test_with_on_disconnect_cancel_the_last_callbacks_are_left_to_clean_up() -> None:
    opened = Opened(on_disconnect="cancel")
    gate = Gate(opened)
    opened.ws.listen(print, on_done=gate)
    opened.stream.reset()
    assert (len(gate.begun), gate.cancelled) == (1, [])
    gate.open_once()
    assert (len(gate.done), opened.client.server.session_count) == (1, 0)


def test_at_the_end_of_the_grace_callbacks_are_cancelled_too() -> None:
    opened = Opened(timeouts=Timeouts(grace=3.0, close_timeout=1.0))
    gate, last = Gate(opened), Gate(opened)
    opened.ws.listen(gate, on_done=last)
    opened.peer.send("in progress")
    opened.client.shutdown()
    opened.client.advance(2.9)
    assert gate.cancelled == []
    opened.client.advance(0.1)
    assert (gate.cancelled, len(last.cancelled)) == (["in progress"], 0)
    assert (opened.client.server.closed, opened.errors) == (True, [])


@pytest.mark.parametrize("is_last", [True, False])
def test_who_waits_elsewhere_hears_of_a_callback_that_was_cancelled_after_the_end(is_last: bool) -> None:
    opened = Opened()
    gate = Gate(opened)
    subscription = opened.ws.listen(print, on_done=gate) if is_last else opened.ws.listen(gate)
    waiting = Running(opened.driver, subscription.done)
    opened.peer.send("in progress")
    opened.stream.reset()
    assert (len(gate.begun), waiting.is_waiting) == (1, True)
    opened.client.shutdown(grace=0.0)
    assert (len(gate.cancelled), waiting.result) == (1, opened.ws.close_info)


def test_the_connection_stays_open_while_somebody_listens_and_what_comes_later_is_discarded() -> None:
    subscriptions = list[Subscription]()
    received = list[str | bytes]()

    def handler(ws: WebSocket, request: Request) -> None:
        subscriptions.append(ws.listen(received.append))

    peer = Peer(client_of(handler, max_queue=1))
    peer.send("one")
    subscriptions[0].cancel()
    peer.send("two")
    peer.send("three")
    assert (received, peer.stream.unread, peer.frames()) == (["one"], 0, [])


def test_with_close_on_return_the_connection_is_closed_when_nobody_listens_any_more() -> None:
    sockets, subscriptions = list[WebSocket](), list[Subscription]()

    def handler(ws: WebSocket, request: Request) -> None:
        sockets.append(ws)
        subscriptions.append(ws.listen(ws.add))

    peer = Peer(client_of(handler, close_on_return=True))
    peer.send("one")
    assert sockets[0].ready_state is ReadyState.OPEN
    subscriptions[0].cancel()
    peer.stream.send(b"")
    assert peer.frames() == [Frame(TEXT, b"one"), Frame(CLOSE_FRAME, close_payload(1000))]
