"""The servers beside each other: how each is started, on which loop it runs and what it can do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Final

from benchmarks.work import Kind
from spry_core.protocol import DEFAULT_ENGINE

WEBSOCKET: Final = frozenset({Kind.ECHO, Kind.FAN, Kind.DEFLATE, Kind.OPEN, Kind.IDLE})
HTTP: Final = frozenset({Kind.GET, Kind.POST})
PLAIN_WEBSOCKET: Final = WEBSOCKET - {Kind.DEFLATE}
"""Of servers that cannot compress, or let nobody choose how."""

LOOPS: Final = ("asyncio", "uvloop", "trio")


@dataclass(frozen=True, slots=True)
class Subject:
    """One server."""

    name: str
    loop: str
    """The one that `raw` has to run on, to be the limit."""
    program: tuple[str, ...]
    """Arguments for Python, with `{port}` and `{kind}` in them."""
    does: frozenset[Kind]
    path: str = "/echo"
    """Where its echo is."""
    needs: tuple[str, ...] = ()
    """Modules that have to be installed."""
    is_peer: bool = True
    is_raw: bool = False
    """It knows no protocol, and echoes octets."""

    def arguments(self, kind: Kind) -> list[str]:
        """Return the arguments for Python, with `{port}` in them."""
        return [each.replace("{kind}", kind) for each in self.program]

    def path_for(self, kind: Kind) -> str:
        """Return where its WebSockets are opened for that kind of work; "" if it takes no opening handshake for it."""
        if kind in HTTP or (self.is_raw and kind in (Kind.ECHO, Kind.DEFLATE)):
            return ""
        return {Kind.FAN: "/fan", Kind.DEFLATE: "/deflate"}.get(kind, self.path)

    def missing(self) -> list[str]:
        """Return what it needs and is not installed."""
        return [name for name in self.needs if find_spec(name) is None]


def raw(loop: str) -> Subject:
    """Return the limit on a loop."""
    module = "benchmarks.servers.raw_trio" if loop == "trio" else "benchmarks.servers.raw"
    program = ("-m", module, loop, "{port}", "{kind}")
    return Subject(
        f"raw-{loop}", loop, program, WEBSOCKET | HTTP, needs=loop_modules(loop), is_peer=False, is_raw=True
    )


def spry(loop: str, engine: str) -> Iterator[Subject]:
    """Give Spry on a loop and an engine: with a callback, and with a loop in a task."""
    ending = "" if engine == DEFAULT_ENGINE else f"-{engine}"
    program = ("-m", "benchmarks.servers.spry", loop, "{port}", "{kind}", engine)
    needs = loop_modules(loop)
    everything = WEBSOCKET | HTTP
    yield Subject(f"spry-{loop}{ending}", loop, program, everything, "/listen", needs, is_peer=False)
    task = frozenset({Kind.ECHO, Kind.OPEN, Kind.IDLE})
    yield Subject(f"spry-{loop}-for{ending}", loop, program, task, "/echo", needs, is_peer=False)


def own(name: str, module: str, loop: str, does: frozenset[Kind]) -> Subject:
    """Return a server that is one of our programs."""
    program = ("-m", f"benchmarks.servers.{module}", loop, "{port}", "{kind}")
    return Subject(name, loop, program, does, needs=(module, *loop_modules(loop)))


def uvicorn(loop: str, http: str, ws: str) -> Subject:
    """Return uvicorn with one of its implementations of each protocol; with "none" for one it is measured on the other."""
    options = ("--loop", loop, "--http", "h11" if http == "none" else http, "--ws", ws)
    silence = ("--ws-ping-interval", "1000", "--ws-ping-timeout", "1000")
    quiet = ("--no-access-log", "--log-level", "error", "--ws-per-message-deflate", "false", *silence)
    program = ("-m", "uvicorn", "benchmarks.servers.asgi:app", "--port", "{port}", *options, *quiet)
    needs = [each for each in (http, ws.removesuffix("-sansio")) if each != "none"]
    does = HTTP if ws == "none" else PLAIN_WEBSOCKET
    return Subject(
        f"uvicorn-{http if ws == 'none' else ws}-{loop}",
        loop,
        program,
        does,
        needs=("uvicorn", *needs, *loop_modules(loop)),
    )


def hypercorn(loop: str) -> Subject:
    """Return hypercorn on a loop; its processes are as many as it starts."""
    options = (
        "--bind",
        "127.0.0.1:{port}",
        "--worker-class",
        loop,
        "--workers",
        "0",
        "--log-level",
        "critical",
    )
    program = ("-m", "hypercorn", "benchmarks.servers.asgi:app", *options)
    return Subject(
        f"hypercorn-{loop}", loop, program, PLAIN_WEBSOCKET | HTTP, needs=("hypercorn", *loop_modules(loop))
    )


def granian(loop: str) -> Subject:
    """Return granian, one worker with one thread, its application on a loop."""
    options = ("--interface", "asgi", "--host", "127.0.0.1", "--port", "{port}", "--loop", loop)
    alone = ("--workers", "1", "--runtime-threads", "1", "--log-level", "error", "--backlog", "1024")
    program = ("-m", "granian", *options, *alone, "benchmarks.servers.asgi:app")
    return Subject(
        f"granian-{loop}", loop, program, PLAIN_WEBSOCKET | HTTP, needs=("granian", *loop_modules(loop))
    )


def loop_modules(loop: str) -> tuple[str, ...]:
    """Return what a loop needs."""
    return () if loop == "asyncio" else (loop,)


def peers() -> Iterator[Subject]:
    """Give every other server."""
    for loop in ("asyncio", "uvloop"):
        yield own(f"picows-{loop}", "picows", loop, PLAIN_WEBSOCKET)
        yield own(f"aiohttp-{loop}", "aiohttp", loop, WEBSOCKET | HTTP)
        yield own(f"websockets-{loop}", "websockets", loop, WEBSOCKET)
        for http in ("h11", "httptools", "zttp"):
            yield uvicorn(loop, http, "none")
        for ws in ("websockets", "websockets-sansio", "wsproto"):
            yield uvicorn(loop, "none", ws)
        yield granian(loop)
    yield hypercorn("asyncio")
    yield hypercorn("trio")
    yield own("trio-websocket", "trio_websocket", "trio", PLAIN_WEBSOCKET)
    yield own("blacksheep-uvloop", "blacksheep", "uvloop", HTTP)
    yield own("socketify", "socketify", "uvloop", PLAIN_WEBSOCKET | HTTP)


def subjects(engines: tuple[str, ...] = (DEFAULT_ENGINE,)) -> list[Subject]:
    """Return every server, in the order in which they take their turns: the limits first."""
    ours = [each for engine in engines for loop in LOOPS for each in spry(loop, engine)]
    return [*map(raw, LOOPS), *ours, *peers()]
