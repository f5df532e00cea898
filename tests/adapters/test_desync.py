"""HTTP/1.1 without an ambiguity, in every world: what is refused is answered and closed, and is never answered twice."""

from __future__ import annotations

import re

import pytest

from adapters.world import World, answer, request
from ambiguous.case import GET, Case
from ambiguous.corpus import CLASSES
from spry_core import Application, Request, Response

pytestmark = pytest.mark.anyio

REFUSED = {
    kind: refused
    for kind, cases in CLASSES.items()
    if (refused := {name: case for name, case in cases.items() if case.refused is not None})
}


def serve(app: Application) -> None:
    """Answer the requests of the corpus."""

    @app.get("/next")
    async def following(request: Request) -> str:
        return "next"

    @app.post("/")
    async def post(request: Request) -> bytes:
        return await request.read()


def statuses(case: Case) -> list[bytes]:
    """Return the status codes of what is answered: the requests that are complete, then the refusal."""
    assert case.refused is not None
    return [*[b"200"] * len(case.requests), b"%d" % case.refused.status_code]


@pytest.mark.parametrize("kind", REFUSED)
async def test_what_is_refused_is_answered_and_the_connection_closed(world: World, kind: str) -> None:
    """RFC 9112 §9.6, §11.2: the answer arrives, its stream ends and is not cut, and the request behind it is not served."""
    app = world.app()
    serve(app)
    async with world.serving(app) as server, world.at_once():
        for name, case in REFUSED[kind].items():
            peer = await server.connected()
            await peer.send(case.data + GET)
            seen = await peer.receive_all()
            assert re.findall(rb"HTTP/1\.1 (\d{3}) ", seen) == statuses(case), name
            peer.close()


@pytest.mark.parametrize("size", [1_000, 60_000])
async def test_the_answer_to_a_broken_request_overtakes_what_is_still_being_sent(
    world: World, size: int
) -> None:
    """RFC 9112 §9.6: it is read and thrown away, so that no reset takes the answer from the client."""
    app = world.app()
    async with world.serving(app) as server, world.at_once():
        peer = await server.connected()
        peer.flood(request("/", "Content-Length: +1", method="POST", content=bytes(size)))
        await peer.expect_end_of(answer("400 Bad Request", "Bad Request\n", ends=True))


@pytest.mark.parametrize(("length", "content"), [("3", b"abcd"), ("5", b"abcd"), ("0", b"abcd"), ("4", b"")])
async def test_whole_content_of_another_length_cuts_the_connection(
    world: World, length: str, content: bytes
) -> None:
    """RFC 9112 §6.2, §8: not a byte of it is sent, and what was asked behind it is not answered."""
    app = world.app()
    serve(app)

    @app.get("/wrong")
    async def wrong(request: Request) -> Response:
        return Response(content, headers={"content-length": length})

    async with world.serving(app) as server, world.at_once():
        peer = await server.connected()
        await peer.send(request("/wrong") + GET)
        assert await peer.receive_until_reset() == b""
        assert len(server.take_errors()) == 1
