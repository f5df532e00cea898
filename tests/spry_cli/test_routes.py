from __future__ import annotations

import re

import pytest

from spry_cli.routes import show_routes
from spry_core import Application


def test_each_route_is_one_line_on_standard_output_in_the_order_of_registration(
    capsys: pytest.CaptureFixture[str],
) -> None:
    app = Application()

    @app.post("/orders/:id")
    async def change(request: object) -> str:
        return ""

    @app.ws("/news")
    async def news(ws: object, request: object) -> None: ...

    show_routes(app)
    out, err = capsys.readouterr()
    assert [re.split(r"\s+", line, maxsplit=3)[:3] for line in out.splitlines()] == [
        ["POST", "/orders/:id", "change"],
        ["WS", "/news", "news"],
    ]
    assert err == ""


def test_an_application_without_routes_shows_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    show_routes(Application())
    assert capsys.readouterr() == ("", "")
