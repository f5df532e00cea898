"""The laws of answers."""

from __future__ import annotations

from dataclasses import replace

import pytest

import lawless
from frames import PING, frame
from hostile import application
from lawless import with_core
from spry_core.protocol.compression import Compressor
from spry_core.protocol.deflate import Agreement, Deflate
from spry_core.protocol.engines import Role
from spry_core.testing.laws import LawBroken, echo, pongs_in_order
from spry_core.testing.laws.answering import COMPRESSIBLE, echoes
from spry_core.testing.requests import HOST, handshake


def test_pings_of_ones_own_are_answered_wherever_they_are_cut() -> None:
    """RFC 6455 §5.5.3."""
    data = handshake("/echo") + frame(PING, b"a") + frame(PING, b"b")
    pongs_in_order(application(), "/echo", data=data, cases=[(), (len(data) - 3,)])


def test_a_lost_pong_is_found() -> None:
    data = handshake("/echo") + frame(PING, b"a") + frame(PING, b"b")
    with pytest.raises(LawBroken) as caught:
        pongs_in_order(with_core(lawless.LosesPongs), "/echo", data=data)
    assert "expected: Pongs [b'a', b'b']\n  got:      [b'a']\n" in str(caught.value)
    assert caught.value.case == ()


def test_messages_of_ones_own_come_back() -> None:
    """RFC 6455 §5.6."""
    echo(application(), "/echo", data=handshake("/echo"), cases=[["a", b"b"], []])


def test_a_lost_message_is_found_and_found_again() -> None:
    with pytest.raises(LawBroken) as caught:
        echo(lawless.forgets_empty_messages(), "/echo", cases=[["a"], ["a", "", b"b"]])
    assert caught.value.case == ("a", "", b"b")
    assert "expected: ['a', '', b'b']\n  got:      ['a', b'b']\n" in str(caught.value)


def test_only_an_echo_echoes() -> None:
    assert (echoes(application(), "/echo"), echoes(application(), "/"), echoes(lawless.deaf(), "/deaf")) == (
        *(True, False, False),
    )


def test_a_compressor_that_remembers_what_it_should_forget_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """RFC 7692 §7.1.1.1."""
    right = Compressor.__init__

    def remember(self: Compressor, agreement: Agreement, role: Role, deflate: Deflate) -> None:
        right(self, replace(agreement, server_no_context_takeover=False), role, deflate)

    echo(application(), "/echo")
    monkeypatch.setattr(Compressor, "__init__", remember)
    with pytest.raises(LawBroken) as caught:
        echo(application(), "/echo")
    assert caught.value.case == COMPRESSIBLE
    assert caught.value.data == handshake(
        "/echo", HOST, "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover"
    )


def test_pings_that_nobody_gives_are_made() -> None:
    pongs_in_order(application(), "/echo", samples=2)
    with pytest.raises(LawBroken):
        pongs_in_order(with_core(lawless.LosesPongs), "/echo", samples=2)
