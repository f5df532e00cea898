"""Tests of `spry_core.testing.strategies.closing` (RFC 6455 §7.4)."""

from __future__ import annotations

import pytest
from hypothesis import given
from websockets.exceptions import ProtocolError
from websockets.frames import Close as TheirClose

from drawn import examples, simplest
from spry_core.closing import check_close, is_wire_close_code
from spry_core.protocol import Close
from spry_core.testing.strategies import (
    application_close_codes,
    close_codes,
    close_reasons,
    closes,
    forbidden_close_codes,
    reserved_close_codes,
)

CODES = {code for code in range(65536) if is_wire_close_code(code)}


@given(closes())
def test_websockets_reads_a_close(close: Close) -> None:
    assert check_close(close.code, close.reason) == close
    if close.code is not None:
        data = close.code.to_bytes(2, "big") + close.reason.encode()
        assert TheirClose.parse(data) == TheirClose(close.code, close.reason)


@given(forbidden_close_codes())
def test_nobody_reads_a_forbidden_code(code: int) -> None:
    assert not is_wire_close_code(code)
    with pytest.raises(ProtocolError):
        TheirClose.parse(code.to_bytes(2, "big"))


def test_codes_come_from_all_ranges() -> None:
    assert set(range(1007, 1015)) | {1000, 1001, 1002, 1003} <= set(examples(close_codes())) <= CODES
    assert set(examples(application_close_codes())) <= {1000, *range(3000, 5000)}
    assert set(examples(reserved_close_codes())) == {1005, 1006, 1015}
    drawn = set(examples(forbidden_close_codes(), 500))
    ranges = (range(1000), {1004, 1005, 1006, 1015}, range(1016, 3000), range(5000, 65536))
    assert all(drawn & set(each) for each in ranges)


def test_the_simplest_are_short() -> None:
    assert simplest(close_codes()) == simplest(application_close_codes()) == 1000
    assert simplest(forbidden_close_codes(), lambda code: code > 1004) == 1005
    assert simplest(closes()) == Close()
    assert simplest(closes(), lambda close: close.code is not None) == Close(code=1000)


def test_a_reason_is_cut_between_characters() -> None:
    drawn = examples(close_reasons(max_bytes=5), 500)
    assert max(len(reason.encode()) for reason in drawn) == 5
    assert any(len(reason) < len(reason.encode()) for reason in drawn)
