"""Settings for every test: which engine does the grammar work, how Hypothesis looks for examples, and how much of the adapters
a whole run has to cover.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import coverage
import pytest
from hypothesis import HealthCheck, settings

from engines import exchange_default, is_exchanged

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
    """Add what can be asked for."""
    parser.addoption("--gates", action="store_true", help="fail unless enough of each package is covered")
    parser.addoption(
        "--engine", metavar="NAME", help="the engine of everybody who does not ask for one by its name"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Put the engine that is asked for in the place of the default; with SPRY_PURE=1 that is the one without C."""
    is_pure = os.environ.pop("SPRY_PURE", None) == "1"  # the command takes no such variable for its own
    name = config.getoption("--engine") or ("pure" if is_pure else None)
    if name is not None:
        try:
            exchange_default(name)
        except ValueError as error:
            raise pytest.UsageError(str(error)) from None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what asks for the default engine by its name, in a run in which that name is another one's."""
    if not is_exchanged():
        return
    by_name = [item for item in items if item.get_closest_marker("engines_by_name")]
    config.hook.pytest_deselected(items=by_name)
    items[:] = [item for item in items if item not in by_name]


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
