"""A driver that takes the first step of a task at once, where it may: inside the calls of its pump."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from inspect import stack

import pytest

from eager import EagerDriver
from fakes import Cancelled, pause
from spry_core import Application, Request, Timeouts, WebSocket
from spry_core.protocol import ABORT
from spry_core.serving import LogRecord, Server, Session
from spry_core.tasks import event, now, scope

HEAD = b"GET / HTTP/1.1\r\nHost: t\r\n\r\n"
SWITCH = (
    b"GET / HTTP/1.1\r\nHost: t\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)
MESSAGE = b"\x81\x81\x00\x00\x00\x00a"
NAME: ContextVar[str] = ContextVar("NAME")


class Served:
    """One session of an application, and the pump that drives it."""

    def __init__(self, app: Application, timeouts: Timeouts | None = None) -> None:
        self.driver = EagerDriver()
        self.reports: list[LogRecord] = []
        server = Server(
            app,
            random=lambda n: bytes(n),
            wall_clock=lambda: 0.0,
            report=self.reports.append,
            timeouts=timeouts,
        )
        self.session: Session = server.session(self.driver)

    def receive(self, data: bytes) -> bytes:
        """Hand over what the peer has sent, and return what goes out after this call."""
        return self._pump(lambda: self.session.receive_data(data, 7.0))

    def take_turn(self) -> bytes:
        """Handle a deadline that is due, and return what goes out after this call."""
        assert self.session.next_deadline() == 7.0
        return self._pump(lambda: self.session.handle_deadline(7.0))

    def _pump(self, call: Callable[[], None]) -> bytes:
        self.driver.is_pumping = True
        try:
            call()
        finally:
            self.driver.is_pumping = False
        return self.written()

    def written(self) -> bytes:
        """Return what there is to write."""
        data = b"".join(each for each in self.session.data_to_send() if isinstance(each, bytes))
        self.session.bytes_written(len(data), 7.0)
        return data


def contents(data: bytes) -> list[bytes]:
    """Return the content of each answer, which is one byte or two."""
    return [each.partition(b"\r\n\r\n")[2] for each in data.split(b"HTTP/1.1 200 OK\r\n")[1:]]


def test_an_answer_that_need_not_wait_goes_out_after_the_very_call() -> None:
    app = Application()

    @app.get("/")
    async def handler(request: Request) -> str:
        return "a"

    served = Served(app)
    assert contents(served.receive(HEAD)) == [b"a"]
    assert (served.driver.notes, [task.is_over for task in served.driver.tasks]) == ([], [True])
    assert [record.fields["status_code"] for record in served.reports] == [200]


def test_content_that_came_with_the_head_is_there_in_the_first_step() -> None:
    app = Application()

    @app.post("/")
    async def handler(request: Request) -> bytes:
        return await request.read()

    request = b"POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 2\r\n\r\n"
    served = Served(app)
    assert contents(served.receive(request + b"ab")) == [b"ab"]
    assert served.receive(request) == b""
    assert served.receive(b"cd") == b""
    served.driver.run()
    assert contents(served.written()) == [b"cd"]


def test_pipelined_requests_are_answered_in_turn_and_not_inside_of_each_other() -> None:
    app = Application()
    depths = list[int]()

    @app.get("/")
    async def handler(request: Request) -> str:
        depths.append(len(stack(0)))
        return str(len(depths))

    served = Served(app)
    assert contents(served.receive(HEAD * 9)) == [b"%d" % (i + 1) for i in range(9)]
    assert len(set(depths)) == 1


def test_a_turn_ends_among_many_pipelined_requests() -> None:
    """What one peer sends in one read must not hold the others up, also where its handlers run in the pump's calls."""
    app = Application()

    @app.get("/")
    async def handler(request: Request) -> str:
        return "a"

    served = Served(app)
    first = contents(served.receive(HEAD * 40))
    assert 0 < len(first) < 40
    counts = [len(first)]
    while sum(counts) < 40:
        counts.append(len(contents(served.take_turn())))
    assert max(counts) == counts[0]


def test_a_request_behind_one_that_waited_begins_when_that_is_answered() -> None:
    """No call of the pump, so the second one begins later; one write is enough for both answers."""
    app = Application()
    begun = list[str]()

    @app.get("/")
    async def handler(request: Request) -> str:
        begun.append("a")
        if len(begun) == 1:
            await pause()
        return "a"

    served = Served(app)
    assert served.receive(HEAD * 2) == b""
    assert begun == ["a"]
    served.driver.tasks[0].step()
    assert (begun, served.driver.notes) == (["a"], [True])
    served.driver.run()
    assert (begun, served.driver.notes) == (["a", "a"], [True, False])
    assert contents(served.written()) == [b"a", b"a"]


