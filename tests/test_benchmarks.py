"""That the benchmarks run, check what comes back and print what they should; never how long anything takes."""

from __future__ import annotations

import json
import os
import shutil
import socket
import struct
import subprocess
import sys
import threading
import zlib
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Final, cast

import pytest

from benchmarks import __main__ as command
from benchmarks import (
    environment,
    exchanges,
    load,
    loopback,
    machine,
    page,
    process,
    subjects,
    summary,
    table,
)
from benchmarks.exchanges import Exchange
from benchmarks.inside import timing
from benchmarks.inside.timing import Case
from benchmarks.load import CannotLoad
from benchmarks.results import Report, Result, Round, Timing
from benchmarks.work import WORKS, Kind, Work
from spry_core.protocol.engines.choice import ENGINES

BY_NAME: Final = {work.name: work for work in WORKS}

with_compiler = pytest.mark.skipif(
    not any(map(shutil.which, ("cc", "gcc", "clang"))), reason="no C compiler for the load generator"
)


# ------------------------------------------------------------------------------------------------------------ exchanges


def test_a_frame_is_written_as_the_rfc_shows_it() -> None:
    """RFC 6455 §5.7: a single-frame masked text message."""
    assert exchanges.frame(0x81, b"Hello", b"\x37\xfa\x21\x3d") == bytes.fromhex("818537fa213d7f9f4d5158")
    assert exchanges.frame(0x82, b"x" * 256)[:4] == b"\x82\x7e\x01\x00"
    assert exchanges.frame(0x82, b"x" * 65_536)[:10] == b"\x82\x7f\x00\x00\x00\x00\x00\x01\x00\x00"


def test_an_echo_is_expected_unmasked() -> None:
    for each in exchanges.echoes(16):
        assert each.request[:2] == b"\x82\x90"
        assert each.reply == b"\x82\x10" + exchanges.masked(each.request[6:], each.request[2:6])


def test_what_is_compressed_may_be_sent_over_and_over() -> None:
    """RFC 7692 §7.2.2: with the context kept, and no message that refers to one before the first."""
    context = zlib.decompressobj(-exchanges.WINDOW_BITS)
    for _ in range(2):
        for each, text in zip(exchanges.deflated(256), exchanges.texts(256), strict=True):
            size = each.request[1] & 0x7F
            start = 8 if size == 126 else 6
            payload = exchanges.masked(each.request[start:], each.request[start - 4 : start])
            assert context.decompress(payload + b"\x00\x00\xff\xff").decode() == text


def test_texts_have_the_size_that_was_asked_for_and_differ() -> None:
    found = exchanges.texts(1024)
    assert {len(text.encode()) for text in found} == {1024}
    assert len(set(found)) == len(found)


def test_the_file_has_lengths_then_requests_then_replies() -> None:
    file = exchanges.to_file([Exchange(b"ab", b"c"), Exchange(b"d", b"")])
    assert file == struct.pack("<5I", 2, 2, 1, 1, 0) + b"abdc"


# ------------------------------------------------------------------------------------------------------- load generator


