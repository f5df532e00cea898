"""A program that serves until a signal, for the tests that need a process: `python program.py BACKEND`."""

from __future__ import annotations

import signal
import sys
import threading

import spry_asyncio
import spry_trio
from adapters.serving import App, Running
from spry_core import Timeouts

SIGNALS = (signal.SIGINT, signal.SIGTERM)


def say(line: object) -> None:
    print(line, flush=True)


def started(server: Running) -> None:
    say(server.addresses[0][1])


def main() -> None:
    app, timeouts = App(), Timeouts(grace=3600.0, close_timeout=3600.0)
    before = [signal.getsignal(number) for number in SIGNALS]
    match sys.argv[1]:
        case "asyncio":
            spry_asyncio.run(app, port=0, timeouts=timeouts, loop="asyncio", started=started)
        case "uvloop":
            spry_asyncio.run(app, port=0, timeouts=timeouts, loop="uvloop", started=started)
        case _:
            spry_trio.run(app, port=0, timeouts=timeouts, started=started)
    assert [signal.getsignal(number) for number in SIGNALS] == before
    say(
        f"{app.locals['backend']}: {', '.join(app.notes)}; {', '.join(app.ends)}; {threading.active_count()} thread"
    )


if __name__ == "__main__":
    main()