def test_each_request_has_context_variables_of_its_own() -> None:
    app = Application()
    seen = list[str]()

    @app.get("/")
    async def handler(request: Request) -> str:
        seen.append(NAME.get("none"))
        NAME.set("mine")
        return f"{now():g}"

    served = Served(app)
    assert contents(served.receive(HEAD * 2)) == [b"7", b"7"]
    served.receive(HEAD)
    assert seen == ["none", "none", "none"]


def test_what_a_first_step_starts_begins_when_the_step_is_over() -> None:
    app = Application()
    order = list[str]()

    async def child() -> None:
        order.append("child")

    @app.get("/")
    async def handler(request: Request) -> str:
        async with scope() as tasks:
            tasks.start_soon(child)
            order.append("handler")
        return "a"

    served = Served(app)
    assert served.receive(HEAD) == b""
    assert order == ["handler", "child"]
    served.driver.run()
    assert contents(served.written()) == [b"a"]


def test_an_async_callback_is_awaited_at_the_end_of_the_call_that_brought_its_message() -> None:
    app = Application()
    order = list[str]()

    @app.ws("/", origins=None)
    async def handler(ws: WebSocket, request: Request) -> None:
        async def echo(message: str | bytes) -> None:
            order.append("echo")
            await ws.send(message)

        def answer(message: str | bytes) -> Awaitable[None]:
            order.append("answer")
            return echo(message)

        ws.listen(answer)

    served = Served(app)
    assert served.receive(SWITCH).startswith(b"HTTP/1.1 101 ")
    assert served.receive(MESSAGE * 2) == b"\x81\x01a" * 2
    assert order == ["answer", "echo", "answer", "echo"]


def test_an_error_in_the_first_step_is_a_500_and_logged_once() -> None:
    app = Application()

    @app.get("/")
    async def handler(request: Request) -> str:
        raise KeyError("a")

    served = Served(app)
    assert served.receive(HEAD).startswith(b"HTTP/1.1 500 ")
    assert [repr(record.exception) for record in served.reports] == ["KeyError('a')", "None"]


def test_a_session_that_is_cut_in_a_first_step_cancels_that_task_too() -> None:
    """Its own `cancel` cannot be known yet while the task is being begun."""
    app = Application()
    ended = list[str]()

    @app.get("/")
    async def handler(request: Request) -> None:
        served.session.abort(7.0)
        try:
            await event().wait()
        except Cancelled:
            ended.append("cancelled")
            raise

    served = Served(app)
    assert served.receive(HEAD) == b""
    assert ended == []
    served.driver.run()
    assert ended == ["cancelled"]


def test_a_session_is_over_when_the_stream_goes_in_a_first_step() -> None:
    app = Application()

    @app.get("/")
    async def handler(request: Request) -> str:
        served.session.connection_lost(None, 7.0)
        return "a"

    served = Served(app)
    assert served.receive(HEAD) == b""
    assert served.session.closed is True


def test_what_ends_the_process_comes_out_of_the_call() -> None:
    app = Application()

    @app.get("/")
    async def handler(request: Request) -> None:
        raise KeyboardInterrupt

    served = Served(app)
    with pytest.raises(KeyboardInterrupt):
        served.receive(HEAD)
    assert served.session.data_to_send() == [ABORT]


def test_a_task_for_which_there_is_no_memory_costs_the_connection_and_keeps_nothing_open() -> None:
    app = Application()

    @app.get("/")
    async def handler(request: Request) -> str:
        return "a"

    served = Served(app)
    served.driver.lacks_memory = True
    assert served.receive(HEAD) == b""
    assert [record.text.partition(": ")[2] for record in served.reports] == [
        "out of memory, connection aborted"
    ]
    served.session.connection_lost(None, 7.0)
    assert served.session.closed is True


def test_what_was_to_begin_behind_a_task_that_cannot_begins_all_the_same() -> None:
    app = Application()
    begun = list[str]()

    async def child(name: str) -> None:
        begun.append(name)
        if name == "first":
            raise KeyboardInterrupt

    @app.get("/")
    async def handler(request: Request) -> None:
        async with scope() as tasks:
            tasks.start_soon(child, "first")
            tasks.start_soon(child, "second")

    served = Served(app)
    with pytest.raises(KeyboardInterrupt):
        served.receive(HEAD)
    assert begun == ["first"]
    served.session.connection_lost(None, 7.0)
    served.driver.tasks[-1].step()
    assert begun == ["first", "second"]
