from __future__ import annotations

from typing import cast

import pytest

from fakes import head
from spry_core.web.origin import SAME, Origins, is_allowed, read_origins


def may_connect(
    origin: str | None, host: str | None, origins: Origins = SAME, authority: str | None = None
) -> bool:
    fields = [("Origin", origin), ("Host", host)]
    present = [(name, value) for name, value in fields if value is not None]
    return is_allowed(origins, head("/", *present), authority)


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("https://example.org", "example.org"),
        ("http://example.org", "example.org"),
        ("https://example.org", "example.org:443"),
        ("http://example.org", "example.org:80"),
        ("https://example.org:8443", "example.org:8443"),
        ("http://example.org:80", "example.org"),
        ("wss://example.org", "example.org:443"),
        ("https://example.org", "EXAMPLE.org"),
        ("HTTPS://Example.org", "example.org"),
        ("http://[::1]:8000", "[::1]:8000"),
        ("http://127.0.0.1:8000", "127.0.0.1:8000"),
        ("http://example.org", "example.org:"),
        ("http://my_host", "my_host"),
        ("app://example.org", "example.org"),
        (None, "example.org"),
        (None, None),
    ],
)
def test_a_page_of_the_same_host_and_port_may_connect(origin: str | None, host: str | None) -> None:
    """RFC 6455 §10.2. Without Origin it is no page."""
    assert may_connect(origin, host)


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("https://evil.example", "example.org"),
        ("https://example.org.evil.example", "example.org"),
        ("https://sub.example.org", "example.org"),
        ("https://example.org:8443", "example.org"),
        ("http://example.org", "example.org:443"),
        ("https://example.org", "example.org:80"),
        ("app://example.org", "example.org:1"),
        ("null", "example.org"),
        ("null", "null"),
        ("", "example.org"),
        ("", ""),
        ("example.org", "example.org"),
        ("https://example.org/", "example.org"),
        ("https://user@example.org", "example.org"),
        ("https://example.org https://evil.example", "example.org"),
        ("https://example.org", None),
        ("https://example.org", ""),
        ("https://[::1]", "::1"),
        ("https://example.org:", "example.org"),
    ],
)
def test_a_page_of_any_other_may_not(origin: str, host: str | None) -> None:
    """RFC 6455 §10.2."""
    assert not may_connect(origin, host)


@pytest.mark.parametrize("origins", [SAME, ("https://example.org",)])
def test_two_origins_are_none(origins: Origins) -> None:
    """RFC 6454 §7.3: there is one."""
    field = ("Origin", "https://example.org")
    assert not is_allowed(origins, head("/", field, field, ("Host", "example.org")), None)


def test_the_authority_of_an_absolute_target_counts() -> None:
    """RFC 9112 §3.2.2."""
    assert may_connect("https://example.org", "other.example", authority="example.org:443")
    assert not may_connect("https://example.org", "example.org", authority="other.example")
    assert not may_connect("https://example.org", "example.org", authority="")


@pytest.mark.parametrize(
    ("origin", "expected"),
    [
        ("https://a.example", True),
        ("https://b.example:8443", True),
        ("https://example.org", True),
        ("http://a.example", False),
        ("https://a.example:8443", False),
        ("https://b.example", False),
        ("https://A.example", False),
        ("null", False),
    ],
)
def test_listed_origins_may_connect_beside_the_same(origin: str, expected: bool) -> None:
    origins = ("https://a.example", "https://b.example:8443")
    assert may_connect(origin, "example.org", origins) is expected


@pytest.mark.parametrize("origin", ["https://evil.example", "null", ""])
def test_everybody_may_connect_where_that_was_said(origin: str) -> None:
    assert may_connect(origin, "example.org", None)


def test_origins_are_kept_as_a_tuple() -> None:
    assert read_origins("same") == "same"
    assert read_origins(None) is None
    assert read_origins([]) == ()
    assert read_origins(["https://a.example", "http://[::1]:8000"]) == (
        "https://a.example",
        "http://[::1]:8000",
    )


@pytest.mark.parametrize(
    "origin",
    [
        "example.org",
        "https://example.org/",
        "https://example.org/a",
        "https://Example.org",
        "HTTPS://example.org",
        "https://example.org:443",
        "http://example.org:80",
        "https://*.example.org",
        "https://exämple.org",
        "null",
        "",
        "*",
        "https://example.org\n",
    ],
)
def test_an_origin_that_no_browser_sends_is_refused(origin: str) -> None:
    """RFC 6454 §6.2."""
    with pytest.raises(ValueError, match="is not how a browser writes an origin"):
        read_origins([origin])


def test_one_origin_alone_is_no_list() -> None:
    with pytest.raises(TypeError, match="origins is 'same', None or a list of origins"):
        read_origins(cast("Origins", "https://example.org"))
