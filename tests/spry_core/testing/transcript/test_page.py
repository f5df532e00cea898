"""The page of a recording, in a real browser: what it shows, and that nothing a peer says can act."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Error, Page, expect

from browsers import chromium
from served import PATIENCE
from spry_core.testing.transcript.page import TEMPLATE, page_of
from spry_core.testing.transcript.sequence import Lane, State, Step

ATTACK: Final = (
    "</script><script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"
)
LANES: Final[tuple[Lane, ...]] = ("in", "out", "inside")
FEW: Final = 20
FIRST_PAINT: Final = """() => new Promise(done => {
    const observer = new PerformanceObserver(list => {
        const paint = list.getEntriesByName("first-contentful-paint")[0];
        if (paint) done(paint.startTime);
    });
    observer.observe({ type: "paint", buffered: true });
})"""
MANY: Final = 10_000


def step(n: int) -> Step:
    """Return the n-th step of some connection."""
    lane = LANES[n % 3]
    details = (("opcode", "0x1 (text)"), ("length", str(n)))
    return Step(
        n + 1, n * 0.5, lane, "frame", f"frame {n}", details, State("open", n % 50 * 10, True, n + 20.0)
    )


def sequence(size: int) -> list[Step]:
    return [step(n) for n in range(size)]


HOSTILE: Final = (
    Step(1, 0.0, "inside", "begin", f"begin {ATTACK}", ((ATTACK, ATTACK),), State()),
    Step(2, 1.0, "in", "head", ATTACK, (("Host", ATTACK),), State("http", 5, False, 3.0)),
    Step(3, 1.0, "out", "frame", "@DATA@ @TITLE@", (), State("closed")),
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(viewport={"width": 1200, "height": 800})
    context.set_default_timeout(1000 * PATIENCE)
    yield context
    context.close()


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    """Give a page on which nothing may go wrong."""
    faults: list[str] = []

    def note(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            faults.append(message.text)

    def note_error(error: Error) -> None:
        faults.append(str(error))

    page = context.new_page()
    page.on("console", note)
    page.on("pageerror", note_error)
    page.on(
        "request", lambda request: None if request.url.startswith("file:") else faults.append(request.url)
    )
    yield page
    assert faults == []


def show(page: Page, folder: Path, steps: list[Step] | tuple[Step, ...]) -> None:
    file = folder / "page.html"
    file.write_text(page_of("a <b>.jsonl", steps), encoding="utf-8")
    page.goto(file.as_uri())


def chosen(page: Page) -> str:
    return page.locator("aside h2").inner_text()


def test_a_page_shows_each_step_and_what_there_is_to_say_about_it(page: Page, tmp_path: Path) -> None:
    show(page, tmp_path, sequence(FEW))
    assert page.title() == page.locator("h1").inner_text() == "a <b>.jsonl"
    assert page.locator("#facts").inner_text() == "frame 0 · 20 events in 9.500 s"
    expect(page.locator(".row")).to_have_count(FEW)
    page.locator(".row", has_text="frame 7").click()
    assert chosen(page) == "frame 7"
    assert page.locator("#where").inner_text() == "line 8, at 3.500 s, sent"
    assert page.locator("dd").all_inner_texts() == ["0x1 (text)", "7", "open", "70", "yes", "27.000 s"]
    expect(page.locator(".row[aria-selected=true]")).to_have_text("3.5008← frame 7")


def test_hovering_tells_the_first_details(page: Page, tmp_path: Path) -> None:
    show(page, tmp_path, sequence(FEW))
    title = page.locator(".row", has_text="frame 3").first.get_attribute("title")
    assert title == "frame 3\nopcode: 0x1 (text)\nlength: 3"


def test_keys_walk_through_the_steps(page: Page, tmp_path: Path) -> None:
    show(page, tmp_path, sequence(MANY))
    page.locator("#events").focus()
    for key, wanted in (
        ("ArrowDown", 1),
        ("j", 2),
        ("k", 1),
        ("ArrowUp", 0),
        ("ArrowUp", 0),
        ("End", MANY - 1),
        ("ArrowDown", MANY - 1),
        ("Home", 0),
    ):
        page.keyboard.press(key)
        assert chosen(page) == f"frame {wanted}"
    page.keyboard.press("PageDown")
    assert int(chosen(page).split()[1]) > 10
    expect(page.locator(".row[aria-selected=true]")).to_be_in_viewport()


def test_ten_thousand_steps_are_no_more_on_the_page_than_can_be_seen(page: Page, tmp_path: Path) -> None:
    show(page, tmp_path, sequence(MANY))
    for key in ("Home", "End"):
        page.locator("#events").focus()
        page.keyboard.press(key)
        assert 10 < page.locator(".row").count() < 100
    page.locator("#events").evaluate("each => { each.scrollTop = each.scrollHeight / 2; }")
    expect(page.locator(".row", has_text="frame 5000").first).to_be_attached()
    assert page.locator(".row").count() < 100


def test_the_first_paint_does_not_wait_in_proportion_to_the_steps(page: Page, tmp_path: Path) -> None:
    """Five hundred times as many may take at most fifteen times as long."""

    def seconds(size: int) -> float:
        best = float("inf")
        for _ in range(3):
            show(page, tmp_path, sequence(size))
            best = min(best, page.evaluate(FIRST_PAINT))
        return best

    assert seconds(MANY) < 15 * seconds(FEW)


def test_what_is_looked_for_is_shown_alone(page: Page, tmp_path: Path) -> None:
    show(page, tmp_path, sequence(MANY))
    page.keyboard.press("/")
    page.keyboard.type("FRAME 999")
    expect(page.locator("#facts")).to_have_text("frame 0 · 10,000 events in 4999.500 s · 11 shown")
    expect(page.locator(".row")).to_have_count(11)
    page.keyboard.press("Escape")
    expect(page.locator("#facts")).to_have_text("frame 0 · 10,000 events in 4999.500 s")
    page.get_by_label("inside").uncheck()
    page.get_by_label("sent").uncheck()
    assert page.locator("#facts").inner_text().endswith("3,334 shown")
    page.get_by_label("received").uncheck()
    expect(page.locator(".row")).to_have_count(0)


def test_the_axis_leads_to_what_happened_then(page: Page, tmp_path: Path) -> None:
    show(page, tmp_path, sequence(MANY))
    box = page.locator("#axis").bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + 40)
    assert abs(int(chosen(page).split()[1]) - MANY / 2) < 30


def test_the_axis_shows_both_directions_and_the_unsent_bytes(page: Page, tmp_path: Path) -> None:
    show(page, tmp_path, sequence(MANY))
    colours = page.evaluate(
        """() => {
            const axis = document.getElementById("axis"), pen = axis.getContext("2d"), seen = new Set();
            const data = pen.getImageData(0, 0, axis.width, axis.height).data;
            for (let n = 0; n < data.length; n += 4) {
                if (data[n + 3] === 255) seen.add([data[n], data[n + 1], data[n + 2]].join());
            }
            return [...seen];
        }"""
    )
    assert {"10,92,173", "163,71,12", "26,127,55"} <= set(colours)  # --in, --out, --open


@pytest.mark.parametrize(("scheme", "back"), [("light", "rgb(255, 255, 255)"), ("dark", "rgb(13, 17, 23)")])
def test_it_is_light_and_dark_as_the_reader_wants_it(
    scheme: str, back: str, page: Page, tmp_path: Path
) -> None:
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    show(page, tmp_path, sequence(FEW))
    assert page.locator("body").evaluate("body => getComputedStyle(body).backgroundColor") == back


@pytest.mark.parametrize("width", [320, 390, 1400])
def test_it_fits_on_the_screen(width: int, page: Page, tmp_path: Path) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    show(page, tmp_path, sequence(MANY))
    assert page.evaluate("document.documentElement.scrollWidth") == width
    page.locator(".row", has_text="frame 4").first.click()
    assert chosen(page) == "frame 4"
    expect(page.locator("aside h2")).to_be_in_viewport()


def test_what_a_peer_says_never_becomes_markup(page: Page, tmp_path: Path) -> None:
    show(page, tmp_path, HOSTILE)
    page.locator(".row").nth(1).click()
    assert chosen(page) == ATTACK
    assert page.locator("dd").first.inner_text() == ATTACK
    page.locator(".row").nth(2).click()
    assert chosen(page) == "@DATA@ @TITLE@"
    assert page.title() == "a <b>.jsonl"
    assert page.locator("script").count() == 2
    assert page.locator("img").count() == 0


def test_the_page_holds_no_markup_of_others_and_needs_nothing_from_elsewhere() -> None:
    text = page_of("x", HOSTILE)
    assert ATTACK not in text
    assert text.count("<script") == 2
    data = text.partition('id="data">')[2].partition("</script>")[0]
    assert "<" not in data
    assert json.loads(data)["rows"][1] == [
        2,
        1.0,
        "in",
        "head",
        ATTACK,
        [["Host", ATTACK]],
        ["http", 5, False, 3.0],
    ]
    for word in ("http://", "https://", "src=", "href=", "url(", "@import"):
        assert word not in TEMPLATE.read_text(encoding="utf-8")


def test_a_script_that_got_in_would_not_run(page: Page, tmp_path: Path) -> None:
    """The policy names the one script of the page; the refusal is told on the console, which is what is waited for."""
    file = tmp_path / "page.html"
    intruder = "<script>document.title='owned'</script>"
    file.write_text(page_of("x", HOSTILE).replace("</body>", f"{intruder}</body>"), encoding="utf-8")
    bare = page.context.new_page()
    with bare.expect_console_message(lambda message: "Content Security Policy" in message.text):
        bare.goto(file.as_uri())
    assert bare.title() == "x"
