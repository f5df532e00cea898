"""Several requests on one connection: keep-alive and pipelining (RFC 9112 §9.3)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from hypothesis import strategies as st

from spry_core.testing.strategies.requests import HttpRequest
from spry_core.testing.strategies.requests import requests as any_requests
from spry_core.testing.strategies.shown import Shown

_ANY: Final = any_requests()
_LASTING: Final = any_requests(is_last=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpConversation(Shown):
    """Requests on one connection, one behind the other."""

    requests: tuple[HttpRequest, ...] = field(repr=False)
    """In order; only the last one may end the connection."""
    data: bytes
    """All of them as they go over the wire, pipelined (RFC 9112 §9.3.2)."""


@st.composite
def http_conversations(
    draw: st.DrawFn, *, requests: st.SearchStrategy[HttpRequest] | None = None, max_size: int = 4
) -> HttpConversation:
    """Give what one client may send on one connection: at least one request, each behind the other's bytes.

    Args:
        requests: Instead of any requests; of these, too, one that ends the connection comes last.
        max_size: Requests at most.

    RFC 9112 §9.3.
    """
    given = _ANY if requests is None else requests
    lasting = _LASTING if requests is None else given.filter(lambda each: not each.is_last)
    before = draw(st.lists(lasting, max_size=max_size - 1))
    every = (*before, draw(given))
    return HttpConversation(requests=every, data=b"".join(each.data for each in every))
