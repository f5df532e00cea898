"""A sample of the fuzzing that `python3 dev.py fuzz` does at length; and that each check sees what it is there for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Final

import pytest

from engines import in_place
from frames import TEXT, frame
from fuzz import __main__ as command
from fuzz import blind, checks, guided, serving, subjects, talk, text
from fuzz.drive import check_end, flood, steadily
from fuzz.misuse import attempt
from fuzz.mutation import TOKENS, mutate, shrink
from fuzz.peer import check_answers, check_frames
from fuzz.size import held_bytes
from fuzz.targets import TARGETS, Target
from spry_core import Application, Request, sleep
from spry_core.protocol import (
    DEFAULT_ENGINE,
    Connection,
    EngineName,
    Event,
    Message,
    Ping,
    RequestHead,
    ResponseHead,
    compression,
)
from spry_core.protocol.engines import FrameEngine, frame_engine
from spry_core.protocol.engines.native_frames import NativeFrameEngine
from spry_core.protocol.engines.reference import WsprotoEngine
from spry_core.routing.tree import NotFound, Router
from traces import GET, connection, counted, open_websocket

SAMPLE = 120
"""Changed inputs of each target, beside all of its seeds."""


LARGER_WINDOW: Final = bytes.fromhex(
    "c1f337fa213ddb3b103c37fa21ff9756ca62f5e03f7d36fa213d37fe213d37fa213d37fa213d37fa213d37fa330d0a6162630d0a"
    "213d37fa3d37fa213d37fa213d37fa213d37fa213d3737fafa213d37fa213d37fa3d37fa213d37375527"
)
"""Frames that look back further than their window, and into what the same read has inflated."""


def test_only_a_window_that_is_larger_than_agreed_may_depend_on_the_cuts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """RFC 7692 §7.1.2: zlib sees such a window only where its output is cut."""
    checks.check_frames_of_clients(LARGER_WINDOW)

    def nothing(context: object, data: bytes, room: int) -> bytes:
        return b""

    monkeypatch.setattr(compression, "_before_fault", nothing)
    with pytest.raises(AssertionError, match=r"^cut into \[6, 7, 5, 32, 18, 11, 9, 6\]: "):
        checks.check_frames_of_clients(LARGER_WINDOW)


@pytest.mark.parametrize("name", TARGETS)
def test_a_sample_of_inputs_breaks_nothing(name: str) -> None:
    """No difference, and no exception but the documented ones."""
    target = TARGETS[name]
    runs = len(target.seeds()) + SAMPLE
    report = blind.run(target, seconds=None, runs=runs, seed=7)
    assert report == blind.Report(inputs=runs)


# ----------------------------------------------------------------------------------------------- checks that can fail


class Broken(Connection):
    """A connection that does one thing wrong."""

    def __init__(self) -> None:
        super().__init__("server", now=0.0, random=counted, limits=subjects.LIMITS)


class Forgetful(Broken):
    """Loses the last byte of every read but the first; so it matters how the bytes come."""

    def __init__(self) -> None:
        super().__init__()
        self._reads = 0

    def receive_data(self, data: bytes, now: float) -> None:
        self._reads += 1
        if self._reads == 1 or len(data) > 1:
            super().receive_data(data if self._reads == 1 else data[:-1], now)


class Hoarder(Broken):
    """Keeps everything."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: list[bytes] = []

    def receive_data(self, data: bytes, now: float) -> None:
        self.kept.append(data)
        super().receive_data(data, now)

    @property
    def wants_read(self) -> bool:
        return True


class Endless(Broken):
    """Ends twice."""

    def __init__(self) -> None:
        super().__init__()
        self._last: Event | None = None

    def next_event(self) -> Event | None:
        event = super().next_event()
        if event is None and self.closed:
            event, self._last = self._last, None
        else:
            self._last = event
        return event


class Fragile(Broken):
    """Raises for what a peer has done."""

    def receive_eof(self, now: float) -> None:
        raise KeyError("end")


class Impatient(Broken):
    """Forgets to do what is due."""

    def handle_deadline(self, now: float) -> None:
        """Do nothing."""


class Hasty(Broken):
    """Refuses, and has changed something."""

    def ignore_offer(self) -> None:
        self.shutdown(0.0)
        self.connection_lost(None, 0.0)
        raise ValueError("no")


@pytest.mark.parametrize(
    ("make", "data", "error", "message"),
    [
        (Forgetful, GET, AssertionError, r"^cut into \["),
        (Endless, GET, AssertionError, "^ConnectionEnded stands at"),
        (Fragile, GET, KeyError, "end"),
        (Impatient, GET * 3, AssertionError, "^what was due is still to be done$"),
    ],
)
def test_a_connection_that_does_wrong_is_found_out(
    make: Callable[[], Connection], data: bytes, error: type[Exception], message: str
) -> None:
    def check_all() -> None:
        for i in range(50):  # each with other cuts, at other times
            checks.check_bytes(make, data + b"%d" % i)

    with pytest.raises(error, match=message):
        check_all()


