"""What came of it, as text."""

from __future__ import annotations

from spry_core.testing.conformance import Failure, Result, Scenario, explanation, table, verdict
from spry_core.testing.conformance.report import describe, excerpt
from spry_core.testing.conformance.steps import RST, Connect, Expect, ExpectEnd, Send, Shutdown

SCENARIO = Scenario("mine", "it works", (), (Send(b"a"), Expect(b"ab")), catches="does not work")
FAILURE = Failure(what="other bytes have come", step=1, expected=b"ab", actual=b"ax")


def test_a_table_has_a_line_for_each_group_and_one_for_all() -> None:
    other = Scenario("other group", "name", (), ())
    results = [
        Result(scenario=SCENARIO),
        Result(scenario=SCENARIO, failure=FAILURE),
        Result(scenario=other, skipped="why"),
    ]
    assert list(table(results)) == [
        "group        passed  failed  skipped",
        "mine              1       1        0",
        "other group       0       0        1",
        "all               1       1        1",
    ]
    assert next(table([])) == "group  passed  failed  skipped"


def test_a_verdict_is_a_line() -> None:
    assert verdict(Result(scenario=SCENARIO)) == "passed   mine: it works"
    assert verdict(Result(scenario=SCENARIO, failure=FAILURE)) == "FAILED   mine: it works"
    assert verdict(Result(scenario=SCENARIO, skipped="why")) == "skipped  mine: it works (why)"


def test_an_explanation_tells_the_step_the_bytes_and_what_to_do() -> None:
    assert list(explanation(SCENARIO, FAILURE, "do it again")) == [
        "FAILED mine: it works",
        "  at step 2 of 2: Expect(data=b'ab')",
        "  other bytes have come",
        "  expected b'ab'",
        "  actual   b'ax'",
        "  fails for a backend that does not work",
        "  again: do it again",
    ]


def test_an_explanation_leaves_out_what_there_is_not() -> None:
    plain = Scenario("mine", "it works", (), ())
    assert list(explanation(plain, Failure(what="no notes"), "x")) == [
        "FAILED mine: it works",
        "  no notes",
        "  again: x",
    ]


def test_where_nothing_was_served_the_scenario_has_nothing_to_say() -> None:
    failure = Failure(what="serving has failed: OSError()", is_of_serving=True)
    assert list(explanation(SCENARIO, failure, "x")) == [
        "FAILED mine: it works",
        "  serving has failed: OSError()",
        "  again: x",
    ]


def test_long_bytes_are_shown_where_they_differ() -> None:
    long = bytes(1000)
    failure = Failure(what="other bytes have come", expected=long, actual=long[:500] + b"x")
    lines = list(explanation(SCENARIO, failure, ""))
    assert lines[2].endswith(" (bytes 484 to 556 of 1000)")
    assert lines[3] == f"  actual   {bytes(16) + b'x'!r} (bytes 484 to 501 of 501)"
    failure = Failure(what="nothing more has come", expected=b"ab\x1a", actual=None)
    assert list(explanation(SCENARIO, failure, ""))[2:4] == ["  expected b'ab?'", "  actual   b''"]


def test_a_step_is_written_as_in_its_scenario() -> None:
    assert describe(ExpectEnd(RST, "a", after=0.5)) == "ExpectEnd(how='RST', peer='a', after=0.5)"
    assert describe(Connect(slow=True)) == "Connect(slow=True)"
    assert describe(Shutdown(reason="bye")) == "Shutdown(reason='bye')"
    assert excerpt(b"x" * 100, 0) == f"{b'x' * 72!r} (bytes 0 to 72 of 100)"
