"""Cancellation: the memory driver passes every scenario, to the byte and to the moment."""

from __future__ import annotations

import pytest

from spry_core.testing.conformance import Scenario, memory, play
from spry_core.testing.conformance.groups import CANCELLATION


@pytest.mark.parametrize("scenario", CANCELLATION, ids=lambda scenario: scenario.name)
def test_the_memory_driver_passes(scenario: Scenario) -> None:
    assert play(memory, scenario).failure is None