def test_what_a_server_says_must_be_what_was_asked_for() -> None:
    """RFC 9112 §6.3."""
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx"
    head = RequestHead(method=b"GET", target=b"/")
    check_answers([head, head], False, answer * 2)
    check_answers([head], True, answer * 2)
    with pytest.raises(AssertionError, match=r"^something is sent that nobody asked for"):
        check_answers([head], False, answer * 2)
    with pytest.raises(Exception, match="without sending complete message body"):
        check_answers([head], False, answer[:-1])


def test_frames_must_be_what_the_peer_can_read() -> None:
    """RFC 6455 §5.1."""
    check_frames("client", frame(TEXT, b"a", mask=None))
    with pytest.raises(AssertionError, match=r"^the peer refuses what was sent"):
        check_frames("client", frame(TEXT, b"a"))


def test_what_is_kept_is_counted_once() -> None:
    kept = b"x" * 1000
    before = held_bytes({"a": [kept]})
    assert before == 1001
    assert held_bytes([kept, (kept, {1: kept}), bytearray(10)]) == 1010


def test_a_connection_that_keeps_everything_is_found_out() -> None:
    checks.check_memory(subjects.server, GET)
    with pytest.raises(AssertionError, match=r"^\d+ bytes are held of \d+, and \d+ are allowed$"):
        checks.check_memory(Hoarder, GET)


def test_a_flood_ends_where_reading_pauses() -> None:
    """Of requests one is served, and `max_read_ahead` bytes lie behind it."""
    assert flood(connection(limits=subjects.LIMITS), GET, 1 << 20) < 4096
    conn = open_websocket(limits=subjects.LIMITS)
    assert flood(conn, frame(TEXT, b"a" * 100), 1 << 20) < 4096


def test_a_call_that_is_refused_has_changed_nothing() -> None:
    conn = open_websocket()
    assert attempt(conn, lambda: conn.send(Ping(), 0.0))
    assert not attempt(conn, lambda: conn.send(Ping(payload=b"x" * 126), 0.0))
    broken = Hasty()
    with pytest.raises(AssertionError, match=r"^ValueError\('no'\) changed Look"):
        attempt(broken, broken.ignore_offer)


def test_an_end_must_be_an_end() -> None:
    conn = connection()
    with pytest.raises(AssertionError, match=r"^ConnectionEnded stands at"):
        check_end(conn, [])


def test_a_server_that_logs_what_it_must_not_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is no traceback that a peer caused."""
    serving.check_server(GET)

    def broken() -> Application:
        app = Application()

        @app.get("/")
        async def fails(request: Request) -> None:
            raise KeyError(request.path)

        @app.post("/")
        async def echoes(request: Request) -> bytes:
            return await request.read()

        return app

    monkeypatch.setattr(serving, "application", broken)
    with pytest.raises(AssertionError, match=r"^the log blames the application: .*KeyError\('/'\)"):
        serving.check_server(GET)


def test_a_task_that_stays_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> Application:
        app = Application()

        @app.get("/")
        async def stays(request: Request) -> None:
            await sleep(10 * serving.FOREVER)

        return app

    monkeypatch.setattr(serving, "application", broken)
    with pytest.raises(AssertionError, match=r"^(tasks are left|the connection never ends)"):
        serving.check_server(GET)


def test_what_two_say_must_be_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    program = TARGETS["talk"].seeds()[0]
    heard: list[Event] = []

    class Deaf(Connection):
        def next_event(self) -> Event | None:
            event = super().next_event()
            heard.extend([event] if event else [])
            return Message(data="?") if isinstance(event, Message) else event

    talk.check_talk(program)
    monkeypatch.setattr(talk, "Connection", Deaf)
    with pytest.raises(AssertionError, match=r"^the (client|server) heard \['\?'"):
        talk.check_talk(program)
    assert sum(isinstance(event, Message) for event in heard) >= 3


def test_the_programs_reach_both_halves(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the checks of `talk` would prove nothing."""
    reached: set[type[Event]] = set()

    class Told(Connection):
        def next_event(self) -> Event | None:
            event = super().next_event()
            reached.update([type(event)] if event else [])
            return event

    monkeypatch.setattr(talk, "Connection", Told)
    seeds, random = TARGETS["talk"].seeds(), Random(1)
    for _ in range(200):
        talk.check_talk(mutate(seeds, random))
    assert {each.__name__ for each in reached} >= {
        *("RequestHead", "ResponseHead", "BodyData", "BodyEnd", "Accept", "Message", "MessageStart"),
        *("MessageData", "MessageEnd", "Ping", "Pong", "Close", "ConnectionEnded"),
    }
    assert ResponseHead in reached


