"""Settings for every test: how Hypothesis looks for examples, and how much of the adapters a whole run has to cover."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import coverage
import pytest
from hypothesis import HealthCheck, settings

# No deadline, and nothing is too slow: both are measured with the machine's clock, and a busy machine is no fault of the code.
# Where CI is set, the examples are the same at every run, so that a change is judged by what it changed; elsewhere they are new.
settings.register_profile(
    "spry",
    deadline=None,
    derandomize="CI" in os.environ,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("spry")

GATES: Final = {"spry_core": 100.0, "spry_system": 95.0, "spry_asyncio": 95.0, "spry_trio": 95.0}
"""Percent of statements and branches that a run of the whole suite covers of each package.

The adapters have less: some of their branches are for other systems, and some for races that a run may not meet.
"""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that asks for it."""
    parser.addoption("--gates", action="store_true", help="fail unless enough of each package is covered")


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail a run that covers too little. pytest-cov, which has written its data by now, knows only one bound for all."""
    if not session.config.getoption("--gates") or session.exitstatus != pytest.ExitCode.OK:
        return
    measured = coverage.Coverage()
    measured.load()
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        shares = {each: measured.report(include=[f"{each}/*"], file=nowhere) for each in GATES}
    missed = {each: share for each, share in shares.items() if share < GATES[each]}
    for each, share in missed.items():
        print(f"\n{each}: {share:.2f} % is covered, and {GATES[each]:g} % is wanted")
    if missed:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
