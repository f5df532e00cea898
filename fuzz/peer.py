"""What is sent must be right for the one who gets it: h11 reads the answers, our own other role the frames."""

from __future__ import annotations

from collections.abc import Sequence

import h11

from spry_core.protocol import Agreement, Failure, RequestHead, Role
from traces import open_websocket

_GET = RequestHead(method=b"GET", target=b"/")
_HEAD = RequestHead(method=b"HEAD", target=b"/")


def check_answers(heads: Sequence[RequestHead], failed: bool, sent: bytes) -> None:
    """Read what a server sent to these requests, and to one that failed; every answer is whole and there is no more."""
    reader = h11.Connection(h11.CLIENT)
    reader.receive_data(sent)
    reader.receive_data(b"")
    # A head that was refused is no event. Its answer has content, unless the method was HEAD.
    refused = [_HEAD if sent.endswith(b"\r\n\r\n") else _GET] if failed else []
    for head in (*heads, *refused):
        # A CONNECT that is refused is answered as any other request; h11 has other rules for it.
        method = b"GET" if head.method == b"CONNECT" else head.method
        offers = [(b"Upgrade", b"websocket"), (b"Connection", b"upgrade")] if head.websocket else []
        reader.send(h11.Request(method=method, target=b"/", headers=[(b"Host", b"a"), *offers]))
        reader.send(h11.EndOfMessage())
        if not _read_answer(reader):
            break
    rest, _ = reader.trailing_data
    if reader.their_state is h11.SWITCHED_PROTOCOL:
        check_frames("client", rest)
    else:
        assert not rest, f"something is sent that nobody asked for: {rest!r}"


def _read_answer(reader: h11.Connection) -> bool:
    """Read one answer; return False if there is none, or none can follow."""
    while True:
        event = reader.next_event()
        if isinstance(event, h11.EndOfMessage):
            if reader.our_state is not h11.DONE or reader.their_state is not h11.DONE:
                return False
            reader.start_next_cycle()
            return True
        if isinstance(event, h11.ConnectionClosed) or event in (h11.NEED_DATA, h11.PAUSED):
            return False


def check_frames(role: Role, sent: bytes) -> None:
    """Let the peer, whose role this is, hear what was sent; it finds no fault."""
    if not sent:
        return
    peer = open_websocket(role, agreement=Agreement())
    peer.receive_data(sent, 0.0)
    wrong = [event.error for event in peer if isinstance(event, Failure)]
    assert not wrong, f"the peer refuses what was sent: {wrong}"
