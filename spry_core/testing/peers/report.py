"""What a hostile peer has to tell afterwards."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Ending(Enum):
    """How a peer's connection ended, as the peer saw it."""

    END = "end of stream"
    """The server ended its direction, after whatever it had to say."""

    RESET = "reset"
    """The server cut the stream."""

    LEFT = "left"
    """The peer itself cut the stream, which is what it does."""

    PATIENCE = "outlived"
    """Neither, and the peer's patience was over: the server would keep the connection for as long as the peer likes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What one peer sent, what came back, and how and when it ended."""

    name: str
    """Which peer it was."""

    sent: int
    """Bytes that the stream has taken from it."""

    received: int
    """Bytes that it has read."""

    beginning: bytes
    """The first of them, at most 16 KiB."""

    status_code: int | None
    """The status code of the last response head (RFC 9110 §15), or None."""

    answers: int
    """Response heads that came, interim ones too."""

    close_code: int | None
    """What the server's Close frame said; 1005 for an empty one, None without one (RFC 6455 §7.1.5)."""

    messages: int
    """Messages that came whole."""

    pongs: int
    """Pong frames that came."""

    ending: Ending
    """How it ended."""

    seconds: float
    """From the connection to that end, virtual in memory and real over a socket."""

    @property
    def outlived(self) -> bool:
        """True if nobody ended the connection in time: the server hangs on to whoever behaves like this."""
        return self.ending is Ending.PATIENCE

    @property
    def answer(self) -> str:
        """What came back, in a few words: ``"408"``, ``"101, Close 1009"``, ``"nothing"``."""
        said = [] if self.status_code is None else [str(self.status_code)]
        if self.close_code is not None:
            said.append(f"Close {self.close_code}")
        return ", ".join(said) or ("something" if self.received else "nothing")

    def __str__(self) -> str:
        return (
            f"{self.name}: {self.answer}; {self.ending.value} after {self.seconds:.2f} s "
            f"({self.sent} bytes sent, {self.received} received)"
        )
