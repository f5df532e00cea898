"""The law of time."""

from __future__ import annotations

import pytest

import lawless
from hostile import application
from lawless import with_core
from spry_core.testing.laws import LawBroken, time_monotony
from spry_core.testing.requests import head


def test_lateness_changes_nothing_also_for_bytes_of_ones_own() -> None:
    time_monotony(application(), "/", data=b"GET / HTT", cases=[0.5, None, 100.0])
    time_monotony(application(), "/echo", cases=[])


def test_a_core_that_takes_every_call_for_a_deadline_is_found() -> None:
    with pytest.raises(LawBroken) as caught:
        time_monotony(with_core(lawless.FiresEarly), "/")
    assert (caught.value.law, caught.value.case) == ("time_monotony", None)


def test_one_whole_request_is_sent_whatever_its_target_is_called() -> None:
    with pytest.raises(LawBroken) as caught:
        time_monotony(with_core(lawless.FiresEarly), "/POST")
    assert caught.value.data == head("GET", "/POST")
