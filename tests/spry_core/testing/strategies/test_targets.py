"""Tests of `spry_core.testing.strategies.targets` (RFC 9112 §3.2)."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

import httptools
from hypothesis import given

from drawn import Productions, examples, few, missing, simplest
from spry_core.protocol import RequestHead
from spry_core.protocol.head import check_request
from spry_core.routing import split_path
from spry_core.testing.strategies import hosts, paths, queries, targets, texts


@few
@given(paths(), queries())
def test_a_path_with_a_query_is_read_by_all(path: str, query: str) -> None:
    """RFC 3986 §3.3, §3.4."""
    assert split_path(path)
    url = httptools.parse_url((path + query).encode()) if not path.startswith("//") else None
    if url is not None:
        assert (url.path, url.query or b"") == (path.encode(), query[1:].encode())


@few
@given(targets(), hosts())
def test_a_target_and_a_host_are_accepted(target: bytes, host: bytes) -> None:
    """RFC 9112 §3.2."""
    check_request(RequestHead(method=b"GET", target=target, headers=((b"host", host),)))
    assert urlsplit(target.decode()).fragment == ""


def test_the_simplest_are_short() -> None:
    assert simplest(paths()) == "/"
    assert simplest(queries()) == ""
    assert simplest(hosts()) == b"a"
    assert simplest(targets()) == b"/"
    assert simplest(texts()) == ""


def test_every_form_comes_up() -> None:
    """RFC 9112 §3.2.1, §3.2.2; RFC 3986 §2.1, §3."""
    shows: Productions[bytes] = {
        "a query": lambda target: b"?" in target,
        "a broken off query": lambda target: target.endswith(b"?"),
        "absolute": lambda target: target.lower().startswith(b"http://"),
        "absolute without a path": lambda target: b"://" in target and target.count(b"/") == 2,
        "an escape": lambda target: b"%" in target,
        "a needless escape": lambda target: re.search(rb"%(3\d|[46][1-9a-f])", target) is not None,
        "two slashes": lambda target: b"//" in target.partition(b"://")[2] or target.startswith(b"//"),
        "a dot segment": lambda target: b"/../" in target or target.endswith(b"/.."),
    }
    assert missing(targets(), shows) == set()
    assert not any(b"://" in each.partition(b"/")[0] for each in examples(targets(absolute=False)))


def test_every_kind_of_host_comes_up() -> None:
    """RFC 9110 §7.2."""
    shows: Productions[bytes] = {
        "IPv6": lambda host: host.startswith(b"["),
        "IPv4": lambda host: host.count(b".") == 3 and host.replace(b".", b"").isdigit(),
        "a port": lambda host: host.rpartition(b":")[2].isdigit(),
        "labels": lambda host: b"." in host,
    }
    assert missing(hosts(), shows) == set()
