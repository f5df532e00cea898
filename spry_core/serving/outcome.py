"""What becomes of a request: its chain is run, and what that returns or raises is the answer, or ends the WebSocket."""

from __future__ import annotations

from typing import Protocol

from spry_core.closing import Close
from spry_core.serving.answer import answer_stream, answer_whole
from spry_core.serving.exchange import HttpExchange
from spry_core.serving.tasks import Tasks
from spry_core.tasks import part
from spry_core.web.exceptions import Abort
from spry_core.web.failure import fail_handler, without_ends
from spry_core.web.link import Link
from spry_core.web.middleware import Chain, Outcome
from spry_core.web.request import Request
from spry_core.web.response import Response


class Owner(Protocol):
    """What a request that is being served needs of its session."""

    @property
    def tasks(self) -> Tasks:
        """The tasks of the connection, this one among them."""
        ...

    @property
    def link(self) -> Link | None:
        """The WebSocket that a request of the connection has become."""
        ...

    def report_error_of(self, exchange: HttpExchange, error: BaseException) -> None:
        """Log an error of the application, with its traceback."""
        ...

    def note(self, exchange: HttpExchange) -> None:
        """The request is over: log it."""
        ...


# One coroutine for the barrier, the chain and the answer: each costs time in every request, and memory as long as a
# WebSocket lives.
async def serve(owner: Owner, exchange: HttpExchange, request: Request, chain: Chain) -> None:
    """Run the chain of one request and send its answer: a task for `Tasks.begin_later`, known by its exchange.

    Nothing gets out but our own cancellation and what ends the process (see `Tasks.contain`).
    """
    try:
        try:
            try:
                outcome = await chain(request)
            except BaseException as raised:
                outcome = _take_raised(owner, exchange, raised)
            stream = _conclude(owner, exchange, outcome)
            if stream is not None:
                await _answer(owner, exchange, stream)
        finally:
            owner.note(exchange)
    except BaseException as raised:
        owner.tasks.contain(raised)
    finally:
        owner.tasks.end(exchange)


def _take_raised(owner: Owner, exchange: HttpExchange, raised: BaseException) -> Response:
    """Return the answer to what has left the chain; what is no error of the application is raised again."""
    error, rest = part(raised, is_cancelling=owner.tasks.is_cancelling)
    if error is not None:
        _judge(owner, exchange, error)
    if rest is not None:
        if not exchange.is_over:
            _answer_instead(owner, exchange, 503)
        _leave(owner, exchange)
        raise rest from None
    return Abort(500).response()


def _judge(owner: Owner, exchange: HttpExchange, error: BaseException) -> None:
    """Deal with an error that has left the chain: log it, unless it only says that the peer has left."""
    if owner.link is not None and exchange.is_upgraded:
        fail_handler(owner.link, error)
        return
    remaining = without_ends(error) if exchange.is_over else error
    if remaining is not None:
        owner.report_error_of(exchange, remaining)


def _conclude(owner: Owner, exchange: HttpExchange, outcome: Outcome) -> Response | None:
    """The chain is left: answer, unless that has to wait. Return a response that is a stream."""
    if exchange.status_code == 101:
        _leave(owner, exchange)
        return None
    assert isinstance(outcome, Response)  # without a 101 there is no other outcome
    content = outcome.content
    if not isinstance(content, bytes):
        return outcome
    try:
        exchange.answer(outcome.as_head(), content)
    except BaseException as raised:
        _fail_answer(owner, exchange, raised)
    return None


def _leave(owner: Owner, exchange: HttpExchange) -> None:
    """The chain is left: a WebSocket that is still open has lost its handler."""
    link = owner.link
    if link is not None and exchange.is_upgraded and link.connection.is_open:
        link.close(Close(code=1011))


async def _answer(owner: Owner, exchange: HttpExchange, response: Response) -> None:
    try:
        await answer_stream(exchange, response)
    except BaseException as raised:
        _fail_answer(owner, exchange, raised)


def _fail_answer(owner: Owner, exchange: HttpExchange, raised: BaseException) -> None:
    error, rest = part(raised, is_cancelling=owner.tasks.is_cancelling)
    if error is not None:
        owner.report_error_of(exchange, error)
    if exchange.status_code is None and not exchange.is_over:
        _answer_instead(owner, exchange, 500 if rest is None else 503)
    if rest is not None:
        raise rest from None


def _answer_instead(owner: Owner, exchange: HttpExchange, status_code: int) -> None:
    """Answer with a status alone; 503 only if it is we who cancel."""
    if status_code != 503 or owner.tasks.is_cancelling:
        answer_whole(exchange, Abort(status_code).response())
