"""Tests of `spry_core.closing`: which Close frames may be sent, the record of an end, and the errors that carry it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spry_core.closing import (
    ABNORMAL_CLOSURE,
    MAX_CLOSE_REASON,
    NO_STATUS_RECEIVED,
    Close,
    CloseInfo,
    ConnectionClosed,
    ConnectionLost,
    KeepaliveTimeout,
    ProtocolFailure,
    check_close,
    is_wire_close_code,
)
from spry_core.errors import ResponseSealedError

ALLOWED = {*range(1000, 1004), *range(1007, 1015), *range(3000, 5000)}


def test_exactly_the_codes_of_the_registry_and_of_applications_may_be_on_the_wire() -> None:
    """RFC 6455 §7.4.1, §7.4.2 and the registry of §11.7: every code that two bytes can say is judged."""
    assert {code for code in range(65536) if is_wire_close_code(code)} == ALLOWED
    assert not is_wire_close_code(-1)


def test_the_reported_codes_are_never_on_the_wire() -> None:
    """RFC 6455 §7.4.1."""
    assert (NO_STATUS_RECEIVED, ABNORMAL_CLOSURE) == (1005, 1006)
    assert not is_wire_close_code(NO_STATUS_RECEIVED)
    assert not is_wire_close_code(ABNORMAL_CLOSURE)


def test_a_close_that_may_be_sent_is_returned() -> None:
    """RFC 6455 §5.5.1: a code and a reason, a code alone, or nothing."""
    assert check_close(1000, "bye") == Close(code=1000, reason="bye")
    assert check_close(4999, "") == Close(code=4999)
    assert check_close(None, "") == Close() == Close(code=None, reason="")


@pytest.mark.parametrize("code", [-1, 0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65536])
def test_a_code_that_may_not_be_sent_is_refused(code: int) -> None:
    """RFC 6455 §7.4."""
    with pytest.raises(ValueError, match=rf"^close code {code} may not be sent"):
        check_close(code, "")


def test_a_reason_needs_a_code() -> None:
    """RFC 6455 §5.5.1: the reason stands behind the two bytes of the code."""
    with pytest.raises(ValueError, match=r"^a close reason needs a close code"):
        check_close(None, "bye")


@pytest.mark.parametrize("letter", ["a", "é", "€", "😀"])
def test_a_reason_has_at_most_123_bytes_as_utf_8(letter: str) -> None:
    """RFC 6455 §5.5: a control frame carries 125 bytes, two of them are the code."""
    width = len(letter.encode())
    reason = letter * (123 // width) + "b" * (123 % width)
    assert len(reason.encode()) == MAX_CLOSE_REASON == 123
    assert check_close(1000, reason[1:]).reason == reason[1:]
    assert check_close(1000, reason).reason == reason
    with pytest.raises(ValueError, match=r"^the close reason is longer than 123 bytes"):
        check_close(1000, reason + "b")


def test_a_reason_that_is_no_text_is_refused() -> None:
    """RFC 6455 §5.5.1: the reason is UTF-8, which has no surrogates."""
    with pytest.raises(UnicodeEncodeError):
        check_close(1000, "\ud800")


@given(st.none() | st.integers(-10, 70000), st.text(max_size=130))
def test_what_is_accepted_fits_into_a_frame(code: int | None, reason: str) -> None:
    try:
        close = check_close(code, reason)
    except ValueError:
        return
    assert close == Close(code=code, reason=reason)
    assert len(reason.encode()) <= 123
    assert code in ALLOWED if code is not None else not reason


def test_an_end_is_clean_if_a_close_frame_went_both_ways() -> None:
    """RFC 6455 §7.1.4."""
    ends = [
        CloseInfo(initiator="local", sent=sent, received=received)
        for sent in (None, Close())
        for received in (None, Close())
    ]
    assert [end.clean for end in ends] == [False, False, False, True]


def test_an_end_of_which_nothing_is_known_is_abnormal() -> None:
    """RFC 6455 §7.1.5: 1006 where no Close frame came."""
    info = CloseInfo(initiator="transport")
    assert (info.close_code, info.close_reason, info.sent, info.received, info.cause) == (
        1006,
        "",
        None,
        None,
        None,
    )
    counts = (info.bytes_received, info.bytes_sent, info.messages_received, info.messages_sent)
    assert (info.duration, counts) == (0.0, (0, 0, 0, 0))


def test_an_end_is_no_response() -> None:
    """The 101 was the answer (RFC 9110 §15.2.2): a middleware that would change one hears of it."""
    info = CloseInfo(initiator="local")
    with pytest.raises(ResponseSealedError, match=r"request\.upgrade_headers"):
        _ = info.headers
    with pytest.raises(ResponseSealedError, match=r"^a CloseInfo has no status_code"):
        _ = info.status_code


@pytest.mark.parametrize("kind", [ConnectionClosed, ConnectionLost, KeepaliveTimeout, ProtocolFailure])
def test_the_end_of_a_connection_is_told_by_its_record(kind: type[ConnectionClosed]) -> None:
    info = CloseInfo(
        initiator="remote", received=Close(code=4000, reason="x"), close_code=4000, close_reason="x"
    )
    error = kind(info)
    assert error.info is info
    assert (error.close_code, error.close_reason) == (4000, "x")
    assert str(error) == "the connection has ended: 4000 'x', by remote"


def test_an_end_without_a_reason_is_told_without_one() -> None:
    assert str(ConnectionClosed(CloseInfo(initiator="local"))) == "the connection has ended: 1006, by local"


def test_while_the_closing_handshake_runs_there_is_no_record() -> None:
    error = ConnectionClosed()
    assert (error.info, error.close_code, error.close_reason) == (None, 1006, "")
    assert str(error) == "the connection is closing"


def test_a_message_of_its_own_is_kept() -> None:
    assert str(ConnectionLost(None, "the peer does not read")) == "the peer does not read"
