"""The demo's page in a real browser, on every backend."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Locator,
    Page,
    expect,
)

from browsers import chromium
from secure import certificate
from served import PATIENCE, Served, served

BACKENDS: Final = {
    "asyncio": ("--backend", "asyncio", "--loop", "asyncio"),
    "asyncio (uvloop)": ("--backend", "asyncio", "--loop", "uvloop"),
    "trio": ("--backend", "trio"),
}
WITH_AND_WITHOUT_TLS: Final = pytest.mark.parametrize("scheme", ["http", "https"], indirect=True)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Start the browser that is installed."""
    with chromium() as browser:
        yield browser


@pytest.fixture(params=list(BACKENDS))
def backend(request: pytest.FixtureRequest) -> str:
    """The backend's name as the page shows it."""
    return str(request.param)


@pytest.fixture
def scheme(request: pytest.FixtureRequest) -> str:
    """`http`, or what a test asks for."""
    return str(getattr(request, "param", "http"))


@pytest.fixture
def server(backend: str, scheme: str, browser: Browser, tmp_path: Path) -> Iterator[Served]:
    """Run the demo."""
    options = [*BACKENDS[backend], *(certified(tmp_path) if scheme == "https" else ())]
    with served("--app-dir", "examples/demo", "app:app", "--no-access-log", *options) as server:
        assert server.address.startswith(f"{scheme}://")
        yield server


def certified(folder: Path) -> Iterator[str]:
    """Write a certificate and its key; give the options that name them."""
    ours = certificate()
    for option, parts in (("certfile", ours.cert_chain_pems), ("keyfile", [ours.private_key_pem])):
        path = folder / option
        path.write_bytes(b"".join(each.bytes() for each in parts))
        yield from (f"--ssl-{option}", str(path))


@pytest.fixture
def tabs(browser: Browser) -> Iterator[BrowserContext]:
    """A fresh profile; what goes wrong on one of its pages, a blocked script too, fails the test."""
    context = browser.new_context(
        locale="en-US", ignore_https_errors=True
    )  # nobody trusts the tests' authority
    context.set_default_timeout(1000 * PATIENCE)
    expect.set_options(timeout=1000 * PATIENCE)
    faults: list[str] = []

    def hear(message: ConsoleMessage) -> None:
        if message.type == "error":
            faults.append(message.text)

    context.on("console", hear)
    context.on("weberror", lambda error: faults.append(str(error.error)))
    yield context
    context.close()
    assert faults == []


@pytest.fixture
def page(server: Served, tabs: BrowserContext) -> Page:
    """The demo in one tab, its echo connected."""
    return open_tab(server, tabs)


def open_tab(server: Served, tabs: BrowserContext) -> Page:
    page = tabs.new_page()
    page.goto(server.address)
    expect(page.locator("#echo .state")).to_have_text("open")
    return page


def expect_rows(panel: Locator, *rows: tuple[str, str]) -> None:
    """Wait until the log holds exactly these messages: direction and content, kind and size."""
    expect(panel.locator(".row .body")).to_have_text([body for body, _ in rows])
    expect(panel.locator(".row .meta")).to_have_text([meta for _, meta in rows])


def expect_ending(panel: Locator, state: str, words: str) -> None:
    """Wait until the panel says that its connection has closed, and how."""
    expect(panel.locator(".state")).to_have_text(state)
    expect(panel.locator(".note").last).to_have_text(words)


def join(page: Page, name: str) -> Locator:
    chat = page.get_by_role("region", name="Chat")
    chat.get_by_label("Your name").fill(name)
    chat.get_by_role("button", name="Join").click()
    expect(chat.locator(".state")).to_have_text("open")
    return chat


def say(chat: Locator, text: str) -> None:
    chat.get_by_label("Message", exact=True).fill(text)
    chat.get_by_label("Message", exact=True).press("Enter")


def test_the_page_says_what_it_runs_on(page: Page, backend: str) -> None:
    expect(page.locator("#backend")).to_have_text(backend)


