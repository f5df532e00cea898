"""blacksheep, on uvicorn with its fastest HTTP."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from importlib import import_module
from typing import Protocol, cast

from benchmarks.exchanges import CONTENT
from benchmarks.servers import arguments


class Request(Protocol):
    """What comes."""

    async def read(self) -> bytes:
        """Return the content."""
        ...


class Routes(Protocol):
    """Where handlers are put."""

    def add_get(self, path: str, handler: Callable[[Request], Awaitable[object]]) -> None:
        """Answer a GET."""
        ...

    def add_post(self, path: str, handler: Callable[[Request], Awaitable[object]]) -> None:
        """Answer a POST."""
        ...


class Application(Protocol):
    """As much of it as is used here."""

    router: Routes


class Blacksheep(Protocol):
    """As much of the package as is used here; it need not be installed where this is checked."""

    def Application(self) -> Application:  # noqa: N802 - its name
        """Return a new one."""
        ...

    def Content(self, content_type: bytes, data: bytes) -> object:  # noqa: N802 - its name
        """Return what a response carries."""
        ...

    def Response(self, status: int, *, content: object) -> object:  # noqa: N802 - its name
        """Return what a handler answers."""
        ...


class Uvicorn(Protocol):
    """The server below."""

    def run(
        self, app: object, *, port: int, loop: str, http: str, access_log: bool, log_level: str, backlog: int
    ) -> None:
        """Serve."""
        ...


def main(port: int, loop: str) -> None:
    """Serve until the process is ended."""
    blacksheep = cast("Blacksheep", import_module("blacksheep"))
    app = blacksheep.Application()

    async def hello(request: Request) -> object:
        return blacksheep.Response(200, content=blacksheep.Content(b"text/plain", CONTENT))

    async def content(request: Request) -> object:
        return blacksheep.Response(200, content=blacksheep.Content(b"application/json", await request.read()))

    # It reads annotations to know what a handler wants, and would not know ours.
    hello.__annotations__.clear()
    content.__annotations__.clear()
    app.router.add_get("/hello", hello)
    app.router.add_post("/content", content)
    uvicorn = cast("Uvicorn", import_module("uvicorn"))
    uvicorn.run(
        app, port=port, loop=loop, http="httptools", access_log=False, log_level="error", backlog=1024
    )


if __name__ == "__main__":
    given = arguments.read()
    main(given.port, given.loop)
