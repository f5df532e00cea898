"""Tests of `spry_core.testing.machines.http_client`: what is right passes, and every bug is found in few steps."""

from __future__ import annotations

from typing import Final, cast

import pytest
from hypothesis import strategies as st

from broken_apps import steps_to_failure
from drawn import examples, simplest
from spry_core import Application, Request, Response
from spry_core.headers import Headers
from spry_core.testing import strategies
from spry_core.testing.machines import Answer, HttpClient
from spry_core.testing.machines.http_client import HttpSteps
from spry_core.testing.strategies import HttpRequest
from spry_core.testing.strategies.cuts import Cutter

app = Application()
SEEN: list[str] = []


@app.post("/upper")
async def upper(request: Request) -> bytes:
    return (await request.read()).upper()


@app.post("/streamed")
async def streamed(request: Request) -> Response:
    content = await request.read()
    return Response(iter([content[:1], content[1:]]), headers={"x-size": str(len(content))})


@app.post("/short")
async def short(request: Request) -> bytes:
    return (await request.read())[:2].upper()


@app.post("/moody")
async def moody(request: Request) -> bytes:
    SEEN.append(request.target)
    if len(SEEN) % 3 == 0:
        raise KeyError("moody")
    return (await request.read()).upper()


@app.post("/parting")
async def parting(request: Request) -> Response:
    return Response((await request.read()).upper(), headers={"connection": "close"})


@app.get("/page")
async def page(request: Request) -> str:
    return "a page"


class TestUpper(HttpClient):
    app: Application = app
    target = "/upper"
    step_count = 8
    max_examples = 25
    recordings = None

    def requests(self) -> st.SearchStrategy[HttpRequest]:
        return strategies.requests(methods=st.just(b"POST"), targets=st.just(self.target.encode()))

    def expected(self, request: HttpRequest) -> Answer:
        return Answer(content=request.content.upper())


class TestStreamed(TestUpper):
    """An answer in chunks, or to the end of the stream for HTTP/1.0."""

    target = "/streamed"

    def expected(self, request: HttpRequest) -> Answer:
        size = str(len(request.content))
        return Answer(content=request.content, headers=Headers({"x-size": size}))


class TestPage(TestUpper):
    """HEAD is answered like GET, without the content."""

    target = "/page"

    def requests(self) -> st.SearchStrategy[HttpRequest]:
        return strategies.requests(
            methods=st.sampled_from((b"GET", b"HEAD")), targets=st.just(b"/page"), content=st.just(b"")
        )

    def expected(self, request: HttpRequest) -> Answer:
        return Answer(content=b"a page")


ENDED: Final = "the server has ended the connection, and should not have"


class Wrong(TestUpper):
    __test__ = False
    step_count = 6

    def make_app(self) -> Application:
        SEEN.clear()
        return self.app


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/short", ("the content is",)),
        # Which of the two that is wrong with a 500 before the content was read is for the search to say.
        ("/moody", ("the status code is 500, and should be 200", ENDED)),
        ("/parting", (ENDED,)),
    ],
)
def test_a_bug_is_found_in_few_steps(path: str, words: tuple[str, ...]) -> None:
    machine = Wrong()
    machine.target = path
    said, steps = steps_to_failure(machine)
    assert said.startswith(words)
    assert 1 <= len(steps) <= 4


def test_what_is_waited_adds_up_to_the_end_of_an_idle_connection() -> None:
    """RFC 9112 §9.5."""

    class Asked(HttpSteps):
        def _draw(self, data: st.DataObject) -> HttpRequest:
            return simplest(self.model.requests())

    steps = Asked(TestUpper())
    steps.ask(data=cast("st.DataObject", None), cut=Cutter([1]))
    steps.wait(1)
    steps.wait(13)
    assert not steps.must_end
    steps.wait(1)
    assert steps.must_end
    steps.teardown()


def test_any_request_to_the_target_comes_up_unless_others_are_given() -> None:
    machine = HttpClient()
    machine.target = "/a?b"
    assert simplest(machine.requests()).data == b"GET /a?b HTTP/1.1\r\nHost: a\r\n\r\n"
    assert {each.target for each in examples(machine.requests(), 20)} == {b"/a?b"}


def test_a_machine_without_a_model_says_what_is_missing() -> None:
    with pytest.raises(NotImplementedError) as caught:
        HttpClient().expected(HttpRequest(data=b""))
    assert str(caught.value) == "HttpClient.expected says what is answered to a request"
