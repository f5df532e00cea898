"""`python -m conformance`: run the cases, print the verdicts, and write the page of who had all of them."""

from __future__ import annotations

import argparse
import sys
import time
from importlib.metadata import version
from typing import Final

from kosoku._kosoku import CaseResult

from conformance import client, server
from conformance.report import page, summary, verdict
from spry_core.protocol import DEFAULT_ENGINE, EngineName
from spry_core.protocol.engines import check_engine

PAGE: Final = server.ROOT / "docs/reference/conformance.md"
SLICES: Final = (
    *("1.*", "2.*", "3.*", "4.*", "5.*", "6.*", "7.*", "9.*", "10.*"),
    *(f"12.{number}.*" for number in range(1, 6)),
    *(f"13.{number}.*" for number in range(1, 8)),
)
"""The suite in parts that take a minute or two each."""

OUT_OF_TIME: Final = "did not finish within"
"""What the suite says of a case that it gave up."""


def main() -> int:
    """Run what the arguments say; 1 if a case went wrong."""
    parser = argparse.ArgumentParser(prog="conformance", description=__doc__, allow_abbrev=False)
    parser.add_argument(
        "--subject", action="append", choices=(*server.SUBJECTS, "client"), help="(repeatable; default: each)"
    )
    parser.add_argument(
        "--cases", action="append", metavar="GLOB", help="such as '12.1.*' (repeatable; default: all)"
    )
    parser.add_argument(
        "--engine",
        default=DEFAULT_ENGINE,
        help="of the subject; with another than %(default)s the page stays",
    )
    parser.add_argument(
        "--concurrency", type=int, default=1, help="cases at a time against a server (%(default)s)"
    )
    arguments = parser.parse_args()
    try:
        check_engine(arguments.engine)
    except ValueError as error:
        parser.error(str(error))
    results: dict[str, list[CaseResult]] = {}
    for subject in arguments.subject or (*server.SUBJECTS, "client"):
        results[subject] = run(subject, arguments.cases or SLICES, arguments.concurrency, arguments.engine)
    if arguments.cases is None and arguments.engine == DEFAULT_ENGINE:
        before = PAGE.read_text(encoding="utf-8") if PAGE.exists() else ""
        PAGE.write_text(page(results, version("kosoku"), before), encoding="utf-8")
    wrong = sum(not is_in_order(case) for cases in results.values() for case in cases)
    print(f"{wrong} cases went wrong" if wrong else "every case is in order")
    return 1 if wrong else 0


def run(
    subject: str, slices: tuple[str, ...] | list[str], concurrency: int, engine: EngineName
) -> list[CaseResult]:
    """Run the slices one after the other, with a line for each."""
    results: list[CaseResult] = []
    for each in slices:
        start = time.monotonic()
        part = one_by_one(subject, run_slice(subject, each, concurrency, engine), engine)
        print(f"{subject:<8} {each:<7} {summary(part)} ({time.monotonic() - start:.0f} s)", flush=True)
        for case in part:
            if not is_in_order(case):
                print(f"    {case.case_id} {verdict(case)}: {case.result} {case.result_close}", flush=True)
        results += part
    return results


def run_slice(subject: str, cases: str, concurrency: int, engine: EngineName) -> list[CaseResult]:
    """Run the cases of one glob."""
    if subject == "client":
        return client.run([cases], engine)
    return server.run(subject, [cases], concurrency, engine)


def one_by_one(subject: str, results: list[CaseResult], engine: EngineName) -> list[CaseResult]:
    """Give the cases that ran out of the suite's own time, which says nothing of the rules, a second run each."""
    for position, result in enumerate(results):
        if OUT_OF_TIME in result.result:
            print(f"    {result.case_id}: {result.result} Once more:", flush=True)
            (results[position],) = run_slice(subject, result.case_id, 1, engine)
    return results


def is_in_order(result: CaseResult) -> bool:
    """Tell whether a case ended as it should, in the strict sense."""
    return verdict(result) in ("OK", "INFORMATIONAL")


if __name__ == "__main__":
    sys.exit(main())
