from __future__ import annotations

import pytest

from spry_core.web.target import Target, parse_target


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("/", Target("/")),
        ("/a%20b/c", Target("/a%20b/c")),
        ("/a?b=c?d", Target("/a", "b=c?d")),
        ("/?", Target("/")),
        ("//a", Target("//a")),
        ("/http://a/b", Target("/http://a/b")),
    ],
)
def test_a_target_is_a_path_and_a_query(target: str, expected: Target) -> None:
    """RFC 9112 §3.2.1."""
    assert parse_target(target) == expected


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("http://a", Target("/", "", "a")),
        ("http://a:80/", Target("/", "", "a:80")),
        ("HTTP://a/b/c?d=/e", Target("/b/c", "d=/e", "a")),
        ("http://a?b", Target("/", "b", "a")),
        ("http:///b", Target("/b", "", "")),
    ],
)
def test_an_absolute_target_names_the_authority(target: str, expected: Target) -> None:
    """RFC 9112 §3.2.2: its host wins over Host's."""
    assert parse_target(target) == expected


def test_options_may_ask_for_the_whole_server() -> None:
    """RFC 9112 §3.2.4."""
    assert parse_target("*", "OPTIONS") == Target("*")
    assert parse_target("http://a", "OPTIONS") == Target("*", "", "a")
    assert parse_target("http://a/", "OPTIONS") == Target("/", "", "a")
    assert parse_target("http://a?b", "OPTIONS") == Target("/", "b", "a")


@pytest.mark.parametrize(
    ("target", "method"), [("a:80", "CONNECT"), ("http://a", "CONNECT"), ("a", "GET"), ("a b://c", "GET")]
)
def test_some_targets_have_no_path(target: str, method: str) -> None:
    """RFC 9112 §3.2.3."""
    assert parse_target(target, method) == Target(target)


@pytest.mark.parametrize(
    ("raw_path", "path"),
    [
        ("/a%20b", "/a b"),
        ("/%C3%A9", "/é"),
        ("/%2F", "//"),
        ("/%FF", "/\ufffd"),
        ("/%zz", "/%zz"),
        ("*", "*"),
    ],
)
def test_a_path_is_decoded_for_people(raw_path: str, path: str) -> None:
    assert Target(raw_path).path == path
