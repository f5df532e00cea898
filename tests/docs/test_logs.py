"""docs/reference/logs.md lists the fields that the records have, in their order, and its lines are such lines."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from typing import Final

import pytest

from pages import blocks_of, section_of, tables_in
from spry_cli.log import log_end
from spry_core import Application, Request, WebSocket
from spry_core.protocol import RequestHead
from spry_core.serving import ACCESS, ERROR, SERVER, LogRecord
from spry_core.serving.journal import record_held, record_want_of_memory
from spry_core.testing import TestClient

PAGE: Final = "docs/reference/logs.md"
COMMON: Final = ["kind", "peer", "method", "target"]

app = Application()


@app.get("/broken")
async def broken(request: Request) -> None:
    raise LookupError


@app.ws("/chat")
async def chat(ws: WebSocket, request: Request) -> None:
    await ws.closed


def records() -> dict[object, LogRecord]:
    """Return a record of each kind."""
    client = TestClient(app)
    client.get("/broken")
    client.ws("/chat").close()
    client.connect().send(b"\r\n" * 10)
    client.shutdown()
    head = RequestHead(method=b"GET", target=b"/")
    rare = [record_held("192.0.2.7:1", head, 5.0), record_want_of_memory("192.0.2.7:1", head)]
    found = [*client.reports, *rare]
    return {record.fields["kind"]: record for record in found}


RECORDS: Final = records()
SECTIONS: Final = {
    "http": "### A request",
    "websocket": "### A WebSocket",
    "peer fault": "### A fault of a peer",
    "application fault": "### A fault of the application",
    "shutdown": "### A shutdown",
}


def listed(heading: str) -> list[str]:
    """Return the names in the first table below a heading."""
    text = section_of(PAGE, heading).split("\n### ")[0]
    return [name.strip("`") for name, _ in tables_in(text)[0]]


def test_every_kind_of_record_is_described() -> None:
    others = {"application warning", "out of memory"}
    assert RECORDS.keys() == SECTIONS.keys() | others
    for kind, heading in SECTIONS.items():
        assert f"`kind` is `{kind}`" in section_of(PAGE, heading)
    assert all(f"`{kind}`" in section_of(PAGE, "### A fault of the application") for kind in others)


@pytest.mark.parametrize("kind", SECTIONS)
def test_the_fields_are_those_of_the_records_in_their_order(kind: str) -> None:
    common = ["kind"] if kind == "shutdown" else listed("## Fields")
    assert list(RECORDS[kind].fields) == common + listed(SECTIONS[kind])
    assert listed("## Fields") == COMMON
    assert list(RECORDS["application warning"].fields) == COMMON
    assert list(RECORDS["out of memory"].fields) == COMMON


def test_the_loggers_are_those_of_the_records() -> None:
    (rows,) = tables_in(section_of(PAGE, "## Loggers"))
    levels = {(name.strip("`"), getattr(logging, level)) for name, _, level in rows}
    assert levels == {(record.logger, record.level) for record in RECORDS.values()}
    assert {name for name, _ in levels} == {ACCESS, ERROR, SERVER}


def test_the_lines_of_the_page_are_such_lines() -> None:
    """Each has the form of a line that was made here, with other numbers and words."""
    (lines,) = (block.code.splitlines() for block in blocks_of(PAGE) if block.language == "text")
    peer = r"\S+:\d+"
    asked = rf'{peer} "[A-Z]+ /\S*"'
    milliseconds = r"\d+\.\d ms"
    forms: Mapping[str, str] = {
        "http": rf"{asked} (\d{{3}}( incomplete)?( \d+ B)?|no answer) {milliseconds}",
        "websocket": rf'{asked} websocket \d{{4}}( ".*")? by \w+, \d+ in \(\d+ B\), \d+ out \(\d+ B\),( \S+,)? {milliseconds}',
        "peer fault": rf"{peer}: [a-z].* \(RFC \d+ §[\d.]+\)",
        "application fault": rf"{asked}: \w+ in the application",
        "application warning": rf"{asked}: still running \d+(\.\d+)? s after it was cancelled; the shutdown waits for it",
        "shutdown": r"shutting down, \d+ connections?, (\d+(\.\d+)? s of grace|any time)",
    }
    for kind, form in forms.items():
        assert re.fullmatch(form, RECORDS[kind].text), RECORDS[kind].text
    found = [[kind for kind, form in forms.items() if re.fullmatch(form, line)] for line in lines]
    assert found == [
        ["http"],
        ["http"],
        ["http"],
        ["websocket"],
        ["peer fault"],
        ["application fault"],
        ["shutdown"],
        ["application warning"],
    ]


def test_the_last_record_of_the_command_is_of_the_kind_that_the_page_says(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "spry")
    log_end()
    [record] = caplog.records
    assert record.__dict__["spry"] == {"kind": "stopped"}
    assert "the `kind` `stopped`" in section_of(PAGE, "### A shutdown")
