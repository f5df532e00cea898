"""The demo's application, without a socket: what it answers, and how its rooms treat their members."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterator
from hashlib import sha256
from html.parser import HTMLParser

import pytest

from examples.demo.app import MAX_CHAT_MESSAGE, MAX_MEMBERS, PAGE, app, rooms
from spry_core import VERSION, ConnectionClosed
from spry_core.testing import ClientWebSocket, TestClient


@pytest.fixture
def client() -> Iterator[TestClient]:
    """A client; when it has gone, nobody is in any room."""
    with TestClient(app) as client:
        yield client
    assert rooms == {}


class InlineHashes(HTMLParser):
    """Hash the content of the elements that a Content-Security-Policy restricts, as a browser does."""

    def __init__(self) -> None:
        super().__init__()
        self.tag = ""
        self.hashes: dict[str, list[str]] = {"script": [], "style": []}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tag = tag
        assert not [name for name, _ in attrs if name == "style" or name.startswith("on")]

    def handle_data(self, data: str) -> None:
        if self.tag in self.hashes:
            self.hashes[self.tag].append(f"'sha256-{b64encode(sha256(data.encode()).digest()).decode()}'")

    def handle_endtag(self, tag: str) -> None:
        self.tag = ""


def news(socket: ClientWebSocket) -> object:
    text = socket.receive()
    assert isinstance(text, str)
    return json.loads(text)


def messages_to_the_end(socket: ClientWebSocket) -> list[str | bytes]:
    """Read until the connection has ended."""
    messages: list[str | bytes] = []
    while True:
        try:
            messages.append(socket.receive())
        except ConnectionClosed:
            return messages


def closing(socket: ClientWebSocket) -> tuple[int, str]:
    """Read to the end and return the close code and reason."""
    messages_to_the_end(socket)
    assert socket.close_info is not None
    return socket.close_info.close_code, socket.close_info.close_reason


def test_the_page_allows_its_own_script_and_style_and_no_other(client: TestClient) -> None:
    response = client.get("/")
    inline = InlineHashes()
    inline.feed(PAGE)
    assert (response.status_code, response.text) == (200, PAGE)
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert response.headers["content-security-policy"].split("; ") == [
        "default-src 'none'",
        "base-uri 'none'",
        "connect-src 'self'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "img-src data:",
        f"script-src {' '.join(inline.hashes['script'])}",
        f"style-src {' '.join(inline.hashes['style'])}",
    ]
    assert {tag: len(hashes) for tag, hashes in inline.hashes.items()} == {"script": 1, "style": 1}


@pytest.mark.parametrize("path", ["/", "/about", "/nowhere"])
def test_every_response_carries_the_security_fields(path: str, client: TestClient) -> None:
    headers = client.get(path).headers
    assert headers["cross-origin-opener-policy"] == "same-origin"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["x-content-type-options"] == "nosniff"


def test_about_names_version_and_backend(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(app.locals, "backend", "memory")
    assert client.get("/about").json() == {"backend": "memory", "version": VERSION}


def test_the_echo_keeps_the_kind_of_a_message(client: TestClient) -> None:
    """The opcode says whether a message is text or binary (RFC 6455 §5.6)."""
    with client.ws("/echo") as socket:
        for message in ("Grüße", b"\x00\xff", "", b""):
            socket.send(message)
            assert socket.receive() == message


def test_members_hear_who_comes_what_is_said_and_who_goes(client: TestClient) -> None:
    with client.ws("/rooms/tea?name=Ada") as ada:
        assert news(ada) == {"event": "welcome", "name": "Ada", "members": ["Ada"]}
        with client.ws("/rooms/tea?name=Grace") as grace:
            assert news(grace) == {"event": "welcome", "name": "Grace", "members": ["Ada", "Grace"]}
            assert news(ada) == {"event": "joined", "name": "Grace", "members": ["Ada", "Grace"]}
            grace.send("Grüße")
            assert news(ada) == {"event": "said", "name": "Grace", "text": "Grüße"}
            ada.send("hello")
            assert news(grace) == {"event": "said", "name": "Ada", "text": "hello"}
        assert news(ada) == {"event": "left", "name": "Grace", "members": ["Ada"]}


def test_rooms_do_not_hear_each_other(client: TestClient) -> None:
    with client.ws("/rooms/tea?name=Ada") as ada, client.ws("/rooms/coffee?name=Grace") as grace:
        assert news(ada) == {"event": "welcome", "name": "Ada", "members": ["Ada"]}
        assert news(grace) == {"event": "welcome", "name": "Grace", "members": ["Grace"]}
        assert sorted(rooms) == ["coffee", "tea"]


@pytest.mark.parametrize(
    ("wanted", "name"),
    [
        ("", "guest"),
        ("%20Ada%0A%20L.", "Ada L."),
        ("x" * 30, "x" * 24),
        ("Ada", "Ada"),
        ("M%C3%BCller", "Müller"),
    ],
)
def test_a_name_is_tidied(wanted: str, name: str, client: TestClient) -> None:
    with client.ws(f"/rooms/tea?name={wanted}") as socket:
        assert news(socket) == {"event": "welcome", "name": name, "members": [name]}


def test_no_two_members_have_one_name(client: TestClient) -> None:
    with client.ws("/rooms/tea?name=Ada"), client.ws("/rooms/tea?name=Ada"):
        with client.ws("/rooms/tea?name=Ada") as third:
            members = ["Ada", "Ada 2", "Ada 3"]
            assert news(third) == {"event": "welcome", "name": "Ada 3", "members": members}


def test_a_member_who_is_cut_off_has_left(client: TestClient) -> None:
    with client.ws("/rooms/tea?name=Ada") as ada:
        client.ws("/rooms/tea?name=Grace").abort()
        assert [news(ada) for _ in range(3)] == [
            {"event": "welcome", "name": "Ada", "members": ["Ada"]},
            {"event": "joined", "name": "Grace", "members": ["Ada", "Grace"]},
            {"event": "left", "name": "Grace", "members": ["Ada"]},
        ]
        assert client.reports[-1].exception is None


def test_a_room_speaks_text(client: TestClient) -> None:
    """1003 says that a kind of data cannot be accepted (RFC 6455 §7.4.1)."""
    socket = client.ws("/rooms/tea")
    socket.send(b"\x00")
    assert closing(socket) == (1003, "this room speaks text")


def test_what_is_said_has_a_limit(client: TestClient) -> None:
    """1009 says that a message is too big to process (RFC 6455 §7.4.1)."""
    socket = client.ws("/rooms/tea")
    socket.send("x" * MAX_CHAT_MESSAGE)
    socket.send("x" * (MAX_CHAT_MESSAGE + 1))
    assert closing(socket)[0] == 1009


def test_a_full_room_lets_nobody_in(client: TestClient) -> None:
    """1013 asks to try again later (the registry of RFC 6455 §11.7)."""
    members = [client.ws("/rooms/tea") for _ in range(MAX_MEMBERS)]
    assert closing(client.ws("/rooms/tea")) == (1013, "this room is full")
    members.pop().close()
    assert isinstance(client.ws("/rooms/tea").receive(), str)


def test_a_member_who_does_not_read_has_to_go_and_the_others_stay(client: TestClient) -> None:
    with client.ws("/rooms/tea?name=Ada") as ada, client.ws("/rooms/tea?name=Grace") as grace:
        slow = client.ws("/rooms/tea?name=Slow")
        assert [news(grace) for _ in range(2)] == [
            {"event": "welcome", "name": "Grace", "members": ["Ada", "Grace"]},
            {"event": "joined", "name": "Slow", "members": ["Ada", "Grace", "Slow"]},
        ]
        text = "x" * MAX_CHAT_MESSAGE
        for _ in range(384):  # a mebibyte and a half
            ada.send(text)
            assert news(grace) == {"event": "said", "name": "Ada", "text": text}
        unread = messages_to_the_end(slow)
        assert news(grace) == {"event": "left", "name": "Slow", "members": ["Ada", "Grace"]}
    # Bounded by `Limits.max_unsent`, a mebibyte, one message more, and what the stream itself holds.
    assert 1 << 20 <= sum(map(len, unread)) < (1 << 20) + (1 << 18)
    assert closing(slow) == (1013, "too slow for this room")