@contextmanager
def answering(answer: bytes) -> Generator[int]:
    """Answer one connection with the same octets whatever it says; give the port."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with (
            listener,
            listener.accept()[0] as sock,
            suppress(OSError),
        ):  # the load generator resets at its end
            while sock.recv(65_536):
                sock.sendall(answer)

    thread = threading.Thread(target=serve)
    thread.start()
    port: int = listener.getsockname()[1]
    yield port
    thread.join()


OK: Final = b"HTTP/1.1 200 OK\r\ncontent-LENGTH: 13\r\n\r\n"


@with_compiler
@pytest.mark.parametrize(
    ("name", "answer", "fault"),
    [
        ("get", OK + b"Hello, World!", "another content than expected: Hello, World!"),
        ("get", b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "not a 200: HTTP/1.1 404 Not Found"),
        ("get", b"HTTP/1.1 200 OK\r\n\r\nHello, world!", "no Content-Length: HTTP/1.1 200 OK"),
        ("get", OK.replace(b"13", b"12") + b"Hello, world", "a content of another length"),
        ("echo-16", b"\x82\x10" + bytes(16), r"another reply than expected \(number 0\)"),
    ],
)
def test_a_wrong_reply_ends_the_load(name: str, answer: bytes, fault: str) -> None:
    work = replace(BY_NAME[name], connections=1, in_flight=1)
    with answering(answer) as port, pytest.raises(CannotLoad, match=f"^load: {fault}"):
        load.run(work, "", port, [os.getpid()], process.cores()[1], 0.05)


@with_compiler
def test_a_handshake_that_is_refused_ends_the_load() -> None:
    work = replace(BY_NAME["echo-16"], connections=1)
    answer = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"
    refused = r"^load: the opening handshake is refused: HTTP/1\.1 403"
    with answering(answer) as port, pytest.raises(CannotLoad, match=refused):
        load.run(work, "/echo", port, [os.getpid()], process.cores()[1], 0.05)


@with_compiler
def test_a_right_reply_is_counted_with_the_cpu_of_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load, "WARM_UP", 0.01)
    work = replace(BY_NAME["get"], connections=1)
    with answering(OK + exchanges.CONTENT) as port:
        measured = load.run(work, "", port, [os.getpid()], process.cores()[1], 0.05)
    assert measured.count > 0
    assert 0.05 <= measured.seconds < 5
    assert measured.server_cpu > 0
    assert measured.each == measured.server_cpu / measured.count
    assert 0 < measured.load_cpu <= measured.seconds


def test_a_compressed_reply_is_inflated_and_compared() -> None:
    def compressed(text: str) -> bytes:
        context = zlib.compressobj(1, zlib.DEFLATED, -12)
        return (context.compress(text.encode()) + context.flush(zlib.Z_SYNC_FLUSH))[:-4]

    load.check_sample(compressed(exchanges.texts(256)[0]), 256)
    with pytest.raises(CannotLoad, match="another compressed reply than expected: 'something'"):
        load.check_sample(compressed("something"), 256)


def test_without_a_compiler_it_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    load.program.cache_clear()
    monkeypatch.delenv("CC", raising=False)

    def nothing(name: str) -> None: ...

    monkeypatch.setattr(shutil, "which", nothing)
    with pytest.raises(
        CannotLoad, match=r"^no C compiler for the load generator: apt-get install gcc, or set CC$"
    ):
        load.program()


def test_on_another_system_it_says_that_it_needs_linux(monkeypatch: pytest.MonkeyPatch) -> None:
    load.program.cache_clear()
    monkeypatch.setattr("sys.platform", "darwin")
    with pytest.raises(CannotLoad, match=r"^the load generator needs Linux"):
        load.program()


@with_compiler
def test_the_load_generator_compiles_without_a_warning(tmp_path: Path) -> None:
    made = subprocess.run(
        ["cc", *load.OPTIONS, "-Werror", "-o", str(tmp_path / "load"), str(load.SOURCE)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (made.returncode, made.stderr) == (0, "")


# ------------------------------------------------------------------------------------------------------------- loopback


def servers(*names: str) -> list[subjects.Subject]:
    return [each for each in subjects.subjects() if each.name in names]


@with_compiler
@pytest.mark.parametrize(
    "name", ["echo-16", "fan-64", "deflate-256", "get-pipelined", "post-1k", "open", "idle"]
)
def test_a_row_is_measured_beside_the_limit(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every reply is checked by the load generator, so a count is a count of right ones."""
    monkeypatch.setattr(load, "WARM_UP", 0.05)
    work = BY_NAME[name]
    if work.kind is Kind.IDLE:
        work = replace(work, in_flight=200)
    if work.kind is Kind.OPEN:
        work = replace(work, in_flight=3000)  # more than can be opened before one counts
    left_out: list[str] = []
    found = loopback.run(work, servers("raw-asyncio", "spry-asyncio"), 2, 0.1, left_out.append)
    assert left_out == []
    assert [(each.subject, each.unit, len(each.rounds)) for each in found] == [
        ("raw-asyncio", work.unit, 1 if work.kind is Kind.IDLE else 2),
        ("spry-asyncio", work.unit, 1 if work.kind is Kind.IDLE else 2),
    ]
    assert all(one.each > 0 for each in found for one in each.rounds if work.kind is not Kind.IDLE)
    assert all((one.rate > 0) is (work.kind is not Kind.IDLE) for each in found for one in each.rounds)


