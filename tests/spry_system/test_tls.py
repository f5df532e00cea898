"""The server's side of a TLS connection in memory."""

from __future__ import annotations

import ssl

import pytest

from secure import server_context
from spry_system import make_tls


def test_each_has_buffers_of_its_own_and_waits_for_a_client() -> None:
    one, other = make_tls(server_context()), make_tls(server_context())
    assert one.incoming is not other.incoming
    with pytest.raises(one.want_read):
        one.object.do_handshake()


def test_a_context_for_clients_is_refused() -> None:
    with pytest.raises(ssl.SSLError):
        make_tls(ssl.create_default_context())
