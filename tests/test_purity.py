"""The core is pure: it loads nothing that does I/O, and runs where everything of that kind raises.

The import contracts in pyproject.toml are the third proof. Each of the two here is first shown something that it must find.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import h11
import pytest

ROOT = Path(__file__).resolve().parent.parent
FOREIGN = Path(h11.__file__).parents[1]
"""Where h11 and wsproto are installed."""

FORBIDDEN = frozenset(
    {
        *(
            "asyncio",
            "trio",
            "anyio",
            "sniffio",
            "uvloop",
            "socket",
            "ssl",
            "select",
            "selectors",
            "threading",
        ),
        *("subprocess", "multiprocessing", "concurrent.futures", "random", "secrets", "logging", "pathlib"),
        *("email.utils", "importlib.metadata"),
    }
)
"""Of the modules that the core may not import, those that a bare interpreter can do without.

`os` and `time` are loaded before anything of ours, `dataclasses` alone brings `os`: for these two the contracts
and the traps count.
"""

MODULES = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    for path in (ROOT / "spry_core").rglob("*.py")
)


def fresh(code: str, *, traps: bool = False) -> list[str]:
    """Run `code` in an interpreter with nothing loaded, not even `site`; return the lines that it prints."""
    paths = [str(ROOT), str(ROOT / "tests"), str(FOREIGN)]
    prelude = f"import sys; sys.path += {paths!r}\n" + ("import traps; traps.arm()\n" if traps else "")
    result = subprocess.run(
        [sys.executable, "-I", "-S", "-B", "-X", "utf8", "-c", prelude + code],
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )
    assert result.stderr == ""
    return result.stdout.splitlines()


def loaded_by(*modules: str) -> dict[str, str]:
    """Import `modules` one after the other; return each forbidden module that this loads, and who was first."""
    lines = fresh(
        "before = set(sys.modules)\n"
        f"for name in {modules!r}:\n"
        "    __import__(name)\n"
        f"    for loaded in sorted(set(sys.modules) - before & {set(FORBIDDEN)!r}):\n"
        "        print(loaded, name)\n"
        "    before |= set(sys.modules)\n"
    )
    return dict(line.split() for line in lines if line.split()[0] in FORBIDDEN)


def test_a_forbidden_module_would_be_seen() -> None:
    found = loaded_by("enum", "tempfile", "socketserver")
    assert found["random"] == "tempfile"
    assert found["socket"] == found["selectors"] == found["threading"] == "socketserver"


def test_importing_the_core_loads_nothing_forbidden() -> None:
    assert loaded_by("spry_core") == {}


def test_importing_the_core_does_not_load_the_testing_kit() -> None:
    assert fresh(
        "import spry_core; print('spry_core.testing' in sys.modules, 'hypothesis' in sys.modules)"
    ) == ["False False"]


def test_the_testing_kit_loads_neither_sockets_nor_hypothesis() -> None:
    """Only who names an address needs a socket; seeds and files are the kit's to have."""
    assert loaded_by("spry_core.testing", "spry_core.testing.wire").keys() <= {"random", "pathlib"}
    assert fresh("import sys, spry_core.testing; print('hypothesis' in sys.modules)") == ["False"]
    assert "socket" in loaded_by("spry_core.testing.address")


def test_no_module_of_the_core_loads_anything_forbidden() -> None:
    """Also those that `import spry_core` leaves out, and whatever order they are imported in."""
    modules = [name for name in MODULES if not name.startswith("spry_core.testing")]
    assert loaded_by(*modules) == {}
    assert loaded_by(*reversed(modules)) == {}


def test_the_module_in_c_knows_python_and_memory_alone() -> None:
    """What else there is, it would have to include, or ask the interpreter for."""
    source = (ROOT / "spry_core/speedups.c").read_text(encoding="utf-8")
    assert re.findall(r"^\s*#\s*include\s*(.*)$", source, re.MULTILINE) == [
        "<Python.h>",
        "<stdint.h>",
        "<string.h>",
    ]
    assert re.findall(r"\bPy(?:Import|Run|Eval|Sys|Capsule|File|OS)_\w+|\bPyObject_Call\w*", source) == []


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("import time; time.monotonic()", "time.monotonic"),
        ("from time import time; time()", "time.time"),
        ("import os; os.urandom(4)", "os.urandom"),
        ("import random; random.random()", "random.random"),
        ("import random; random.Random()", "random.Random without a seed"),
        ("import secrets; secrets.token_bytes(4)", "secrets.token_bytes"),
        ("import socket; socket.socket()", "socket.socket"),
        ("import select; select.select([], [], [])", "select.select"),
        ("import threading; threading.Thread(target=print).start()", "threading.Thread"),
        ("import asyncio; asyncio.get_running_loop()", "asyncio.get_running_loop"),
        ("import logging; logging.getLogger('spry')", "logging.getLogger"),
        ("import datetime; datetime.datetime.now()", "datetime.datetime.now"),
        ("open('/dev/null')", "builtins.open"),
    ],
)
def test_the_traps_spring(code: str, name: str) -> None:
    lines = fresh(
        f"try:\n    {code}\nexcept traps.Sprung as trap:\n    print(trap, traps.sprung)\n", traps=True
    )
    assert lines == [f"{name} [{name!r}]"]


def conversation(name: str) -> list[str]:
    """Run one conversation of the core among the traps; return what was heard in it."""
    *heard, sprung = fresh(
        f"import conversation\nprint(*conversation.{name}(), traps.sprung, sep='\\n')\n", traps=True
    )
    assert sprung == "[]"
    return heard


def test_http_runs_among_the_traps() -> None:
    """The Date and the end after 15 idle seconds show that both clocks were arguments."""
    assert conversation("over_http") == [
        "server: POST /echo",
        "server: b'ping'",
        "server: BodyEnd",
        "client: 200 Thu, 01 Jan 1970 00:00:00 GMT",
        "client: b'ping'",
        "client: BodyEnd",
        "server: ended after 15.0 s",
        "client: ended after 15.0 s",
    ]


def test_a_websocket_runs_among_the_traps() -> None:
    """Keys and masks come from the source that was given, the keepalive Ping from the time that was given."""
    assert conversation("over_websocket") == [
        "server: GET /chat",
        "server: BodyEnd",
        "client: Accept",
        "server: 'grüße'",
        "client: 'grüße'",
        r"server: b'\x00\x01\x02'",
        r"client: b'\x00\x01\x02'",
        "client: Ping",
        "server: Pong",
        "server: Close 1000 done",
        "client: Close 1000",
        "server: ended after 20.0 s",
        "client: ended after 20.0 s",
    ]


def test_an_application_runs_among_the_traps() -> None:
    """The minute that a handler sleeps passes in the Date of its answer, and nowhere else."""
    assert conversation("with_an_application") == [
        '200 Sat, 01 Jan 2000 00:00:00 GMT {"length":5}',
        "500 Sat, 01 Jan 2000 00:00:00 GMT Internal Server Error",
        "200 Sat, 01 Jan 2000 00:01:00 GMT a minute is nothing here",
        "/loop: 'grüße', 1000",
        "/callback: 'grüße', 1000",
        "reported: KeyError('/fails')",
    ]
