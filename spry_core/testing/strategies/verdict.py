"""What becomes of bytes that break a rule."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the bytes did wrong, and what they deserve."""

    fault: str
    """In words."""
    section: str
    """The section of the standard that is broken, such as ``"RFC 9112 §3.2"``."""
    status_code: int | None = None
    """The status code that answers it, of a fault in a request; the connection then ends. None of a fault in a response."""
    close_code: int | None = None
    """The close code that fails the connection, of a fault in a WebSocket (RFC 6455 §7.1.7)."""
