"""One call for each method that has a name."""

from __future__ import annotations

import pytest

from spry_core import Application, Request
from spry_core.testing import TestClient

app = Application()


@app.get("/hello/:name")
async def hello(request: Request) -> str:
    return f"Hello, {request.params['name']}!"


@app.on(["POST", "PUT", "PATCH", "DELETE", "OPTIONS"], "/mirror")
async def mirror(request: Request) -> dict[str, str]:
    return {
        "method": request.method,
        "type": request.headers.get("content-type", ""),
        "length": request.headers.get("content-length", ""),
        "coding": request.headers.get("transfer-encoding", ""),
        "content": await request.text(),
    }


def test_every_method_has_its_function() -> None:
    client = TestClient(app)
    assert client.get("/hello/you").text == "Hello, you!"
    assert client.head("/hello/you").content == b""
    assert client.head("/hello/you").headers["content-length"] == "11"
    for method in ("post", "put", "patch", "delete", "options"):
        assert getattr(client, method)("/mirror").json()["method"] == method.upper()
    assert client.request("TRACE", "/mirror").status_code == 405


@pytest.mark.parametrize("method", ["post", "put", "patch"])
def test_content_is_sent_in_every_form(method: str) -> None:
    send = getattr(TestClient(app), method)
    empty = {"method": method.upper(), "type": "", "length": "", "coding": "", "content": ""}
    assert send("/mirror").json() == empty
    assert send("/mirror", content=b"abc").json() == {**empty, "length": "3", "content": "abc"}
    text = {"type": "text/plain; charset=utf-8", "length": "5", "content": "café"}
    assert send("/mirror", content="café").json() == {**empty, **text}
    chunked = {"coding": "chunked", "content": "abc"}
    assert send("/mirror", content=[b"a", b"", b"bc"]).json() == {**empty, **chunked}
    json = {"type": "application/json", "length": "15", "content": '{"a":[1,"é"]}'}
    assert send("/mirror", json={"a": [1, "é"]}).json() == {**empty, **json, "length": "14"}
    assert send("/mirror", json=None).json() == {**empty, **json, "length": "4", "content": "null"}
    form = {"type": "application/x-www-form-urlencoded", "length": "14", "content": "a=1+2&b=%C3%A9"}
    assert send("/mirror", data={"a": "1 2", "b": "é"}).json() == {**empty, **form}
