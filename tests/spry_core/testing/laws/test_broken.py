"""What a broken law says."""

from __future__ import annotations

from spry_core.testing.laws.broken import LawBroken, clipped


def test_it_says_how_to_run_it_again() -> None:
    broken = LawBroken("echo", "/chat", data=b"GET", case=("a",), seed=3, expected="['a']", got="[]")
    assert isinstance(broken, AssertionError)
    assert (broken.law, broken.target, broken.data, broken.case, broken.seed) == (
        *("echo", "/chat", b"GET", ("a",), 3),
    )
    assert str(broken).splitlines() == [
        "echo is broken at /chat",
        "  expected: ['a']",
        "  got:      []",
        "  case:     ('a',)",
        "  input:    b'GET'",
        "  again:    laws.echo(app, '/chat', data=<input>, cases=[('a',)], seed=3)",
    ]


def test_of_many_bytes_the_last_are_shown() -> None:
    assert clipped(b"abc") == "b'abc'"
    assert clipped(b"abcdef", 3) == "6 bytes, at the end b'def'"