@with_compiler
def test_spry_answers_on_trio_too() -> None:
    left_out: list[str] = []
    found = loopback.run(BY_NAME["echo-16"], servers("spry-trio-for"), 1, 0.1, left_out.append)
    assert ([each.subject for each in found], left_out) == (["spry-trio-for"], [])


@with_compiler
def test_a_server_that_does_not_start_is_left_out_with_a_line() -> None:
    broken = replace(servers("raw-asyncio")[0], program=("-c", "raise SystemExit('no such thing')"))
    left_out: list[str] = []
    assert loopback.run(BY_NAME["get"], [broken], 1, 0.1, left_out.append) == []
    assert left_out == ["raw-asyncio does not start: no such thing"]


@with_compiler
def test_a_server_that_answers_wrongly_is_left_out_with_a_line() -> None:
    wrong = replace(servers("raw-asyncio")[0], is_raw=False)
    left_out: list[str] = []
    assert loopback.run(BY_NAME["echo-16"], [wrong], 1, 0.1, left_out.append) == []
    assert left_out == [
        "raw-asyncio is left out of echo-16: load: the opening handshake is refused: GET /echo HTTP/1.1"
    ]


def test_every_server_has_a_name_of_its_own_and_a_program() -> None:
    engines = tuple(ENGINES)
    found = subjects.subjects(engines)
    assert len({each.name for each in found}) == len(found)
    for each in found:
        module = each.program[1]
        if module.startswith("benchmarks."):
            assert (process.ROOT / f"{module.replace('.', '/')}.py").is_file()
    assert [each.name for each in found if not each.is_peer and each.loop == "trio"] == [
        "raw-trio",
        *(
            f"spry-trio{task}{'' if name == 'native' else f'-{name}'}"
            for name in engines
            for task in ("", "-for")
        ),
    ]


def test_what_a_server_needs_is_looked_for() -> None:
    raw = servers("raw-asyncio")[0]
    assert raw.missing() == []
    assert replace(raw, needs=("asyncio", "no_such_module")).missing() == ["no_such_module"]


def test_children_of_a_server_count_too() -> None:
    code = "import subprocess, sys; subprocess.run(['sleep', '30'], stdin=sys.stdin)"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE) as parent:
        while len(found := process.family(parent.pid)) < 2:
            assert parent.poll() is None
        process.end(parent)
    assert found[0] == parent.pid


# ------------------------------------------------------------------------------------------------------------ in memory


@pytest.mark.parametrize("name", command.PARTS)
def test_a_part_is_measured_in_memory(name: str) -> None:
    """Each case sees that what comes out is right before it is given."""
    module = cast("command.Part", import_module(f"benchmarks.inside.{name}"))
    # The smallest of each is enough to see that it runs; ten thousand routes take a while to register.
    cases = [each for _, each in zip(range(40), module.cases(), strict=False)]
    found = timing.measure(cases, 2, 0.0)
    assert [(each.group, each.work, each.subject) for each in found] == [
        (each.group, each.work, each.subject) for each in cases
    ]
    assert all(len(each.rounds) == 2 for each in found)
    assert any(each.subject.startswith("spry") for each in found)


def test_calls_are_counted_by_their_units() -> None:
    calls: list[None] = []
    case = Case("g", "w", "s", lambda: calls.append(None), units=4)
    (found,) = timing.measure([case], 3, 0.0)
    assert len(found.rounds) == 3
    assert len(calls) > 3


# --------------------------------------------------------------------------------------------------------------- tables


def result(subject: str, loop: str, *each: float) -> Result:
    rounds = [Round(each=one, rate=1e6 / one, load=0.5, server=1.0) for one in each]
    return Result("echo-16", "echo", "CPU µs", subject, loop, rounds)


