"""Tests of `spry_core.testing.machines.websocket_peer`: what is right passes, and every bug is found in few steps."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import strategies as st

from broken_apps import Handler, app_of, steps_to_failure
from spry_core import Application, Request, WebSocket, sleep
from spry_core.protocol import Close, Timeouts
from spry_core.serving import LogRecord
from spry_core.testing.machines import WebSocketPeer


async def echo(ws: WebSocket, request: Request) -> None:
    async for message in ws:
        await ws.send(message)


async def slow(ws: WebSocket, request: Request) -> None:
    async for message in ws:
        await sleep(3)
        await ws.send(message)


async def polite(ws: WebSocket, request: Request) -> None:
    await ws.send("hello")
    async for message in ws:
        if message == "":
            ws.close(4000, "empty")
            break
        await ws.send(message)


class Short(WebSocketPeer):
    step_count = 8
    max_examples = 25
    recordings: str | Path | None = None


class TestEcho(Short):
    app: Application = app_of(echo)

    def expected(self, message: str | bytes) -> Sequence[str | bytes]:
        return [message]


class TestSlow(TestEcho):
    """Answers that take time are waited for."""

    app = app_of(slow)
    patience = 1000.0
    timeouts = Timeouts(ping_interval=None)


class TestPolite(Short):
    """The handler says something first, and closes when it likes."""

    app: Application = app_of(polite)

    def messages(self) -> st.SearchStrategy[str | bytes]:
        return st.sampled_from(["", "a", b"b"])

    def greeting(self) -> Sequence[str | bytes]:
        return ["hello"]

    def expected(self, message: str | bytes) -> Sequence[str | bytes | Close]:
        return [Close(code=4000)] if message == "" else [message]


async def obeys(ws: WebSocket, request: Request) -> None:
    async for message in ws:
        await ws.send(ANSWERS[message])


ANSWERS: dict[str | bytes, str] = {"é": "text", b"\x00\xff": "binary"}


class TestCommands(Short):
    """Whatever way a message is sent, it is one of those that the model gives."""

    app: Application = app_of(obeys)

    def messages(self) -> st.SearchStrategy[str | bytes]:
        return st.sampled_from(list(ANSWERS))

    def expected(self, message: str | bytes) -> Sequence[str | bytes]:
        return [ANSWERS[message]]


# ---------------------------------------------------------------------------------------------------------------- bugs


async def drops_the_third(ws: WebSocket, request: Request) -> None:
    number = 0
    async for message in ws:
        number += 1
        if number != 3:
            await ws.send(message)


async def reorders(ws: WebSocket, request: Request) -> None:
    async for message in ws:
        if message == "":
            later = await ws.receive()
            await ws.send(later)
        await ws.send(message)


async def changes_kind(ws: WebSocket, request: Request) -> None:
    async for message in ws:
        await ws.send(message.decode("latin-1") if isinstance(message, bytes) else message)


async def leaves_early(ws: WebSocket, request: Request) -> None:
    await ws.send(await ws.receive())
    ws.close(1000)


async def fails_at_the_end(ws: WebSocket, request: Request) -> None:
    async for message in ws:
        await ws.send(message)
    raise KeyError("lost")


class Wrong(TestEcho):
    __test__ = False
    step_count = 6
    max_examples = 100


def found(handler: Handler, tmp_path: Path) -> tuple[str, list[str]]:
    machine = Wrong()
    machine.app = app_of(handler)
    machine.recordings = tmp_path
    said = steps_to_failure(machine)
    assert len(list(tmp_path.glob("Wrong-*.jsonl"))) >= 1
    return said


@pytest.mark.parametrize(
    ("handler", "words"),
    [
        (drops_the_third, "the messages are"),
        (reorders, "the messages are"),
        (changes_kind, "the messages are"),
        (leaves_early, "the server closes with"),
        (fails_at_the_end, "the server logged"),
    ],
)
def test_a_bug_is_found_in_few_steps(handler: Handler, words: str, tmp_path: Path) -> None:
    said, steps = found(handler, tmp_path)
    assert said.startswith(words)
    assert 1 <= len(steps) <= 4


def test_what_may_be_logged_can_be_said() -> None:
    class Forgiving(Wrong):
        app = app_of(fails_at_the_end)

        def may_log(self, record: LogRecord) -> bool:
            return isinstance(record.exception, KeyError)

    forgiving = Forgiving()
    forgiving.max_examples = 10
    forgiving.test_against_model()


def test_a_machine_without_a_model_says_what_is_missing() -> None:
    with pytest.raises(NotImplementedError) as caught:
        WebSocketPeer().expected("a")
    assert str(caught.value) == "WebSocketPeer.expected says what is answered to a message"
