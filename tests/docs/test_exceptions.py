"""docs/reference/exceptions.md says what the tree of exceptions is."""

from __future__ import annotations

from typing import Final

import pytest

import spry_core
from pages import blocks_of, section_of, tables_in
from spry_core import Abort, Application, Request, Rethrow, SpryError, WebSocket, WebSocketClose
from spry_core.testing import TestClient

PAGE: Final = "docs/reference/exceptions.md"
ANSWERS: Final[dict[str, type[Exception]]] = {
    "Abort": Abort,
    "WebSocketClose": WebSocketClose,
    "Rethrow": Rethrow,
}


def exported() -> dict[str, type[Exception]]:
    """Return the exceptions among the public names."""
    names = {name: getattr(spry_core, name) for name in spry_core.__all__}
    return {
        name: each
        for name, each in names.items()
        if isinstance(each, type) and issubclass(each, Exception)  # a `NoReturn` is no class either
    }


def drawn() -> dict[str, str | None]:
    """Return each name in the drawing with the one that it hangs from."""
    (tree,) = (each.code for each in blocks_of(PAGE) if each.language == "text")
    parents: dict[str, str | None] = {}
    above: list[str] = []
    for line in tree.splitlines():
        name = line.lstrip("│├└─ ")
        depth = (len(line) - len(name)) // 4
        del above[depth:]
        parents[name] = above[-1] if above else None
        above.append(name)
    return parents


def test_the_drawing_is_the_tree() -> None:
    classes = {name: each for name, each in exported().items() if issubclass(each, SpryError)}
    expected = {name: each.__base__.__name__ for name, each in classes.items() if each.__base__ is not None}
    assert drawn() == {**expected, "SpryError": None}


def test_the_table_lists_every_exception_in_the_order_of_the_drawing() -> None:
    (rows,) = tables_in(section_of(PAGE, "## The tree"))
    assert [row[0] for row in rows] == [f"`{name}`" for name in drawn()]


def test_the_answers_are_those_outside_the_tree() -> None:
    (rows,) = tables_in(section_of(PAGE, "## Answers"))
    outside = {name for name, each in exported().items() if not issubclass(each, SpryError)}
    assert {row[0] for row in rows} == {f"`{name}`" for name in outside} == {f"`{name}`" for name in ANSWERS}


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (Abort(404), 404, 1008),
        (Abort(503), 503, 1011),
        (WebSocketClose(4001, "x"), 500, 4001),
        (Rethrow(), 500, 1011),
        (KeyError("x"), 500, 1011),
    ],
)
def test_an_answer_is_what_the_page_says(error: Exception, status: int, code: int) -> None:
    app = Application()

    @app.get("/")
    async def before(request: Request) -> None:
        raise error

    @app.ws("/ws")
    async def inside(ws: WebSocket, request: Request) -> None:
        raise error

    client = TestClient(app)
    assert client.get("/").status_code == status
    with client.ws("/ws") as ws:
        assert ws.close().close_code == code