def report() -> Report:
    return Report(
        {
            "cpu": "Z80",
            "cores": 1,
            "kernel": "CP/M 2.2",
            "python": "CPython 3.11",
            "engine": "native",
            "primitives": "C",
        },
        {"picows": "2.3.1"},
        {"rounds": 3, "seconds": 0.5},
        [
            result("raw-uvloop", "uvloop", 4.0, 5.0, 4.0),
            result("spry-uvloop", "uvloop", 6.0, 5.0, 8.0),
            result("spry-uvloop-for", "uvloop", 8.0, 10.0, 8.0),
            result("picows-uvloop", "uvloop", 120.0, 140.0, 130.0),
        ],
        [Timing("codec", "16 B", "spry", (2e-6, 1e-6, 4e-6)), Timing("codec", "4 KiB", "wsproto", (1e-5,))],
        ["socketify is left out: socketify not installed"],
    )


def test_ratios_are_made_in_each_round_and_come_first() -> None:
    """6/4, 5/5 and 8/4: their median is no quotient of medians."""
    found = report()
    assert table.work_lines(found, found.loopback) == [
        "| server          | to raw | CPU µs | spread | per second | its core | load's core |",
        "| --------------- | -----: | -----: | -----: | ---------: | -------: | ----------: |",
        "| raw-uvloop      |   1.00 |   4.00 |    25% |    250,000 |     100% |         50% |",
        "| spry-uvloop     |   1.50 |   6.00 |    50% |    200,000 |     100% |         50% |",
        "| spry-uvloop-for |   2.00 |   8.00 |    25% |    125,000 |     100% |         50% |",
        "| picows-uvloop   |  30.00 |    130 |    15% |      8,333 |     100% |         50% |",
    ]


def test_without_the_limit_there_is_no_ratio() -> None:
    found = report()
    del found.loopback[0]
    assert table.cells(found, found.loopback[0]) == (
        "spry-uvloop",
        "",
        "6.00",
        "50%",
        "200,000",
        "100%",
        "50%",
    )


def test_what_was_measured_in_memory_has_a_column_for_each_work() -> None:
    assert table.in_memory_lines(report().in_memory) == [
        "",
        "### codec, µs",
        "",
        "|         | 16 B | 4 KiB |",
        "| ------- | ---: | ----: |",
        "| spry    | 2.00 |       |",
        "| wsproto |      |  10.0 |",
    ]


def test_the_summary_has_a_line_for_each_way_of_ours() -> None:
    assert [[cell.strip() for cell in line.split("|")[1:-1]] for line in summary.lines(report())[2:]] == [
        ["echo", "", "1.50", "", "CPU µs", "", "6.00", "", "130 picows-uvloop"],
        ["echo, in a task", "", "2.00", "", "CPU µs", "", "8.00", "", "130 picows-uvloop"],
    ]


def test_the_json_has_every_round_the_machine_and_the_versions() -> None:
    found = json.loads(json.dumps(report().to_json()))
    assert list(found) == ["machine", "versions", "settings", "loopback", "in_memory", "left_out"]
    assert found["loopback"][1] == {
        "work": "echo-16",
        "title": "echo",
        "unit": "CPU µs",
        "subject": "spry-uvloop",
        "loop": "uvloop",
        "rounds": [{"each": one, "rate": 1e6 / one, "load": 0.5, "server": 1.0} for one in (6.0, 5.0, 8.0)],
        "median": 6.0,
        "spread": 0.5,
        "ratio": 1.5,
    }
    assert found["in_memory"][0]["rounds"] == [2e-06, 1e-06, 4e-06]
    assert found["in_memory"][0]["median_us"] == 2.0


def test_the_machine_and_the_releases_are_told() -> None:
    found = machine.machine()
    assert list(found) == ["cpu", "cores", "kernel", "python", "engine", "primitives"]
    assert str(found["python"]).startswith("CPython 3.")
    assert list(machine.versions(["pytest", "no-such-distribution"])) == ["pytest"]
    assert "picows" in machine.pinned()


# ----------------------------------------------------------------------------------------------------------------- page


def test_the_figures_replace_what_stands_between_the_marks(tmp_path: Path) -> None:
    path = tmp_path / "page.md"
    path.write_text(f"before\n\n{page.BEGIN}\n\nold\n\n{page.END}\n\nbehind\n", encoding="utf-8")
    page.write(report(), path)
    text = path.read_text(encoding="utf-8")
    assert text.startswith(
        f"before\n\n{page.BEGIN}\n\nMeasured on 1 cores of an Z80, CP/M 2.2, CPython 3.11.\n"
    )
    assert text.endswith(f"- socketify is left out: socketify not installed\n\n{page.END}\n\nbehind\n")
    assert "old" not in text
    page.write(report(), path)
    assert path.read_text(encoding="utf-8") == text


