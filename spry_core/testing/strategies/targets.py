"""Paths, queries, hosts, and request targets of the forms that name a resource (RFC 9112 §3.2, RFC 3986 §3)."""

from __future__ import annotations

import string
from ipaddress import IPv4Address, IPv6Address
from typing import Final
from urllib.parse import quote

from hypothesis import strategies as st

PATH_CHARACTERS: Final = string.ascii_lowercase + string.ascii_uppercase + string.digits + "-._~!$&'()*+,;=:@"
"""What may stand in a segment of a path as it is (RFC 3986 §3.3)."""

QUERY_CHARACTERS: Final = PATH_CHARACTERS + "/?"
"""What may stand in a query as it is (RFC 3986 §3.4)."""

_IPV4: Final = st.integers(0, 2**32 - 1).map(IPv4Address)
_IPV6: Final = st.integers(0, 2**128 - 1).map(IPv6Address)


def texts(*, max_size: int = 6) -> st.SearchStrategy[str]:
    """Give what a segment of a path may decode to: any text that UTF-8 can say, without the null character."""
    return st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=max_size)


def segments(*, max_size: int = 6) -> st.SearchStrategy[str]:
    """Give segments of paths as they are sent: plain, percent-encoded in either case, dots, or empty (RFC 3986 §2.1)."""
    plain = st.text(st.sampled_from(PATH_CHARACTERS), min_size=1, max_size=max_size)
    encoded = texts(max_size=max_size).map(lambda text: quote(text, safe=""))
    needless = texts(max_size=3).map(lambda text: "".join(f"%{each:02x}" for each in text.encode()))
    return st.one_of(plain, encoded, needless, st.sampled_from(("", ".", "..")))


def paths(*, max_segments: int = 4) -> st.SearchStrategy[str]:
    """Give paths of requests as they are sent: ``split_path`` reads each of them. The simplest is ``"/"``."""
    rows = st.lists(segments(), min_size=1, max_size=max_segments)
    return st.just("/") | rows.map(lambda row: "".join(f"/{each}" for each in row))


def queries(*, max_size: int = 12) -> st.SearchStrategy[str]:
    """Give what may follow a path: nothing, or a question mark and what stands behind it."""
    text = st.text(st.sampled_from(QUERY_CHARACTERS), max_size=max_size)
    return st.just("") | text.map(lambda text: f"?{text}")


def hosts() -> st.SearchStrategy[bytes]:
    """Give values of Host: names, addresses of both kinds, with and without a port (RFC 9110 §7.2)."""
    label = st.text(st.sampled_from(string.ascii_lowercase + string.digits + "-"), min_size=1, max_size=8)
    name = st.lists(label, min_size=1, max_size=3).map(".".join)
    address = _IPV4.map(str) | _IPV6.map("[{}]".format)
    port = st.just("") | st.integers(0, 65535).map(lambda number: f":{number}")
    return st.just(b"a") | st.tuples(name | address, port).map(lambda pair: "".join(pair).encode())


def targets(*, absolute: bool = True) -> st.SearchStrategy[bytes]:
    """Give request targets of the origin form and, if `absolute`, of the absolute form. The simplest is ``b"/"``.

    RFC 9112 §3.2.1, §3.2.2.
    """
    origin = st.tuples(paths(), queries()).map(lambda pair: "".join(pair).encode())
    if not absolute:
        return origin
    schemes = st.sampled_from((b"http://", b"https://", b"HTTP://"))
    rest = st.just(b"") | origin
    return origin | st.tuples(schemes, hosts(), rest).map(b"".join)
