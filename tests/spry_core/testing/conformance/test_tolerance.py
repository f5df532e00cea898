"""How exactly time is kept."""

from __future__ import annotations

from spry_core.testing.conformance import REAL, VIRTUAL, Tolerance


def test_virtual_time_is_exact_and_real_time_nearly() -> None:
    assert Tolerance(at_once=0.0, early=1e-6, late=1e-6) == VIRTUAL
    assert Tolerance(at_once=5.0, early=0.01, late=1.5) == REAL
