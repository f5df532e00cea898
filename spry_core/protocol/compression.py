"""Messages through DEFLATE and back, under an agreement (RFC 7692 §6, §7.2)."""

from __future__ import annotations

from spry_core.protocol.deflate import Agreement, Deflate
from spry_core.protocol.engines import Role


class Compressor:
    """Compresses the messages that we send."""

    def __init__(self, agreement: Agreement, role: Role, deflate: Deflate) -> None:
        raise NotImplementedError

    def wants(self, size: int, compress: bool | None = None) -> bool:
        """Decide whether a message of `size` bytes is compressed: as `compress` says, by the threshold if that
        is None, and never where the agreement leaves us a window of 8 bits, which zlib cannot compress with.
        """
        raise NotImplementedError

    def compress(self, data: bytes, *, ends_message: bool) -> bytes:
        """Return the payload data of the next frame of a compressed message; at most empty, never held back.

        Do not call this for a message that is sent uncompressed.
        """
        raise NotImplementedError


class Decompressor:
    """Inflates the messages that we receive, as far as there is room."""

    def __init__(self, agreement: Agreement, role: Role) -> None:
        raise NotImplementedError

    @property
    def has_more(self) -> bool:
        """True while more may come out of what was put in: make room, and call `decompress` with ``b""``.

        It may turn out to be nothing: DEFLATE tells the end of its output only when asked for more.
        """
        raise NotImplementedError

    def decompress(self, data: bytes, max_length: int, *, ends_message: bool = False) -> bytes:
        """Take payload data of a compressed message; return what it inflates to, at most `max_length` bytes.

        What finds no room waits, compressed, for the next call, and so does all of `data` if `max_length` is 0.
        The message is over when `ends_message` was said with its last data and `has_more` is False.

        Raises:
            RemoteProtocolError: The data are not DEFLATE, or do not end as a message does: Close 1007.
        """
        raise NotImplementedError
