"""Tests of `spry_core.testing.strategies.compressed` (RFC 7692 §7.2)."""

from __future__ import annotations

import zlib

import pytest

from spry_core.protocol import Agreement
from spry_core.testing.strategies.compressed import Deflater


def test_the_example_of_the_standard() -> None:
    """RFC 7692 §7.2.3.2: the second message uses the window of the first."""
    deflater = Deflater(Agreement(), "client")
    assert deflater.compress(b"Hello") == bytes.fromhex("f248cdc9c90700")
    assert deflater.compress(b"Hello") == bytes.fromhex("f200110000")


def test_the_window_is_forgotten_if_that_was_agreed() -> None:
    """RFC 7692 §7.1.1."""
    of_server = Deflater(Agreement(server_no_context_takeover=True), "server")
    assert of_server.compress(b"Hello") == of_server.compress(b"Hello")
    of_client = Deflater(Agreement(server_no_context_takeover=True), "client")
    assert of_client.compress(b"Hello") != of_client.compress(b"Hello")


@pytest.mark.parametrize("bits", [8, 9, 15, None])
def test_the_window_is_no_larger_than_was_agreed(bits: int | None) -> None:
    """RFC 7692 §7.1.2."""

    payload = bytes(range(256)) * 8
    data = Deflater(Agreement(client_max_window_bits=bits), "client").compress(payload)
    inflater = zlib.decompressobj(wbits=-max(bits or 15, 9))
    assert inflater.decompress(data + b"\x00\x00\xff\xff") == payload
