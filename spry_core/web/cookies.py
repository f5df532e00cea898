"""Cookies, both ways: reading Cookie fields and writing Set-Cookie fields (RFC 6265).

Reading takes what browsers send and passes over what is no pair; writing is strict, so that no value of an application can
add an attribute, a cookie or a field of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from typing import Final, Literal, TypeAlias

from spry_core.headers import MultiMapping, is_token
from spry_core.protocol.date import imf_fixdate

SameSite: TypeAlias = Literal["strict", "lax", "none"]
"""With which requests from other sites a browser sends the cookie (RFC 6265bis §5.6.7)."""

# Each is used with `fullmatch`: `$` would let a line feed pass.
_VALUE: Final = re.compile(r"[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]*")  # cookie-octet (RFC 6265 §4.1.1)
_PATH: Final = re.compile(r"/[\x20-\x3a\x3c-\x7e]*")  # path-value, from the root
_DOMAIN: Final = re.compile(r"\.?[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?")


def parse_cookies(values: Iterable[str]) -> MultiMapping:
    """Read the values of all Cookie fields of a request (RFC 6265 §4.2.1, §5.4).

    What is no ``name=value`` is passed over. A pair of double quotes around a value is taken away; nothing is decoded. The work
    and the number of cookies are bounded by the size of the header section (`Limits.max_header_section`).
    """
    pairs = list[tuple[str, str]]()
    for value in values:
        for pair in value.split(";"):
            name, separator, content = pair.partition("=")
            name = name.strip(" \t")
            if separator and name:
                pairs.append((name, _unquote(content.strip(" \t"))))
    return MultiMapping(pairs)


def _unquote(value: str) -> str:
    return value[1:-1] if len(value) >= 2 and value[0] == value[-1] == '"' else value


def format_set_cookie(
    name: str,
    value: str,
    *,
    max_age: int | None = None,
    expires: datetime | None = None,
    path: str | None = "/",
    domain: str | None = None,
    secure: bool = False,
    httponly: bool = False,
    samesite: SameSite | None = "lax",
) -> str:
    """Write the value of a Set-Cookie field (RFC 6265 §4.1).

    Args:
        name: A token. The prefixes ``__Secure-`` and ``__Host-`` are held to what they promise (RFC 6265bis §4.1.3).
        value: Visible ASCII without double quote, comma, semicolon and backslash, maybe empty; encode anything else.
        max_age: Seconds the cookie lives; zero or less takes it away. It wins over `expires`.
        expires: When the cookie ends, with a time zone. Without both it ends with the browser's session.
        path: Begins with a slash; None leaves it to the browser, which takes the folder of the request.
        domain: The host below which the cookie is sent, or None for this host alone.
        secure: Only over TLS.
        httponly: Not for scripts.
        samesite: ``"none"`` needs `secure`; None leaves it to the browser.

    Raises:
        ValueError: Any of these breaks its rule.
    """
    _check(name, value, path, domain)
    _check_promises(name, path, domain, secure, samesite)
    parts = [f"{name}={value}"]
    if max_age is not None:
        parts.append(f"Max-Age={max_age:d}")
    if expires is not None:
        if expires.tzinfo is None:
            raise ValueError("the end of a cookie needs a time zone")
        parts.append(f"Expires={imf_fixdate(expires.timestamp())}")
    if domain is not None:
        parts.append(f"Domain={domain}")
    if path is not None:
        parts.append(f"Path={path}")
    if secure:
        parts.append("Secure")
    if httponly:
        parts.append("HttpOnly")
    if samesite is not None:
        parts.append(f"SameSite={samesite.capitalize()}")
    return "; ".join(parts)


def _check(name: str, value: str, path: str | None, domain: str | None) -> None:
    if not is_token(name):
        raise ValueError(f"the cookie name {name[:40]!r} is not a token (RFC 6265 §4.1.1)")
    if _VALUE.fullmatch(value) is None:
        raise ValueError(
            f"the value of cookie {name[:40]!r} has a character that no cookie may have (RFC 6265 §4.1.1)"
        )
    if path is not None and _PATH.fullmatch(path) is None:
        raise ValueError(
            f"the path of cookie {name[:40]!r} does not begin with a slash, or has a control character or semicolon"
        )
    if domain is not None and _DOMAIN.fullmatch(domain) is None:
        raise ValueError(f"the domain of cookie {name[:40]!r} is not a host name")


def _check_promises(
    name: str, path: str | None, domain: str | None, secure: bool, samesite: SameSite | None
) -> None:
    """Refuse what browsers would drop without a word (RFC 6265bis §4.1.3, §5.7)."""
    if samesite not in (None, "strict", "lax", "none"):
        raise ValueError("samesite is 'strict', 'lax', 'none' or None")
    prefix = name.lower()
    if prefix.startswith("__host-") and (domain is not None or path != "/"):
        raise ValueError(
            "a cookie with the prefix __Host- has the path / and no domain (RFC 6265bis §4.1.3.2)"
        )
    if not secure and (samesite == "none" or prefix.startswith(("__secure-", "__host-"))):
        raise ValueError(
            f"cookie {name[:40]!r} must be secure: its samesite or its prefix says so (RFC 6265bis §4.1.3)"
        )
