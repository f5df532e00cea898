"""The law of cuts."""

from __future__ import annotations

import pytest

import lawless
from hostile import application
from lawless import with_core
from spry_core.testing.laws import LawBroken, split_invariance


def test_cuts_may_be_given_as_a_property_test_has_them() -> None:
    data = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
    split_invariance(application(), "/", data=data, cases=[(), (3, 3, 20), (15, 16)])
    split_invariance(application(), "/", cases=[])


def test_what_differs_is_told_with_the_cuts() -> None:
    data = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
    subject = with_core(lawless.LosesCarriageReturns)
    split_invariance(subject, "/", data=data, cases=[(14,), (16,)])
    with pytest.raises(LawBroken) as caught:
        split_invariance(subject, "/", data=data, cases=[(14,), (15,)])
    assert (caught.value.case, caught.value.data, caught.value.seed) == ((15,), data, 0)
    assert "bytes, from 0: b'HTTP/1.1 200 OK" in str(caught.value)
    assert "bytes, from 0: b'HTTP/1.1 400 Bad Request" in str(caught.value)


def test_cuts_that_nobody_gives_are_made() -> None:
    split_invariance(application(), "/", samples=5)
    with pytest.raises(LawBroken):
        split_invariance(with_core(lawless.LosesCarriageReturns), "/")
