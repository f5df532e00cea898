"""Messages compressed as RFC 7692 says, by zlib alone."""

from __future__ import annotations

import zlib
from typing import Final

from spry_core.protocol.deflate import MOST_BITS, Agreement
from spry_core.protocol.engines import Role

_TAIL: Final = b"\x00\x00\xff\xff"


class Deflater:
    """Compresses one direction's messages under an agreement (RFC 7692 §7.2.1)."""

    def __init__(self, agreement: Agreement, role: Role) -> None:
        is_client = role == "client"
        bits = agreement.client_max_window_bits if is_client else agreement.server_max_window_bits
        # zlib cannot compress with 8; who may use a window of 256 bytes is right with an agreement of 9 alone.
        self._bits = max(bits or MOST_BITS, 9)
        self._forgets = (
            agreement.client_no_context_takeover if is_client else agreement.server_no_context_takeover
        )
        self._context = zlib.compressobj(wbits=-self._bits)

    def compress(self, payload: bytes) -> bytes:
        """Return the payload data of a message, whole."""
        data = self._context.compress(payload) + self._context.flush(zlib.Z_SYNC_FLUSH)
        if self._forgets:
            self._context = zlib.compressobj(wbits=-self._bits)
        return data.removesuffix(_TAIL)