def test_a_router_that_finds_nothing_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    seed = TARGETS["routes"].seeds()[0]
    text.check_routes(seed)

    def finds_nothing(self: Router[int], method: str, path: str) -> NotFound:
        return NotFound()

    monkeypatch.setattr(Router, "match", finds_nothing)
    with pytest.raises(AssertionError, match=r"^NotFound"):
        text.check_routes(seed)


def test_an_owner_hears_the_same_in_one_piece_and_in_many() -> None:
    data = GET * 2
    assert steadily(subjects.server(), [data]) == steadily(subjects.server(), [data[:7], data[7:]])


# ---------------------------------------------------------------------------------------------------------- the runner


def dislikes_two(data: bytes) -> None:
    if b"X" in data and b"Y" in data:
        raise ZeroDivisionError(len(data))


def test_an_input_that_fails_is_made_short() -> None:
    target = Target(dislikes_two, lambda: [b"good", b"aaaaXbbbbbYcccc", b"never"])
    report = blind.run(target, seconds=None, runs=10, seed=1)
    assert (report.inputs, report.crash, repr(report.error)) == (2, b"XY", "ZeroDivisionError(2)")


def test_an_input_that_never_ends_is_a_find() -> None:
    def turns_for_ever(data: bytes) -> None:
        while data:
            pass

    target = Target(turns_for_ever, lambda: [b"", b"x"])
    assert blind.failure(target, b"") is None
    error = blind.failure(target, b"x", patience=0.05)
    assert repr(error) == "TimeoutError('not done after 0.05 s')"


def test_the_same_seed_gives_the_same_inputs() -> None:
    seeds = [b"GET / HTTP/1.1\r\n\r\n", b"abc"]
    first, again, other = (
        [mutate(seeds, random) for _ in range(50)] for random in (Random(3), Random(3), Random(4))
    )
    assert first == again
    assert first != other
    assert any(token in data for data in first for token in TOKENS if len(token) > 8)


def test_shrinking_keeps_what_fails() -> None:
    assert shrink(b"0123456789", lambda data: b"3" in data and b"7" in data) == b"37"
    assert shrink(b"", lambda data: True) == b""


def test_time_ends_a_run() -> None:
    assert blind.run(Target(dislikes_two, lambda: [b""]), seconds=0.0, runs=None, seed=0) == blind.Report(0)


def test_a_run_without_a_find_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["web", "routes", "--blind", "--runs", "20"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line[:30] for line in lines[:2]] == [
        "ok     web                  20",
        "ok     routes               20",
    ]
    assert lines[2:] == ["nothing found"]


@pytest.mark.parametrize("name", ["reference", "pure", "native"])
def test_an_engine_can_be_chosen(name: EngineName, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is fuzzed then has that one below it."""
    kinds = set[type[FrameEngine]]()

    def check(data: bytes) -> None:
        kinds.add(type(frame_engine(DEFAULT_ENGINE, "server", lambda opcode, length, rsv1: None, counted)))

    monkeypatch.setattr(command, "TARGETS", {"one": Target(check, lambda: [b""])})
    with in_place(name):  # and afterwards all is as it was
        assert command.main(["one", "--blind", "--runs", "1", "--engine", name]) == 0
    assert kinds == {WsprotoEngine if name == "reference" else NativeFrameEngine}


def test_a_find_is_told_and_kept(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "TARGETS", {"two": Target(dislikes_two, lambda: [b"X-Y"])})
    monkeypatch.setattr(command, "ROOT", tmp_path)
    monkeypatch.setattr(command, "FOLDER", tmp_path / ".fuzz")
    assert command.main(["two", "--blind", "--runs", "5"]) == 1
    (kept,) = (tmp_path / ".fuzz/two").iterdir()
    assert kept.read_bytes() == b"XY"
    lines = capsys.readouterr().out.splitlines()
    assert lines[1:] == [
        "b'XY'",
        "ZeroDivisionError(2)",
        f"kept in .fuzz/two/{kept.name}",
        "1 of 1 targets failed",
    ]
    with pytest.raises(ZeroDivisionError):
        command.main(["two", "--replay", str(kept)])
    kept.write_bytes(b"X")
    assert command.main(["two", "--replay", str(kept)]) == 0


@pytest.mark.parametrize("arguments", [["nothing"], ["--replay", "x"], ["--sec", "1"], ["--engine", "x"]])
def test_a_wrong_command_line_is_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        command.parse(arguments)
    assert capsys.readouterr().err.startswith("usage: fuzz")


@pytest.mark.skipif(not guided.is_available(), reason="Atheris is not installed")
def test_atheris_runs_the_same_checks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(command, "FOLDER", tmp_path)
    result = command.run_guided("extensions", 20.0, 50, 1)
    assert (result.inputs, result.has_failed) == (50, False)
    assert len(list((tmp_path / "extensions/seeds").iterdir())) == len(TARGETS["extensions"].seeds())
