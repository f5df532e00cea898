"""A server of the core over what the operating system gives."""

from __future__ import annotations

import logging
import resource

import pytest

from spry_core import Application, Limits, Timeouts
from spry_core.serving import LogRecord
from spry_system import log, make_server
from spry_system.server import most_connections


@pytest.mark.parametrize(
    ("descriptors", "expected"), [(1000, 800), (20_000, 10_000), (resource.RLIM_INFINITY, 10_000)]
)
def test_four_fifths_of_the_descriptors_are_for_connections(
    descriptors: int, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def getrlimit(which: int) -> tuple[int, int]:
        return descriptors, descriptors

    monkeypatch.setattr(resource, "getrlimit", getrlimit)
    assert most_connections(Limits()) == expected
    assert (
        make_server(Application(), None, None, "reference", access_log=True).limits.max_connections
        == expected
    )


def test_the_limit_that_was_given_holds_where_it_is_less() -> None:
    server = make_server(
        Application(), Limits(max_connections=7), Timeouts(head=1.0), "reference", access_log=False
    )
    assert (server.limits.max_connections, server.timeouts.head, server.logs_access) == (7, 1.0, False)


def test_a_record_goes_to_its_logger_with_its_fields_and_its_traceback(
    caplog: pytest.LogCaptureFixture,
) -> None:
    error = KeyError("x")
    caplog.set_level(logging.INFO, "spry")
    log(LogRecord(logger="spry.error", level=40, text="100 % wrong", fields={"peer": "p"}, exception=error))
    (record,) = caplog.records
    assert (record.name, record.levelname, record.getMessage()) == ("spry.error", "ERROR", "100 % wrong")
    assert record.exc_info is not None
    assert record.exc_info[1] is error
    assert vars(record)["spry"] == {"peer": "p"}
