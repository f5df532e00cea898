from __future__ import annotations

from spry_core.testing.transcript.sequence import State, Step
from spry_core.testing.transcript.text import lines_of

STEPS = (
    Step(1, 0.0, "inside", "begin", "a server's connection", (("role", "server"),), State()),
    Step(2, 0.0, "in", "head", "GET / HTTP/1.1", (("start line", "GET / HTTP/1.1"), ("Host", "a")), State()),
    Step(3, 1.5, "out", "frame", "text frame, 5 bytes: hello", (("fin", "1"),), State()),
    Step(4, 1.5, "inside", "call", "release(n=5)", (("n", "5"),), State()),
    Step(5, 1.5, "in", "frame", "x" * 99, (), State()),
)  # fmt: skip


def test_what_came_stands_on_the_left_and_what_went_on_the_right() -> None:
    assert list(lines_of(STEPS, width=70)) == [
        "     time   line  received                 | sent",
        "    0.000      1  . a server's connection",
        "               2  GET / HTTP/1.1           |",
        "                    Host: a                |",
        "    1.500      3                           | text frame, 5 bytes: ...",
        "               5  xxxxxxxxxxxxxxxxxxxxx... |",
    ]


def test_everything_is_shown_when_that_is_wanted() -> None:
    lines = list(lines_of(STEPS, all_of_it=True))
    assert lines[1:3] == ["    0.000      1  . a server's connection", f"{'':18}.   role: server"]
    assert f"{'':18}{'':49} |   fin: 1" in lines
    assert "               4  . release(n=5)" in lines


def test_a_line_is_never_narrower_than_can_be_read() -> None:
    assert max(map(len, lines_of(STEPS, width=1))) == 59