@pytest.mark.parametrize(
    "text", ["", page.BEGIN, page.END, f"{page.END}{page.BEGIN}", f"{page.BEGIN}{page.END}" * 2]
)
def test_a_page_without_both_marks_is_left_alone(text: str) -> None:
    with pytest.raises(ValueError, match=r"^the page has not the marks"):
        page.replaced(text, "new")


def test_the_page_of_the_project_has_the_marks() -> None:
    assert page.replaced(page.PAGE.read_text(encoding="utf-8"), "new").count("new\n") >= 1


# -------------------------------------------------------------------------------------------------- command, environment


@with_compiler
def test_the_command_measures_prints_and_writes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "figures.json"
    some = ["get", "parser", "--only", "*-asyncio", "--no-peers", "--rounds", "1", "--seconds", "0.05"]
    assert command.main([*some, "--json", str(file)]) == 0
    printed, errors = capsys.readouterr()
    assert "get: HTTP GET of 13 B, keep-alive, 64 connections\n| server " in printed
    assert "### HTTP: a head of 10 fields in, 13 B out, µs" in printed
    assert errors == ""
    written = json.loads(file.read_text(encoding="utf-8"))
    assert [each["subject"] for each in written["loopback"]] == ["raw-asyncio", "spry-asyncio"]
    assert written["loopback"][0]["ratio"] == 1.0
    assert written["settings"] == {"rounds": 1, "seconds": 0.05}


def test_the_command_names_the_servers(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["--list", "--only", "spry-*", "--engine", "native", "--engine", "reference"]) == 0
    assert capsys.readouterr().out.split()[:3] == ["spry-asyncio", "spry-asyncio-for", "spry-uvloop"]


def test_without_a_load_generator_the_exit_code_is_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def no_program() -> Path:
        raise CannotLoad("no C compiler")

    monkeypatch.setattr(load, "program", no_program)
    assert command.main(["get", "--only", "raw-asyncio"]) == 1
    assert capsys.readouterr().err == "no C compiler\n"


def test_what_is_not_installed_is_left_out_with_a_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = replace(servers("raw-asyncio")[0], needs=("no_such_module",))

    def only_that(engines: tuple[str, ...]) -> list[subjects.Subject]:
        return [missing]

    monkeypatch.setattr(subjects, "subjects", only_that)
    assert command.main(["no-such-row"]) == 0
    assert capsys.readouterr().err == "raw-asyncio is left out: no_such_module not installed\n"


class Installer:
    """An index that has not everything."""

    def __init__(self, *lacking: str) -> None:
        self.lacking = lacking
        self.asked: list[list[str]] = []

    def __call__(self, wanted: Sequence[str]) -> bool:
        self.asked.append(list(wanted))
        return not any(each.startswith(self.lacking) for each in wanted) if self.lacking else True


def test_the_environment_is_made_once(tmp_path: Path) -> None:
    install = Installer()
    folder = tmp_path / "environment"
    assert environment.prepare(folder, install) == []
    assert environment.python_of(folder).exists()
    assert install.asked == [environment.requirements()]
    assert environment.prepare(folder, install) == []
    assert len(install.asked) == 1


def test_one_that_cannot_be_installed_is_left_out(tmp_path: Path) -> None:
    install = Installer("socketify")
    (left_out,) = environment.prepare(tmp_path / "environment", install)
    assert left_out.startswith("socketify==")
    assert install.asked == [environment.requirements(), *([each] for each in environment.requirements())]


def test_every_release_of_the_others_is_pinned() -> None:
    assert [each.split("==")[0] for each in environment.requirements()] == machine.pinned()
    assert machine.pinned() == sorted(machine.pinned())


def test_works_have_names_of_their_own() -> None:
    assert len(BY_NAME) == len(WORKS)
    assert {work.kind for work in WORKS} == set(Kind)
    assert Work("n", "t", Kind.OPEN, 1, 1).unit == "CPU ms"
