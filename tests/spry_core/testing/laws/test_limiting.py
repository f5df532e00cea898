"""The law of limits."""

from __future__ import annotations

import tracemalloc

import pytest

import lawless
from hostile import application
from lawless import with_core
from spry_core import Limits
from spry_core.testing.laws import AppSubject, LawBroken, limits_before_allocation


def test_what_is_held_is_measured() -> None:
    """A server that may hold much does; and what is measured already is measured still."""
    generous = AppSubject(application(), limits=Limits(max_message_size=128 << 20))
    tracemalloc.start()
    try:
        with pytest.raises(LawBroken) as caught:
            limits_before_allocation(generous, "/echo", cases=["inflating"])
        assert tracemalloc.is_tracing()
    finally:
        tracemalloc.stop()
    assert caught.value.case == "inflating"
    assert str(caught.value).splitlines()[-2:] == [
        "  input:    made for the case",
        "  again:    laws.limits_before_allocation(app, '/echo', cases=['inflating'], seed=0)",
    ]
    assert "expected: at most 10485760 bytes more in memory\n" in str(caught.value)


def test_bytes_of_ones_own_are_held_to_a_bound() -> None:
    limits_before_allocation(application(), "/", data=bytes(100_000))
    with pytest.raises(LawBroken, match="case:     'data'"):
        limits_before_allocation(application(), "/", data=b"GET / HTTP/1.1\r\n", bound=10)


def test_room_for_what_is_only_promised_is_found() -> None:
    with pytest.raises(LawBroken) as caught:
        limits_before_allocation(with_core(lawless.AllocatesWhatIsPromised), "/echo")
    assert caught.value.case == "promise"


def test_a_server_that_takes_everything_is_sent_so_much_and_no_more() -> None:
    lavish = AppSubject(application(), limits=Limits(max_header_section=1 << 30, max_fields=1 << 30))
    with pytest.raises(LawBroken):
        limits_before_allocation(lavish, "/", cases=["head"], bound=200_000)


def test_a_message_of_fragments_without_end_is_held_to_its_limit() -> None:
    limits_before_allocation(application(), "/echo", cases=["fragments"])
