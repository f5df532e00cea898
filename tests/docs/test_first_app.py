"""What docs/tutorial/first-app.md shows is what its programs answer."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

import pytest

from pages import Block, blocks_of
from spry_core import Application, ConnectionClosed
from spry_core.testing import TestClient

PAGE: Final = "docs/tutorial/first-app.md"
BLOCKS: Final = list(blocks_of(PAGE))


def application_of(block: Block) -> Application:
    """Run a block and return the application that it makes."""
    namespace: dict[str, object] = {"__name__": "hello"}
    # Empty lines in front: a traceback then names the line of the page.
    exec(compile("\n" * (block.line - 1) + block.code, block.page, "exec", dont_inherit=True), namespace)
    app = namespace["app"]
    assert isinstance(app, Application)
    return app


def questions() -> Iterator[tuple[Block, str, str]]:
    """Yield each `curl` of the page: the program that answers, the target, and what the page shows."""
    program = BLOCKS[0]
    for block in BLOCKS:
        if block.language == "python":
            program = block
        for target, answer in re.findall(
            r"^\$ curl http://127\.0\.0\.1:8000(\S+)\n([^$]*)", block.code, re.MULTILINE
        ):
            yield program, target, answer


QUESTIONS: Final = list(questions())


def test_the_page_asks_twice() -> None:
    assert [target for _, target, _ in QUESTIONS] == ["/", "/greet/Ada"]


@pytest.mark.parametrize(("program", "target", "answer"), QUESTIONS)
def test_the_answer_is_the_one_on_the_page(program: Block, target: str, answer: str) -> None:
    response = TestClient(application_of(program)).get(target)
    assert (response.status_code, response.text.rstrip("\n")) == (200, answer.rstrip("\n"))


def test_a_long_name_is_refused() -> None:
    response = TestClient(application_of(QUESTIONS[1][0])).get("/greet/Wolfeschlegelsteinhausenbergerdorff")
    assert (response.status_code, response.text) == (400, "nobody is called that")


def test_the_echo_answers_in_capitals_and_takes_its_leave() -> None:
    (program,) = (block for block in BLOCKS if "<!doctype html>" in block.code)
    client = TestClient(application_of(program))
    assert client.get("/").headers["content-type"] == "text/html; charset=utf-8"
    with client.ws("/echo") as ws:
        ws.send("grüß dich")
        assert ws.receive() == "GRÜSS DICH"
        ws.send("bye")
        with pytest.raises(ConnectionClosed) as caught:
            ws.receive()
    assert (caught.value.close_code, caught.value.close_reason) == (1000, "see you")
