"""A scenario makes its application, whose outermost middleware notes how WebSockets end."""

from __future__ import annotations

from spry_core.testing import TestClient
from spry_core.testing.conformance import Notebook, Scenario, http, ws
from spry_core.testing.conformance.scripts import echo, hello
from spry_core.testing.conformance.steps import Send, Shutdown

SCENARIO = Scenario(
    "group", "name", (http(hello, "/hello", "PUT"), ws(echo, max_message_size=3)), (Send(b""),)
)


def test_its_title_is_made_of_group_and_name() -> None:
    assert SCENARIO.title == "group: name"


def test_it_says_whether_the_server_must_be_able_to_shut_down() -> None:
    assert not SCENARIO.needs_shutdown
    assert Scenario("group", "name", (), (Send(b""), Shutdown())).needs_shutdown


def test_its_application_serves_the_routes_and_notes_every_end() -> None:
    note = Notebook()
    client = TestClient(SCENARIO.application(note))
    assert client.put("/hello").text == "hello"
    assert note.notes == []
    client.ws("/").close(4000)
    client.ws("/").abort()
    client.ws("/").send("four")
    client.close()
    assert note.notes == [
        "end 4000 by remote",
        "end 1006 by transport, not clean",
        "end 1009 by local, not clean",
    ]
