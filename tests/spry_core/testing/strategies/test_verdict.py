"""Tests of `spry_core.testing.strategies.verdict`."""

from __future__ import annotations

from spry_core.testing.strategies import Verdict


def test_a_verdict_is_a_value() -> None:
    verdict = Verdict(fault="no Host field", section="RFC 9112 §3.2", status_code=400)
    assert verdict == Verdict(fault="no Host field", section="RFC 9112 §3.2", status_code=400)
    assert verdict.close_code is None
