"""What the peers of a scenario do and expect, one step after the other.

A peer reads nothing but what a step expects, so between two steps it is one that does not read. Its steps name it; a scenario
with one peer leaves the name out, and then it connects by itself. Seconds are virtual in memory and real over sockets.

`after` in a step that expects something is the time from the beginning of the last step that did something (`Send`, `Connect`,
`HalfClose`, `Shutdown` and the like). In memory it is met exactly; over sockets what comes may be a little late. `within` says no
more than by when, for what was set going by an earlier step. Without either a step expects its due at once: in memory no time may
pass at all.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final, TypeAlias

WILD: Final = b"\x1a"
"""In expected bytes: any one byte. It stands where the value of Date does."""


class Ending(Enum):
    """How a stream ends for a peer."""

    FIN = "FIN"
    """In order: behind the last byte."""
    RST = "RST"
    """Cut."""


FIN: Final = Ending.FIN
RST: Final = Ending.RST


@dataclass(frozen=True, slots=True)
class Connect:
    """Open a connection."""

    peer: str = ""
    slow: bool = False
    """True: with room for as little as possible that this peer has not read."""
    patience: float | None = None
    """Seconds that a `Send` of this peer, or each part of an `Overfill`, waits for room; None for as long as is sensible."""


@dataclass(frozen=True, slots=True)
class Refused:
    """Try to connect, and expect that nobody accepts."""


@dataclass(frozen=True, slots=True)
class Send:
    """Send these bytes, all of them."""

    data: bytes
    peer: str = ""


@dataclass(frozen=True, slots=True)
class Overfill:
    """Send the same bytes again and again, and expect that the other side stops taking them."""

    data: bytes
    times: int
    """So often; if all of it is taken, the other side does not stop reading."""
    peer: str = ""


@dataclass(frozen=True, slots=True)
class Expect:
    """Expect exactly these bytes next, and read no byte more."""

    data: bytes
    peer: str = ""
    after: float | None = None
    within: float | None = None


@dataclass(frozen=True, slots=True)
class ExpectEnd:
    """Expect the end of the stream, and no byte before it."""

    how: Ending = Ending.FIN
    peer: str = ""
    after: float | None = None
    within: float | None = None
    whatever: bool = False
    """True: bytes before it do not matter, since a reset may take any number of them away."""


@dataclass(frozen=True, slots=True)
class Quiet:
    """Expect nothing at all for so many seconds."""

    seconds: float
    peer: str = ""


@dataclass(frozen=True, slots=True)
class Wait:
    """Do nothing for so many seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Noted:
    """Expect that a handler has noted this (`Scenario.notes` has all the notes)."""

    what: str
    after: float | None = None
    within: float | None = None


@dataclass(frozen=True, slots=True)
class Stuck:
    """Expect that something which a handler counts stands still for so many seconds, before it has come to `below`."""

    what: str
    below: int
    seconds: float = 0.2


@dataclass(frozen=True, slots=True)
class Before:
    """Expect that what a handler counts has not come to `count` yet: what the last step expected has come first.

    Where time is virtual work takes none of it, so a flood is over when it has been sent; there this is always met.
    """

    what: str
    count: int


@dataclass(frozen=True, slots=True)
class HalfClose:
    """End this direction (FIN), and go on reading."""

    peer: str = ""


@dataclass(frozen=True, slots=True)
class Close:
    """End both directions: what still comes is answered with a reset."""

    peer: str = ""


@dataclass(frozen=True, slots=True)
class Reset:
    """Cut the stream (RST)."""

    peer: str = ""


@dataclass(frozen=True, slots=True)
class Shutdown:
    """Let the server begin to shut down."""

    code: int = 1001
    reason: str = ""
    grace: float | None = None


Step: TypeAlias = (
    Connect
    | Refused
    | Send
    | Overfill
    | Expect
    | ExpectEnd
    | Quiet
    | Wait
    | Noted
    | Stuck
    | Before
    | HalfClose
    | Close
    | Reset
    | Shutdown
)
"""One step of a scenario."""
