"""A message that goes to many connections, and is encoded for all of them at once."""

from __future__ import annotations


class PreparedMessage:
    """A whole message, and what every connection makes of it alike: the bytes of its text, and its frame where that is neither
    masked nor compressed (RFC 6455 §5.2).
    """

    __slots__ = ("data", "payload", "pieces")

    def __init__(self, data: str | bytes) -> None:
        """Prepare `str` as a text message, `bytes` as a binary one.

        Raises:
            UnicodeEncodeError: It is text with half a surrogate pair.
        """
        self.data: str | bytes = data
        """What the message says."""
        self.payload: bytes = data.encode() if isinstance(data, str) else data
        """The same as bytes."""
        self.pieces: tuple[bytes, ...] | None = None
        """Its frame, in order, as the first connection that needed it has made it."""
