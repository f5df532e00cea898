"""Tests of `spry_core.testing.strategies.closing` (RFC 6455 §7.4)."""

from __future__ import annotations

import pytest
from hypothesis import given
from websockets.exceptions import ProtocolError
from websockets.frames import Close as TheirClose

from drawn import Productions, examples, few, missing, seen, simplest
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


@few
@given(closes())
def test_websockets_reads_a_close(close: Close) -> None:
    assert check_close(close.code, close.reason) == close
    if close.code is not None:
        data = close.code.to_bytes(2, "big") + close.reason.encode()
        assert TheirClose.parse(data) == TheirClose(close.code, close.reason)


@few
@given(forbidden_close_codes())
def test_nobody_reads_a_forbidden_code(code: int) -> None:
    assert not is_wire_close_code(code)
    with pytest.raises(ProtocolError):
        TheirClose.parse(code.to_bytes(2, "big"))


def test_codes_come_from_all_ranges() -> None:
    registered = {code for code in CODES if code < 3000}
    assert registered <= seen(close_codes(), lambda code: [code], registered) <= CODES
    assert set(examples(application_close_codes())) <= {1000, *range(3000, 5000)}
    assert set(examples(reserved_close_codes())) == {1005, 1006, 1015}
    ranges: Productions[int] = {
        "below 1000": lambda code: code < 1000,
        "1016 to 2999": lambda code: 1016 <= code < 3000,
        "above 4999": lambda code: code >= 5000,
        **{str(code): code.__eq__ for code in (1004, 1005, 1006, 1015)},
    }
    assert missing(forbidden_close_codes(), ranges) == set()


def test_the_simplest_are_short() -> None:
    assert simplest(close_codes()) == simplest(application_close_codes()) == 1000
    assert simplest(forbidden_close_codes(), lambda code: code > 1004) == 1005
    assert simplest(closes()) == Close()
    assert simplest(closes(), lambda close: close.code is not None) == Close(code=1000)


def test_a_reason_is_cut_between_characters() -> None:
    lengths = {(characters, size) for size in range(6) for characters in range((size + 3) // 4, size + 1)}
    told = seen(close_reasons(max_bytes=5), lambda reason: [(len(reason), len(reason.encode()))], lengths)
    assert told == lengths
