from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields

import pytest

from spry_cli.readers import (
    Number,
    any_text,
    default_of,
    names,
    one_of,
    or_none,
    pairs,
    port,
    positive,
    seconds,
    setting,
    some_text,
    switch,
    whole,
)
from spry_core.protocol import Limits, Timeouts


@pytest.mark.parametrize(
    ("read", "text", "value"),
    [
        (any_text, "", ""),
        (some_text, "::1", "::1"),
        (switch, "true", True),
        (switch, "YES", True),
        (switch, "on", True),
        (switch, "1", True),
        (switch, "false", False),
        (switch, "No", False),
        (switch, "off", False),
        (switch, "0", False),
        (port, "0", 0),
        (port, "65535", 65535),
        (whole, "0", 0),
        (whole, "9" * 15, 999_999_999_999_999),
        (seconds, "0", 0.0),
        (seconds, "2.5", 2.5),
        (seconds, "123456789.123456789", 123456789.123456789),
        (positive, "1", 1),
        (names, "X-Key", ("x-key",)),
        (names, "a, B", ("a", "b")),
        (or_none(whole), "none", None),
        (or_none(whole), "7", 7),
        (one_of(("a", "b", "c")), "c", "c"),
    ],
)
def test_what_is_written_becomes_a_value(read: Callable[[str], object], text: str, value: object) -> None:
    found = read(text)
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("read", "text", "words"),
    [
        (some_text, "", "cannot be empty"),
        (switch, "maybe", "true or false, not 'maybe'"),
        (port, "65536", "a port is a number from 0 to 65535, not '65536'"),
        (port, "-1", "a port is a number from 0 to 65535, not '-1'"),
        (port, "+5", "a port is a number from 0 to 65535, not '+5'"),
        (port, "\u0661", "a port is a number from 0 to 65535, not '\u0661'"),
        (port, "tcp://10.0.0.1:80", "a port is a number from 0 to 65535, not 'tcp://10.0.0.1:80'"),
        (positive, "0", "a whole number from 1 on, not '0'"),
        (positive, "-1", "a whole number from 1 on, not '-1'"),
        (names, "a,,b", "'' is not the name of a field (RFC 9110 §5.1)"),
        (names, "Upgrade", "upgrade cannot be redacted: a replay needs it"),
        (whole, "1_000", "a whole number, not '1_000'"),
        (whole, "1" * 16, "a whole number, not '1111111111111111'"),
        (whole, "1.5", "a whole number, not '1.5'"),
        (whole, "5\n", "a whole number, not '5\\n'"),
        (seconds, "1e3", "a number of seconds such as 2.5, not '1e3'"),
        (seconds, "nan", "a number of seconds such as 2.5, not 'nan'"),
        (seconds, "inf", "a number of seconds such as 2.5, not 'inf'"),
        (seconds, "-1", "a number of seconds such as 2.5, not '-1'"),
        (seconds, ".5", "a number of seconds such as 2.5, not '.5'"),
        (or_none(whole), "x" * 61, f"none, or a whole number, not '{'x' * 57}...'"),
        (or_none(whole), "x" * 60, f"none, or a whole number, not '{'x' * 60}'"),
        (one_of(("a", "b", "c")), "d", "a, b or c, not 'd'"),
        (one_of(("a", "b")), "", "a or b, not ''"),
    ],
)
def test_what_is_no_value_is_told_with_what_would_be_one(
    read: Callable[[str], object], text: str, words: str
) -> None:
    with pytest.raises(ValueError) as caught:
        read(text)
    assert str(caught.value) == words


@pytest.mark.parametrize("settings", [Limits, Timeouts])
def test_every_setting_reads_its_own_default(settings: type[Limits | Timeouts]) -> None:
    for each in fields(settings):
        default = default_of(settings, each.name)
        assert default == getattr(settings(), each.name)
        read: Number = setting(settings, each.name)("none" if default is None else str(default))
        assert (read, type(read)) == (default, type(default))


def test_what_can_be_turned_off_says_its_annotation() -> None:
    assert setting(Timeouts, "grace")("none") is None
    with pytest.raises(ValueError, match=r"^a whole number, not 'none'$"):
        setting(Limits, "max_body")("none")


def test_pairs_name_any_of_the_settings() -> None:
    assert pairs(Limits)("max_body=5,max_message_size=none,max_body=6") == {
        "max_body": 6,
        "max_message_size": None,
    }
    assert pairs(Timeouts)("head=2.5") == {"head": 2.5}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("max_body", "NAME=VALUE, not 'max_body'"),
        ("max_body=5,", "NAME=VALUE, not ''"),
        ("max_boddy=5", "Limits has no 'max_boddy'"),
        ("max_body=five", "max_body: a whole number, not 'five'"),
        ("max_requests=five", "max_requests: none, or a whole number, not 'five'"),
    ],
)
def test_pairs_are_checked_against_the_settings(text: str, words: str) -> None:
    with pytest.raises(ValueError) as caught:
        pairs(Limits)(text)
    assert str(caught.value) == words
