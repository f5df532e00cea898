"""The handlers that many scenarios share, seen by a client."""

from __future__ import annotations

import pytest

from spry_core import Application, ConnectionClosed
from spry_core.testing import TestClient
from spry_core.testing.conformance import Notebook, http, scripts, ws


def test_they_do_what_they_say() -> None:
    note, app = Notebook(), Application()
    routes = (
        http(scripts.hello),
        http(scripts.read_it, method="POST"),
        http(scripts.read_content, "/content", method="POST"),
        http(scripts.answer_late, "/late"),
        ws(scripts.echo, "/echo"),
        ws(scripts.hear, "/hear"),
        ws(scripts.stay, "/stay"),
    )
    for register in routes:
        register(app, note)
    with TestClient(app) as client:
        assert client.get("/").text == "hello"
        assert client.post("/", content=b"abc").content == b"abc"
        assert client.post("/content", content=b"abc").text == "3"
        assert (client.get("/late").text, client.now) == ("late", 0.15)
        half = client.connect()
        half.send(b"POST /content HTTP/1.1\r\nHost: t\r\nContent-Length: 3\r\n\r\na")
        half.reset()
        with client.ws("/echo") as echo:
            echo.send("a")
            assert echo.receive() == "a"
        with client.ws("/hear") as hear:
            hear.send("a")
            hear.send(b"b")
        stay = client.ws("/stay")
        stay.close()
        with pytest.raises(ConnectionClosed):
            stay.receive()
    assert note.notes == ["begun", "done", "lost", "got 'a'", "got b'b'"]
