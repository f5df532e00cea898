"""Half-closes and resets: the memory driver passes every scenario, to the byte and to the moment."""

from __future__ import annotations

import pytest

from spry_core.testing.conformance import Scenario, memory, play
from spry_core.testing.conformance.groups import HALF_CLOSE, RESETS


@pytest.mark.parametrize("scenario", [*HALF_CLOSE, *RESETS], ids=lambda scenario: scenario.name)
def test_the_memory_driver_passes(scenario: Scenario) -> None:
    assert play(memory, scenario).failure is None
