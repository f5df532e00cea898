"""The cases of the Autobahn test suite that take seconds; `python3 dev.py conformance` runs all of them."""

from __future__ import annotations

from typing import Final, cast

import pytest
from kosoku._kosoku import CaseResult

from conformance import __main__ as conformance
from conformance import client, server
from conformance.report import page, verdict
from engines import present

QUICK: Final = (
    "1.*",
    "2.*",
    "3.*",
    "4.*",
    "5.*",
    "6.*",
    "7.*",
    "10.*",
    "12.1.1",
    "12.2.4",
    "13.3.1",
    "13.7.3",
)
COUNT: Final = 251

# The suite's own cases leave their test data to the garbage collector.
pytestmark = [
    pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning"),
    pytest.mark.filterwarnings("ignore:Exception ignored in. <_io:pytest.PytestUnraisableExceptionWarning"),
]


@pytest.mark.parametrize("subject", [*server.SUBJECTS, "client"])
def test_the_quick_cases_are_in_order(subject: str) -> None:
    """RFC 6455 §5 to §8, RFC 7692 §7: every case ends exactly as it should, in the strict sense."""
    results = (
        client.run(QUICK, present()) if subject == "client" else server.run(subject, QUICK, 4, present())
    )
    wrong = {each.case_id: verdict(each) for each in results if verdict(each) not in ("OK", "INFORMATIONAL")}
    assert (len(results), wrong) == (COUNT, {})
    assert [each.case_id for each in results if verdict(each) == "INFORMATIONAL"] == [
        "7.1.6",
        "7.13.1",
        "7.13.2",
    ]
    assert f"| 2 | pings and pongs | {11} OK |" in page({subject: results}, "1.0")


def test_a_page_keeps_what_was_not_run_again() -> None:
    old = page({"trio": server.run("trio", ["1.1.1"], 1), "client": client.run(["2.1"])}, "1.0")
    new = page({"trio": server.run("trio", ["2.1"], 1)}, "1.0", old)
    assert new == page({"trio": server.run("trio", ["2.1"], 1), "client": client.run(["2.1"])}, "1.0")
    assert new.endswith(
        "\n\n## client\n\n| cases | about | results |\n|---|---|---|\n| 2 | pings and pongs | 1 OK |\n| all | | 1 OK |\n"
    )


def test_a_case_that_runs_out_of_time_is_given_a_second_run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    good, other = server.run("asyncio", ["1.1.1", "1.1.2"], 1)

    class Slow:
        case_id = "1.1.1"
        result = "Case did not finish within 480 seconds."

    runs: list[tuple[str, str, int, str]] = []

    def run_slice(subject: str, cases: str, concurrency: int, engine: str) -> list[CaseResult]:
        runs.append((subject, cases, concurrency, engine))
        return [good]

    monkeypatch.setattr(conformance, "run_slice", run_slice)
    slow = cast("CaseResult", Slow())  # no other can be made by hand
    assert conformance.one_by_one("trio", [slow, other], "pure") == [good, other]
    assert runs == [("trio", "1.1.1", 1, "pure")]
    assert capsys.readouterr().out == "    1.1.1: Case did not finish within 480 seconds. Once more:\n"
