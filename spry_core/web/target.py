"""The target of a request, taken apart (RFC 9112 §3.2)."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import unquote


@dataclass(frozen=True, slots=True)
class Target:
    """What a target says."""

    raw_path: str
    """The path as it came, percent-encoded; of a target that has none, such as ``"*"`` and that of CONNECT, all of it."""

    query: str = ""
    """What stands behind the first question mark, as it came (RFC 3986 §3.4)."""

    authority: str | None = None
    """Host and port of an absolute target, which count instead of the Host field (RFC 9112 §3.2.2)."""

    @property
    def path(self) -> str:
        """The path with its escapes decoded as UTF-8, to be read by people; bytes that are no UTF-8 become U+FFFD."""
        return unquote(self.raw_path, errors="replace")


def parse_target(target: str, method: str = "GET") -> Target:
    """Take a target apart: origin, absolute, authority (for CONNECT) and asterisk form."""
    if target.startswith("/"):
        path, _, query = target.partition("?")
        return Target(path, query)
    scheme, separator, rest = target.partition("://")
    if method == "CONNECT" or not separator or not scheme.isalnum():
        return Target(target)
    rest, _, query = rest.partition("?")
    authority, slash, path = rest.partition("/")
    # The client of an OPTIONS for the whole server cannot write an asterisk behind an authority (RFC 9112 §3.2.4).
    empty = "*" if method == "OPTIONS" and not query else "/"
    return Target(slash + path or empty, query, authority)
