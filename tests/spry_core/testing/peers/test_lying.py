"""Peers that break a rule in what they say, against an application in memory."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest

from hostile import met
from spry_core.testing.peers import Report, lying


@pytest.mark.parametrize(
    ("peer", "close_code"),
    [
        (lying.unmasked, 1002),
        (lying.reserved_opcode, 1002),
        (lying.bad_text, 1007),
        (lying.trailing_garbage, 1002),
        (lying.pong_forger, 1000),
    ],
)
def test_what_is_wrong_in_a_frame_gets_its_close_code(peer: Callable[..., Report], close_code: int) -> None:
    """RFC 6455 §7.4.1."""
    assert met(partial(peer, target="/echo")) == (f"101, Close {close_code}", "end of stream", 0.0)


@pytest.mark.parametrize("fault", lying.HANDSHAKES)
def test_a_bad_handshake_gets_no_101(fault: str) -> None:
    """RFC 6455 §4.2.1, and the table of docs/websockets.md."""
    due = "426" if fault in ("no version", "version 8", "no Connection", "Upgrade to another") else "400"
    run = partial(lying.bad_handshake, target="/echo", fault=fault)
    assert met(run) == (due, "end of stream", 0.0)


def test_where_no_websocket_is_they_report_what_was_answered() -> None:
    for peer in (lying.unmasked, lying.pong_forger):
        assert met(partial(peer, target="/nowhere")) == ("404", "end of stream", 15.0), peer
    assert met(partial(lying.trailing_garbage, target="/nowhere")) == ("404", "end of stream", 0.0)
