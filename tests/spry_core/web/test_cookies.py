from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Final, cast

import pytest

from spry_core.web.cookies import SameSite, format_set_cookie, parse_cookies


def test_cookies_are_read_in_order() -> None:
    """RFC 6265 §4.2.1."""
    assert parse_cookies(["SID=31d4d96e407aad42; lang=en-US"]).items() == [
        ("SID", "31d4d96e407aad42"),
        ("lang", "en-US"),
    ]


def test_several_fields_are_read_as_one() -> None:
    """RFC 6265 §5.4 allows one Cookie field; HTTP/2 cut it up, and proxies do not always join it (RFC 9113 §8.2.3)."""
    assert parse_cookies(["a=1", "b=2; a=3"]).items() == [("a", "1"), ("b", "2"), ("a", "3")]


@pytest.mark.parametrize(
    ("value", "pairs"),
    [
        ("", []),
        ("a", []),
        ("=1", []),
        (" =1", []),
        ("a=", [("a", "")]),
        ("a=b=c", [("a", "b=c")]),
        ("a=1;b=2", [("a", "1"), ("b", "2")]),
        (" a = 1 \t;\tb=2", [("a", "1"), ("b", "2")]),
        (";;a=1;;", [("a", "1")]),
        ('a="1 2"', [("a", "1 2")]),
        ('a=""', [("a", "")]),
        ('a="', [("a", '"')]),
        ('a="1', [("a", '"1')]),
        ('a=1"', [("a", '1"')]),
        ("a=%20", [("a", "%20")]),
        ("\xe9=\xe9", [("\xe9", "\xe9")]),
        ("\xa0a=1\xa0", [("\xa0a", "1\xa0")]),
    ],
)
def test_what_browsers_send_is_read(value: str, pairs: list[tuple[str, str]]) -> None:
    """Only space and tab are whitespace: `str.strip` would take U+00A0 too."""
    assert parse_cookies([value]).items() == pairs


def test_the_plainest_cookie_is_for_this_host_and_sent_with_links_from_elsewhere() -> None:
    assert format_set_cookie("a", "1") == "a=1; Path=/; SameSite=Lax"
    assert format_set_cookie("a", "", path=None, samesite=None) == "a="


def test_every_attribute_has_its_place() -> None:
    """RFC 6265 §4.1.1."""
    assert format_set_cookie(
        "a",
        "1",
        max_age=60,
        expires=datetime(2015, 10, 21, 7, 28, tzinfo=UTC),
        path="/a b",
        domain=".example.org",
        secure=True,
        httponly=True,
        samesite="strict",
    ) == (
        "a=1; Max-Age=60; Expires=Wed, 21 Oct 2015 07:28:00 GMT; Domain=.example.org; Path=/a b;"
        " Secure; HttpOnly; SameSite=Strict"
    )


def test_the_end_is_written_in_gmt() -> None:
    moment = datetime(2024, 1, 1, 0, 30, tzinfo=timezone(timedelta(hours=1)))
    assert format_set_cookie("a", "1", expires=moment) == (
        "a=1; Expires=Sun, 31 Dec 2023 23:30:00 GMT; Path=/; SameSite=Lax"
    )


def test_the_end_needs_a_time_zone() -> None:
    with pytest.raises(ValueError, match="needs a time zone"):
        format_set_cookie("a", "1", expires=datetime(2024, 1, 1))


@pytest.mark.parametrize("name", ["", "a b", "a=", "a;", "a,b", "é", "a\n"])
def test_a_name_is_a_token(name: str) -> None:
    """RFC 6265 §4.1.1."""
    with pytest.raises(ValueError, match="is not a token"):
        format_set_cookie(name, "1")


@pytest.mark.parametrize("value", [" ", "a b", "a;b", "a,b", '"', "a\\b", "é", "a\n", "\x7f", "1; Secure"])
def test_a_value_cannot_end_itself(value: str) -> None:
    """RFC 6265 §4.1.1: cookie-octet."""
    with pytest.raises(ValueError, match="the value of cookie 'a' has a character"):
        format_set_cookie("a", value)


@pytest.mark.parametrize("path", ["", "a", "/;", "/a; Secure", "/\n", "/é"])
def test_a_path_cannot_end_itself(path: str) -> None:
    with pytest.raises(ValueError, match="the path of cookie 'a'"):
        format_set_cookie("a", "1", path=path)


@pytest.mark.parametrize("domain", ["", ".", "a;b", "a b", "a\n", "-a", "a.", "é"])
def test_a_domain_is_a_host_name(domain: str) -> None:
    with pytest.raises(ValueError, match="the domain of cookie 'a'"):
        format_set_cookie("a", "1", domain=domain)


def test_a_cookie_for_every_site_is_secure() -> None:
    """RFC 6265bis §5.7, step 18: browsers drop it otherwise."""
    with pytest.raises(ValueError, match="must be secure"):
        format_set_cookie("a", "1", samesite="none")
    assert format_set_cookie("a", "1", samesite="none", secure=True) == "a=1; Path=/; Secure; SameSite=None"


def test_there_are_four_words_about_other_sites() -> None:
    with pytest.raises(ValueError, match="samesite is"):
        format_set_cookie("a", "1", samesite=cast("SameSite", "Lax; Secure"))


@pytest.mark.parametrize("name", ["__Secure-a", "__Host-a", "__host-a"])
def test_a_prefix_promises_security(name: str) -> None:
    """RFC 6265bis §4.1.3."""
    with pytest.raises(ValueError, match="must be secure"):
        format_set_cookie(name, "1")
    assert format_set_cookie(name, "1", secure=True) == f"{name}=1; Path=/; Secure; SameSite=Lax"


def test_a_host_prefix_promises_one_host_and_all_its_paths() -> None:
    """RFC 6265bis §4.1.3.2."""
    with pytest.raises(ValueError, match="the path / and no domain"):
        format_set_cookie("__Host-a", "1", secure=True, domain="example.org")
    with pytest.raises(ValueError, match="the path / and no domain"):
        format_set_cookie("__Host-a", "1", secure=True, path="/a")


LONG: Final = "a" * 1000
WRONG: Final[dict[str, tuple[str, Callable[[str], str]]]] = {
    "name": ("a b" * 1000, lambda name: format_set_cookie(name, "1")),
    "value": (LONG, lambda name: format_set_cookie(name, " ")),
    "path": (LONG, lambda name: format_set_cookie(name, "1", path="a")),
    "domain": (LONG, lambda name: format_set_cookie(name, "1", domain="-")),
    "samesite": (LONG, lambda name: format_set_cookie(name, "1", samesite="none")),
}


@pytest.mark.parametrize("what", WRONG)
def test_an_error_repeats_little_of_the_name(what: str) -> None:
    name, act = WRONG[what]
    with pytest.raises(ValueError, match=rf"cookie (name )?{name[:40]!r} ") as error:
        act(name)
    assert len(str(error.value)) < 140
