"""Steps are data: equal by value, with sound defaults."""

from __future__ import annotations

from spry_core.testing.conformance.steps import FIN, RST, Connect, Ending, Expect, ExpectEnd, Send


def test_steps_are_equal_by_value() -> None:
    assert Send(b"a") == Send(b"a", "")
    assert Expect(b"a", after=0.1) != Expect(b"a")
    assert len({Connect(), Connect(""), Connect(slow=True)}) == 2


def test_a_stream_ends_in_order_unless_it_is_said() -> None:
    assert (FIN, RST) == (Ending.FIN, Ending.RST)
    assert ExpectEnd().how is FIN
