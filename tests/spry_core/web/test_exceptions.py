from __future__ import annotations

import pytest

from spry_core.closing import Close
from spry_core.web.exceptions import Abort, Rethrow, WebSocketClose


@pytest.mark.parametrize(
    ("abort", "content", "text"),
    [
        (Abort(404), b"Not Found", "404 Not Found"),
        (Abort(404, "no such room"), b"no such room", "404 no such room"),
        (Abort(403, "né"), b"n\xc3\xa9", "403 né"),
        (Abort(599), b"", "599"),
        (Abort(200, "fine"), b"fine", "200 fine"),
    ],
)
def test_an_abort_answers_in_short_plain_text(abort: Abort, content: bytes, text: str) -> None:
    response = abort.response()
    assert response.status_code == abort.status_code
    assert response.content == content
    assert response.headers.get("content-type") == ("text/plain; charset=utf-8" if content else None)
    assert str(abort) == text


def test_an_abort_brings_fields() -> None:
    """RFC 9110 §15.5.2."""
    abort = Abort(401, headers={"WWW-Authenticate": "Bearer"})
    assert abort.response().headers.items() == [
        ("www-authenticate", "Bearer"),
        ("content-type", "text/plain; charset=utf-8"),
        ("content-length", "12"),
    ]


@pytest.mark.parametrize("status_code", [204, 205, 304])
def test_an_abort_without_content_has_none(status_code: int) -> None:
    assert Abort(status_code, "unsaid").response().content == b""


def test_each_response_of_an_abort_is_a_new_one() -> None:
    abort = Abort(404)
    abort.response().headers["x"] = "1"
    assert "x" not in abort.response().headers


def test_an_abort_that_cannot_be_sent_is_refused_where_it_is_made() -> None:
    with pytest.raises(ValueError, match="not 101"):
        Abort(101)
    with pytest.raises(ValueError, match="'x'"):
        Abort(404, headers={"x": "\n"})


def test_a_426_says_how_to_open_a_websocket() -> None:
    """RFC 9110 §15.5.22, RFC 6455 §4.4."""
    assert Abort(426).headers.items() == [
        ("upgrade", "websocket"),
        ("connection", "Upgrade"),
        ("sec-websocket-version", "13"),
    ]
    assert Abort(426, headers={"Upgrade": "websocket, h2c"}).response().headers["upgrade"] == "websocket, h2c"


@pytest.mark.parametrize("status_code", [301, 302, 303, 307, 308])
def test_a_redirect_names_a_location(status_code: int) -> None:
    """RFC 9110 §15.4."""
    abort = Abort.redirect("/a?b=c#d", status_code)
    assert abort.status_code == status_code
    assert abort.headers.items() == [("location", "/a?b=c#d")]


def test_a_redirect_is_302_unless_said() -> None:
    response = Abort.redirect("/").response()
    assert (response.status_code, response.content) == (302, b"Found")


@pytest.mark.parametrize(
    ("location", "field"),
    [
        ("https://example.org:80/a%20b?c=[d]&e=f,g#h", "https://example.org:80/a%20b?c=[d]&e=f,g#h"),
        ("/é b", "/%C3%A9%20b"),
        ("/\\evil.example", "/%5Cevil.example"),
        ('/"<>`{|}^', "/%22%3C%3E%60%7B%7C%7D%5E"),
        ("", ""),
    ],
)
def test_a_location_is_escaped_where_a_uri_needs_it(location: str, field: str) -> None:
    """RFC 3986 §2."""
    assert Abort.redirect(location).headers["location"] == field


@pytest.mark.parametrize("location", ["/\r\nset-cookie: a=1", "/\n", "\t/", "/\x00", "/\x7f"])
def test_a_location_cannot_split_the_response(location: str) -> None:
    with pytest.raises(ValueError, match="the location has a control character"):
        Abort.redirect(location)


@pytest.mark.parametrize("status_code", [200, 300, 304, 305, 306, 404])
def test_other_statuses_do_not_redirect(status_code: int) -> None:
    with pytest.raises(ValueError, match=f"{status_code} is no redirection"):
        Abort.redirect("/", status_code)


def test_a_websocket_close_carries_code_and_reason() -> None:
    close = WebSocketClose(4000, "bye")
    assert (close.code, close.reason) == (4000, "bye")
    assert close.close == Close(code=4000, reason="bye")
    assert WebSocketClose().close == Close(code=1000)


@pytest.mark.parametrize(("code", "reason"), [(1005, ""), (999, ""), (5000, ""), (1000, "é" * 62)])
def test_a_websocket_close_that_cannot_be_sent_is_refused(code: int, reason: str) -> None:
    """RFC 6455 §5.5.1, §7.4."""
    with pytest.raises(ValueError):
        WebSocketClose(code, reason)


def test_answers_are_exceptions_that_anybody_may_raise() -> None:
    for answer in (Abort(404), WebSocketClose(), Rethrow()):
        with pytest.raises(type(answer)):
            raise answer
