"""What Python's `ssl` gives for one accepted stream; everything else of TLS is in `spry_core.serving.tls`."""

from __future__ import annotations

import ssl

from spry_core.serving import Tls


def make_tls(context: ssl.SSLContext) -> Tls:
    """Make the server's side of a TLS connection, over two buffers in memory."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    return Tls(
        object=context.wrap_bio(incoming, outgoing, server_side=True),
        incoming=incoming,
        outgoing=outgoing,
        want_read=ssl.SSLWantReadError,
        zero_return=ssl.SSLZeroReturnError,
        error=ssl.SSLError,
    )
