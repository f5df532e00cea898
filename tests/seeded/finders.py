"""Everything in the testing kit that can find a bug, tried on the tree that it is imported from.

Run in a copy of the tree: ``python -m seeded.finders FOLDER FINDER…``. A finder is named by its kind and by what it tries, as in
``law: echo``. For each there is one line that says what it has found, and the exit status is 1 if one has found something.
``all`` stands for all that are in memory. FOLDER is where recordings are; those that are missing are made.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import count
from json import dumps
from pathlib import Path
from pkgutil import resolve_name
from typing import Final, cast

from hypothesis import Phase, Verbosity, settings
from hypothesis import strategies as st

import spry_core
from examples.demo.app import app as demo
from examples.demo.app import rooms
from seeded.handlers import make_app
from spry_core import Application
from spry_core.testing import TestClient, explorer, laws, machines, peers, strategies, transcript
from spry_core.testing.conformance import SCENARIOS, Backend, memory, play
from spry_core.testing.wire import MemoryWire

Finder = Callable[[], object]
"""Raises what it has found."""


# ---------------------------------------------------------------------------------------------------------------- laws

LAWS: Final[Mapping[str, Finder]] = {
    "split_invariance": partial(laws.split_invariance, make_app, "/echo", samples=10),
    "split_invariance of HTTP": partial(laws.split_invariance, make_app, "/", samples=40),
    "time_monotony": partial(laws.time_monotony, make_app, "/echo"),
    "time_monotony of HTTP": partial(laws.time_monotony, make_app, "/"),
    "one_end": partial(laws.one_end, make_app, "/echo", samples=6),
    "one_end of HTTP": partial(laws.one_end, make_app, "/", samples=6),
    "one_end of a stream": partial(laws.one_end, make_app, "/ticks", cases=[("resets", 1000)]),
    "one_end of a report": partial(laws.one_end, make_app, "/report", samples=6),
    "nothing_after_half_close": partial(laws.nothing_after_half_close, make_app, "/echo", samples=6),
    "limits_before_allocation": partial(laws.limits_before_allocation, make_app, "/echo"),
    "whole_frames": partial(laws.whole_frames, make_app, "/echo", samples=20),
    "whole_frames of a report": partial(laws.whole_frames, make_app, "/report", samples=20),
    "pongs_in_order": partial(laws.pongs_in_order, make_app, "/echo", samples=3),
    "echo": partial(laws.echo, make_app, "/echo"),
}


# ------------------------------------------------------------------------------------------------------------ machines


class Quick(machines.Machine):
    """The settings of all machines here: the same examples in every run, and nobody looks for simpler ones."""

    recordings = None
    max_examples = 30

    def make_app(self) -> Application:
        """Make the application of the handlers."""
        return make_app()

    def settings(self) -> settings:
        """Return them."""
        return settings(
            super().settings(),
            derandomize=True,
            database=None,
            phases=[Phase.generate],
            verbosity=Verbosity.quiet,
        )


class Echo(Quick, machines.WebSocketPeer):
    """The echo."""

    target = "/echo"

    def expected(self, message: str | bytes) -> Sequence[str | bytes]:
        """It comes back."""
        return [message]


class Digest(Quick, machines.WebSocketPeer):
    """What tells the sizes of every three messages."""

    target = "/digest"
    max_examples = 150

    def make_app(self) -> Application:
        """Make the application; its first message is the first of three."""
        self._sizes = list[int]()
        return super().make_app()

    def greeting(self) -> Sequence[str | bytes]:
        """Say nothing; a new WebSocket begins anew."""
        self._sizes.clear()
        return []

    def expected(self, message: str | bytes) -> Sequence[str | bytes]:
        """Answer the third."""
        self._sizes.append(len(message))
        if len(self._sizes) % 3:
            return []
        return [" ".join(map(str, self._sizes[-3:]))]


class Upload(Quick, machines.HttpClient):
    """What counts the bytes of contents, pipelined and in pieces."""

    target = "/upload"

    def requests(self) -> st.SearchStrategy[strategies.HttpRequest]:
        """Give uploads."""
        return strategies.requests(methods=st.just(b"POST"), targets=st.just(b"/upload"))

    def expected(self, request: strategies.HttpRequest) -> machines.Answer:
        """Say how much there was."""
        return machines.Answer(status_code=200, content=str(len(request.content)).encode())


class Slow(Quick, machines.SlowReader):
    """The echo, for somebody who reads when he likes."""

    target = "/echo"

    def expected(self, message: str | bytes) -> Sequence[str | bytes]:
        """It comes back."""
        return [message]


class Chat(Quick, machines.Room):
    """The rooms of the demo, where everybody has a name that nobody else has."""

    target = "/rooms/one"

    def make_app(self) -> Application:
        """Give the demo, without anybody in it."""
        rooms.clear()
        self._names = dict[int, str]()
        return demo

    def on_join(self, who: int, others: Sequence[int]) -> Mapping[int, Sequence[str]]:
        """Tell the new one its name, and the others too."""
        taken = {self._names[each] for each in others}
        self._names[who] = name = next(each for each in _guests() if each not in taken)
        members = [self._names[each] for each in (*others, who)]
        joined = dumps({"event": "joined", "name": name, "members": members})
        welcome = dumps({"event": "welcome", "name": name, "members": members})
        return {who: [welcome], **{each: [joined] for each in others}}

    def on_message(self, who: int, text: str, others: Sequence[int]) -> Mapping[int, Sequence[str]]:
        """Tell the others."""
        said = dumps({"event": "said", "name": self._names[who], "text": text})
        return {each: [said] for each in others}

    def on_leave(self, who: int, others: Sequence[int]) -> Mapping[int, Sequence[str]]:
        """Tell those who stay."""
        members = [self._names[each] for each in others]
        left = dumps({"event": "left", "name": self._names[who], "members": members})
        return {each: [left] for each in others}


def _guests() -> Sequence[str]:
    return ["guest", *(f"guest {number}" for number, _ in zip(count(2), range(9), strict=False))]


MACHINES: Final[Mapping[str, Finder]] = {
    "WebSocketPeer at an echo": Echo().test_against_model,
    "WebSocketPeer at a digest": Digest().test_against_model,
    "HttpClient": Upload().test_against_model,
    "SlowReader": Slow().test_against_model,
    "Room": Chat().test_against_model,
}


# ------------------------------------------------------------------------------------------------------------ explorer


def order(client: TestClient) -> None:
    """Order two things, one behind the other."""
    with client.ws("/orders") as ws:
        ws.send("a")
        ws.send("b")
        assert [ws.receive(), ws.receive()] == ["done", "done"]


def no_order_is_lost(client: TestClient) -> None:
    """See that everything that was ordered is waiting or done."""
    assert client.get("/audit").json() == []


def press(client: TestClient) -> None:
    """Use the press."""
    assert client.get("/press").text == "pressed"


def talk(client: TestClient) -> None:
    """Talk to the echo."""
    with client.ws("/echo") as ws:
        ws.send("a")
        assert ws.receive() == "a"


def read_report(client: TestClient) -> None:
    """Read a report."""
    with client.ws("/report") as ws:
        ws.send("go")
        assert ws.receive() == "first second"


EXPLORER: Final[Mapping[str, Finder]] = {
    "orders": partial(explorer.explore, make_app, order, check=no_order_is_lost),
    "a press": partial(explorer.explore, make_app, press),
    "an echo": partial(explorer.explore, make_app, talk),
    "a report": partial(explorer.explore, make_app, read_report),
}


# --------------------------------------------------------------------------------------------- scenarios, peers, recordings


PATIENCE: Final = 20.0
"""Seconds for a scenario on a backend; if it has no timers, nothing else ends it."""


def scenario(backend: Backend, title: str) -> None:
    """Play one of the conformance kit."""
    (chosen,) = [each for each in SCENARIOS if each.title == title]
    failure = play(backend, chosen, patience=PATIENCE).failure
    if failure is not None:
        raise AssertionError(failure.what)


TARGETS: Final[Mapping[str, str]] = {
    "get": "/",
    "upload": "/upload",
    "websocket": "/echo",
    "handshake": "/echo",
}


def meet(peer: peers.Peer) -> None:
    """Let a peer loose on the handlers."""
    report = peer.run(MemoryWire(TestClient(make_app())), TARGETS[peer.kind])
    assert peer.has_met(report), report


def twice(client: TestClient) -> None:
    """Ask once, and again ten seconds later."""
    client.get("/")
    client.advance(3)
    client.get("/")


RECORDED: Final[Mapping[str, Callable[[TestClient], None]]] = {"two requests": twice, "an echo": talk}


def replay(folder: Path, name: str) -> None:
    """Run a recording again; the tree in which there is none yet makes it."""
    if not (folder / name).exists():
        with TestClient(make_app(), record=folder / name) as client:
            RECORDED[name](client)
    for path in sorted((folder / name).iterdir()):
        transcript.replay(path)


def every(folder: Path) -> Mapping[str, Finder]:
    """Return all finders that need no socket, by their names."""
    return {
        **{f"law: {name}": finder for name, finder in LAWS.items()},
        **{f"machine: {name}": finder for name, finder in MACHINES.items()},
        **{f"explorer: {name}": finder for name, finder in EXPLORER.items()},
        **{f"peer: {peer.name}": partial(meet, peer) for peer in peers.ALL},
        **{f"recording: {name}": partial(replay, folder, name) for name in RECORDED},
        **{f"scenario: {each.title}": partial(scenario, memory, each.title) for each in SCENARIOS},
    }


def on_backend(name: str) -> Finder:
    """Return the finder that plays a scenario over sockets, as in ``scenario on spry_trio: closing: an abort is a reset``."""
    where, _, title = name.removeprefix("scenario on ").partition(": ")
    backend: object = resolve_name(f"{where}.testing:backend")
    return partial(scenario, cast(Backend, backend), title)


def first_line(error: Exception) -> str:
    """Say in one line what was found."""
    return f"{type(error).__name__}: {(str(error).splitlines() or [''])[0][:200]}"


def main(folder: str, *names: str) -> int:
    """Try the finders of these names, tell what each has found, and return the exit status."""
    assert Path(spry_core.__file__).is_relative_to(Path.cwd()), (
        "another tree than that of this folder is loaded"
    )
    known = every(Path(folder))
    status = 0
    for name in known if names == ("all",) else names:
        try:
            (known[name] if name in known else on_backend(name))()
        except Exception as error:
            status = 1
            print(f"found by {name}\n    {first_line(error)}", flush=True)
        else:
            print(f"nothing by {name}", flush=True)
    return status


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
