"""Foreign awaitables in every place where an application may await, seen by a test."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from typing import Final, TypeAlias

import pytest

import foreign
from foreign import FOREIGN, HARMLESS, Foreign, Function, line_of
from spry_core import Application, Next, Outcome, Request, WebSocket, scope, timeout
from spry_core.routing import WEBSOCKET
from spry_core.testing import ForeignAwaitable, MemoryDriver, TestClient

Place: TypeAlias = Callable[[Function], Application]


@pytest.mark.parametrize("each", FOREIGN, ids=lambda each: each.function.__name__)
def test_each_is_reported_with_its_task_line_and_name(each: Foreign) -> None:
    with pytest.raises(ForeignAwaitable) as caught:
        MemoryDriver().run(each.function)
    assert str(caught.value) == (
        f"task 1 at {foreign.__file__}:{line_of(each.function)} in {each.function.__name__} awaited {each.awaited}, "
        "which belongs to an event loop; under the memory driver only what spry lends can be awaited"
    )
    cause = caught.value.__cause__
    assert cause is None if each.cause is None else isinstance(cause, each.cause)


@pytest.mark.parametrize("function", HARMLESS, ids=lambda function: function.__name__)
def test_what_has_nothing_to_wait_for_touches_no_loop(function: Callable[[], Awaitable[str]]) -> None:
    assert MemoryDriver().run(function) == "passed"


# ------------------------------------------------------------------------------------------------------- the places


def nothing(request: Request) -> None:
    """Answer with nothing."""


def in_handler(use: Function) -> Application:
    app = Application()

    @app.get("/")
    async def handler(request: Request) -> None:
        await use()

    return app


def in_middleware(use: Function) -> Application:
    app = Application()

    async def middleware(request: Request, next: Next) -> Outcome:
        await use()
        return await next()

    app.middleware.use(middleware)
    app.get("/", nothing)
    return app


def in_filter(use: Function) -> Application:
    app = Application()

    @app.exceptions.filter(KeyError)
    async def answer(error: KeyError, request: Request) -> str:
        await use()
        return "answered"

    @app.get("/")
    async def handler(request: Request) -> None:
        raise KeyError

    return app


def in_time_limit(use: Function) -> Application:
    app = Application()

    @app.get("/")
    async def handler(request: Request) -> None:
        with timeout(1):
            await use()

    return app


def in_task(use: Function) -> Application:
    app = Application()

    @app.get("/")
    async def handler(request: Request) -> None:
        async with scope() as tasks:
            tasks.start_soon(use)

    return app


def in_stream(use: Function) -> Application:
    app = Application()

    @app.get("/")
    async def handler(request: Request) -> AsyncIterator[str]:
        async def pieces() -> AsyncIterator[str]:
            yield "one"
            await use()

        return pieces()

    return app


def in_websocket(use: Function) -> Application:
    app = Application()

    @app.ws("/")
    async def handler(ws: WebSocket, request: Request) -> None:
        await use()

    return app


def in_callback(use: Function) -> Application:
    app = Application()

    @app.ws("/")
    async def handler(ws: WebSocket, request: Request) -> None:
        async def take(message: str | bytes) -> None:
            await use()

        ws.listen(take)
        await ws.closed

    return app


def in_startup(use: Function) -> Application:
    app = Application()

    @app.lifespan
    async def lifespan(app: Application) -> AsyncGenerator[None, None]:
        await use()
        yield

    return app


def in_teardown(use: Function) -> Application:
    app = Application()

    @app.lifespan
    async def lifespan(app: Application) -> AsyncGenerator[None, None]:
        yield
        await use()

    app.get("/", nothing)
    return app


TASK: Final = "task 1 of connection 50000"

PLACES: Final[dict[Place, tuple[str, str]]] = {
    in_handler: (TASK, TASK),
    in_middleware: (TASK, TASK),
    in_filter: (TASK, TASK),
    in_time_limit: (TASK, TASK),
    in_task: ("task 2 of connection 50000", TASK),
    in_stream: (TASK, TASK),
    in_websocket: (TASK, TASK),
    in_callback: ("task 2 of connection 50000", "task 2 of connection 50000"),
    in_startup: ("task 1 of the lifespan", "the lifespan"),
    in_teardown: ("task 1 of the lifespan", "task 1 of the lifespan"),
}
"""Each with the task that is named: where the primitive yields, and where it raises, which is seen where the error comes out."""

WAYS: Final = (foreign.asyncio_sleep_zero, foreign.trio_sleep, foreign.asyncio_event, foreign.anyio_sleep)


def visit(app: Application) -> None:
    """Ask for everything that an application of this page has."""
    with TestClient(app) as client:
        if any(entry.method == WEBSOCKET for entry in app.routes.entries):
            client.ws("/").send("a")
        else:
            client.get("/")


@pytest.mark.parametrize("use", WAYS, ids=lambda use: use.__name__)
@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.__name__)
def test_it_is_the_same_error_wherever_an_application_awaits(place: Place, use: Function) -> None:
    """Ordinary error handling would make a 500 or a 1011 of it, and no log says at which line a loop was missing."""
    (found,) = (each for each in FOREIGN if each.function is use)
    task = PLACES[place][found.cause is not None]
    with pytest.raises(ForeignAwaitable) as caught:
        visit(place(use))
    assert str(caught.value).partition(", which")[0] == (
        f"{task} at {foreign.__file__}:{line_of(use)} in {use.__name__} awaited {found.awaited}"
    )