def test_text_and_binary_come_back_as_they_went(page: Page) -> None:
    """The opcode says which of the two a message is (RFC 6455 §5.6)."""
    echo = page.get_by_role("region", name="Echo")
    for rows, button in ((2, "Send text"), (4, "Send binary")):
        echo.get_by_label("Message", exact=True).fill("Grüße")
        echo.get_by_role("button", name=button).click()
        expect(echo.locator(".row")).to_have_count(rows)
    expect_rows(
        echo,
        ("sent Grüße", "text · 7 B"),
        ("received Grüße", "text · 7 B"),
        ("sent 47 72 c3 bc c3 9f 65", "binary · 7 B"),
        ("received 47 72 c3 bc c3 9f 65", "binary · 7 B"),
    )
    expect(echo.locator(".foot span")).to_have_text(["Sent 2 messages, 14 B", "Received 2 messages, 14 B"])


def test_the_page_closes_with_a_code_and_connects_again(page: Page) -> None:
    """The server answers a Close with the same code (RFC 6455 §5.5.1)."""
    echo = page.get_by_role("region", name="Echo")
    echo.get_by_label("Close code").fill("4001")
    echo.get_by_label("Close reason").fill("bye")
    echo.get_by_role("button", name="Close").click()
    expect_ending(echo, "closed · 4001", "Closed with 4001 “bye”, clean, by this page")
    # Whoever uses the keyboard is led to the button that goes on from here, and back.
    expect(echo.get_by_role("button", name="Reconnect")).to_be_focused()
    page.keyboard.press("Enter")
    expect(echo.locator(".state")).to_have_text("open")
    expect(echo.get_by_label("Message", exact=True)).to_be_focused()


@WITH_AND_WITHOUT_TLS
def test_two_tabs_talk_and_see_each_other_come_and_go(
    page: Page, server: Served, tabs: BrowserContext
) -> None:
    ada = join(page, "Ada")
    grace = join(open_tab(server, tabs), "Grace")
    expect(ada.locator(".roster span")).to_have_text(["Ada (you)", "Grace"])
    expect(grace.locator(".roster span")).to_have_text(["Ada", "Grace (you)"])
    say(grace, "Hello!")
    expect(ada.locator(".row")).to_have_count(3)
    say(ada, "Hello, Grace.")
    expect(grace.locator(".row")).to_have_count(3)
    grace.get_by_role("button", name="Leave").click()
    expect_ending(grace, "closed · 1000", "Closed with 1000 (normal closure) “left”, clean, by this page")
    expect(ada.locator(".roster span")).to_have_text(["Ada (you)"])
    expect_rows(
        grace,
        ("received You joined the room", "text · 66 B"),
        ("sent You Hello!", "text · 6 B"),
        ("received Ada Hello, Grace.", "text · 57 B"),
    )
    expect_rows(
        ada,
        ("received You joined the room", "text · 55 B"),
        ("received Grace joined the room", "text · 65 B"),
        ("received Grace Hello!", "text · 52 B"),
        ("sent You Hello, Grace.", "text · 13 B"),
        ("received Grace left the room", "text · 54 B"),
    )


@WITH_AND_WITHOUT_TLS
def test_the_shutdown_of_the_server_is_shown_as_1001(page: Page, server: Served, scheme: str) -> None:
    """1001 says that an endpoint is going away, such as a server going down (RFC 6455 §7.4.1)."""
    chat = join(page, "Ada")
    assert server.stop() == 0
    for panel in (page.get_by_role("region", name="Echo"), chat):
        expect_ending(panel, "closed · 1001", "Closed with 1001 (going away), clean, by the server")
    # A browser may keep a connection for its next request; and it breaks off before it takes a certificate unseen.
    *refused, (begun, shutdown), end = server.messages()
    assert (begun, end) == ("INFO", ("INFO", "stopped"))
    assert re.fullmatch(r"shutting down, [2-9] connections, 10 s of grace", shutdown)
    assert bool(refused) == (scheme == "https")
    assert all(level == "WARNING" and "TLS handshake failed" in line for level, line in refused)
