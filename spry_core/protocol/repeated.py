"""Heads that come again and again: of a client that polls, of a check of health, of whoever asks one server for one thing.

What such a head says was found and judged once, and the same octets under the same limits say the same. So a short head of
which a client asks twice in a row is remembered, for all connections of the process, and from then on costs a look into a dict.
A connection itself remembers nothing of it but how long it was: for a head that is as long as the one before the dict is asked,
for any other nothing is done.

So many are remembered at most, and they stay in memory when their connections are gone. So each of their fields is one in which
many clients say the same; any other, of whatever name, may be a token, and with it the head is not remembered. A target that has
a query is not either, but of any other nobody can tell what it is: a secret in a path stays with it.
"""

from __future__ import annotations

from typing import Final, TypeAlias

from spry_core.headers import HARMLESS
from spry_core.protocol.events import RequestHead
from spry_core.protocol.head import EMPTY, Terms
from spry_core.protocol.limits import Limits

Known: TypeAlias = tuple[RequestHead, Terms, Limits]
"""What such a head says, what its fields settle together, and the limits that it keeps to: under others it is judged anew."""

LONGEST: Final = 512
"""Octets of a head that may be remembered."""

OFFERS: Final = 4
"""How often a connection may offer one in vain: one whose heads differ each time soon stops, and then loses nothing."""

KNOWN: Final[dict[bytes, Known]] = {}
"""Those that are, by their octets."""

_MOST: Final = 256

# Numbers of those that were offered once, so that heads which differ each time do not drive out others.
_OFFERED: Final[set[int]] = set()


def remember(data: bytes, head: RequestHead, terms: Terms, limits: Limits) -> bool:
    """Keep in mind that `data` is this head and nothing else, if it is offered for the second time; tell whether it is known now.

    Never are those that have content, a query or a field that may be a secret, or want a WebSocket.
    """
    number = hash(data)
    if number not in _OFFERED:
        if len(_OFFERED) >= _MOST:
            _OFFERED.clear()
        _OFFERED.add(number)
        return False
    if b"?" in head.target or terms.upgrades or terms.framing is not EMPTY:
        return False
    if not HARMLESS.issuperset([name for name, _ in head.headers]):
        return False
    if len(KNOWN) >= _MOST:
        KNOWN.clear()
    KNOWN[data] = head, terms, limits
    return True
