"""Tests of `spry_core.testing.strategies.shown`."""

from __future__ import annotations

from hypothesis.vendor.pretty import pretty

from spry_core.testing.strategies import HttpRequest


def test_hypothesis_prints_the_bytes_alone() -> None:
    request = HttpRequest(data=b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert pretty(request) == repr(request) == r"HttpRequest(data=b'GET / HTTP/1.1\r\nHost: a\r\n\r\n')"
