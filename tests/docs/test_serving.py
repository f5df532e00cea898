"""docs/reference/serving.md says what the signatures of both adapters say."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from typing import Final

import pytest

import spry_asyncio
import spry_trio
from pages import section_of, tables_in

PAGE: Final = "docs/reference/serving.md"
SERVE: Final = "## `serve(app, host, port, …)`"
RUN: Final = "## `run(app, host, port, …)`"


def parameters(function: Callable[..., object]) -> list[tuple[str, str]]:
    """Return names and defaults as the page writes them."""
    return [
        (f"`{each.name}`", "–" if each.default is inspect.Parameter.empty else f"`{each.default!r}`")
        for each in inspect.signature(function).parameters.values()
    ]


def rows_of(heading: str) -> list[tuple[str, str]]:
    return [(row[0], row[1]) for row in tables_in(section_of(PAGE, heading))[0]]


@pytest.mark.parametrize("serve", [spry_asyncio.serve, spry_trio.serve])
def test_the_parameters_of_serve_are_those_of_both_adapters(serve: Callable[..., object]) -> None:
    assert rows_of(SERVE) == parameters(serve)


def test_the_parameters_of_run_are_those_of_both_adapters() -> None:
    loop, started = rows_of(RUN)
    of_serve = rows_of(SERVE)
    assert parameters(spry_asyncio.run) == [*of_serve, loop, started]
    assert parameters(spry_trio.run) == [*of_serve, started]


@pytest.mark.parametrize("kind", [spry_asyncio.RunningServer, spry_trio.RunningServer])
def test_what_a_running_server_has_is_named(kind: type) -> None:
    section = section_of(PAGE, "## `RunningServer`")
    (rows,) = tables_in(section)
    named = [re.sub(r"`(?:await )?(\w+).*", r"\1", row[0]) for row in rows]
    (rest,) = re.findall(r"^The rest of .*$", section, flags=re.MULTILINE)
    inner = [name for name in re.findall(r"`(\w+)`", rest) if name != "serve"]
    methods = {name for name in vars(kind) if not name.startswith("_")}
    assert sorted(named + inner) == sorted(methods | {"addresses", "paths"})


def test_closing_is_written_as_it_is() -> None:
    closing = inspect.signature(spry_asyncio.RunningServer.close)
    assert closing == inspect.signature(spry_trio.RunningServer.close)
    written = ", ".join(str(each) for each in closing.parameters.values() if each.name != "self")
    names = re.findall(r"`await close\((.*?)\)`", section_of(PAGE, "## `RunningServer`"))
    assert [re.sub(r"\*, ", "", names[0])] == [re.sub(r": [^=]+ = ", "=", written).replace("'", '"')]
