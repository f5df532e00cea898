"""What has gone of the session's, when something must go, and how much of TLS's own waits."""

from __future__ import annotations

import pytest

from spry_core.serving.ciphertext import Ciphertext


def test_what_is_added_is_fetched_once() -> None:
    ciphertext = Ciphertext(30.0)
    ciphertext.add(b"ab", 1, 0.0)
    ciphertext.add(b"", 0, 0.0)
    ciphertext.add(b"c", 0, 0.0)
    assert ciphertext.fetch() == [b"ab", b"c"]
    assert ciphertext.fetch() == []


def test_what_tls_adds_counts_as_standing_in_front() -> None:
    """RFC 8446 §5.2: five bytes of head, the data, and a tag; the data goes with the last bytes."""
    ciphertext = Ciphertext(30.0)
    ciphertext.add(bytes(10), 4, 0.0)
    assert [ciphertext.take(1, 0.0) for _ in range(10)] == [0, 0, 0, 0, 0, 0, 1, 1, 1, 1]


@pytest.mark.parametrize(
    ("n", "gone"), [(5, 0), (6, 0), (7, 1), (10, 4), (11, 4), (13, 4), (14, 4), (23, 12)]
)
def test_parts_are_taken_one_after_the_other(n: int, gone: int) -> None:
    ciphertext = Ciphertext(30.0)
    ciphertext.add(bytes(10), 4, 0.0)
    ciphertext.add(bytes(3), 0, 0.0)
    ciphertext.add(bytes(10), 8, 0.0)
    assert ciphertext.take(n, 0.0) == gone


def test_what_is_tlss_own_is_counted_until_it_has_gone() -> None:
    ciphertext = Ciphertext(30.0)
    ciphertext.add(bytes(5), 0, 0.0)
    ciphertext.add(bytes(10), 4, 0.0)
    ciphertext.add(bytes(3), 0, 0.0)
    owned = [ciphertext.own]
    for _ in range(18):
        ciphertext.take(1, 0.0)
        owned.append(ciphertext.own)
    assert owned == [8, 7, 6, 5, 4] + [3] * 11 + [2, 1, 0]


def test_the_deadline_runs_from_the_first_unsent_byte_and_moves_with_progress() -> None:
    ciphertext = Ciphertext(30.0)
    assert ciphertext.deadline is None
    ciphertext.add(b"ab", 1, 1.0)
    ciphertext.add(b"c", 1, 2.0)
    assert ciphertext.deadline == 31.0
    ciphertext.take(1, 3.0)
    assert ciphertext.deadline == 33.0
    ciphertext.take(2, 4.0)
    assert ciphertext.deadline is None
    ciphertext.add(b"d", 1, 5.0)
    assert ciphertext.deadline == 35.0


def test_without_a_timeout_there_is_no_deadline() -> None:
    ciphertext = Ciphertext(None)
    ciphertext.add(b"ab", 1, 1.0)
    ciphertext.take(1, 2.0)
    assert ciphertext.deadline is None


def test_what_is_given_up_is_not_fetched_and_not_waited_for() -> None:
    ciphertext = Ciphertext(30.0)
    ciphertext.add(b"ab", 1, 1.0)
    ciphertext.give_up()
    assert (ciphertext.fetch(), ciphertext.deadline) == ([], None)
