"""Tests of `spry_core.routing.pattern`: patterns as people write them, and paths as they come."""

from __future__ import annotations

from typing import cast
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spry_core.routing.pattern import (
    Constant,
    Parameter,
    Pattern,
    Rest,
    Segment,
    Wildcard,
    split_path,
)

# What UTF-8 can say, without the null character that no path may hold.
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"))
CONSTANTS = TEXT.map(lambda text: Constant(text.replace("/", "").replace("*", "").lstrip(":")))
PARAMETERS = st.from_regex(r"[a-zA-Z_é][a-z0-9_-]*", fullmatch=True).map(Parameter)
SEGMENTS: st.SearchStrategy[Segment] = st.one_of(CONSTANTS, PARAMETERS, st.just(Wildcard()))
LAST: st.SearchStrategy[Segment] = st.one_of(SEGMENTS, st.just(Rest()))
PATTERNS = st.tuples(st.lists(SEGMENTS), LAST).map(lambda drawn: Pattern((*drawn[0], drawn[1])))


def test_a_pattern_is_a_row_of_segments() -> None:
    assert Pattern.parse("/rooms/:room/*/files/**").segments == (
        Constant("rooms"),
        Parameter("room"),
        Wildcard(),
        Constant("files"),
        Rest(),
    )


def test_the_leading_slash_may_be_left_out() -> None:
    assert Pattern.parse("echo") == Pattern.parse("/echo") == Pattern((Constant("echo"),))


def test_only_one_leading_slash_is_left_out() -> None:
    assert Pattern.parse("//echo") == Pattern((Constant(""), Constant("echo")))


@pytest.mark.parametrize("text", ["", "/"])
def test_the_root_is_one_empty_segment(text: str) -> None:
    assert Pattern.parse(text) == Pattern((Constant(""),))


def test_a_trailing_slash_is_an_empty_segment() -> None:
    assert Pattern.parse("/a/") == Pattern((Constant("a"), Constant("")))


def test_a_name_may_stand_twice() -> None:
    assert Pattern.parse("/a/:x/b/:x").segments[1::2] == (Parameter("x"), Parameter("x"))


@pytest.mark.parametrize("name", ["room", "user-id", "_2", "straße"])
def test_a_parameter_has_a_name(name: str) -> None:
    assert Pattern.parse(f"/:{name}") == Pattern((Parameter(name),))


@pytest.mark.parametrize("text", ["100%", "a%62", "a b", "what?", "a:b", "ключ", "..", "\\"])
def test_a_constant_stands_for_itself(text: str) -> None:
    assert Pattern.parse(f"/{text}") == Pattern((Constant(text),))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("/a/:", "bad pattern '/a/:': ':' without a name"),
        (
            "/:name.json",
            "bad pattern '/:name.json': 'name.json' is no name for a parameter: letters, digits, '_' and '-' only",
        ),
        (
            "/:1",
            "bad pattern '/:1': '1' is no name for a parameter: letters, digits, '_' and '-' only",
        ),
        ("/a*", "bad pattern '/a*': '*' and '**' stand alone in their segment, unlike in 'a*'"),
        ("/***", "bad pattern '/***': '*' and '**' stand alone in their segment, unlike in '***'"),
        ("/**/a", "bad pattern '/**/a': '**' takes all the rest, so nothing can follow it"),
        ("/**/", "bad pattern '/**/': '**' takes all the rest, so nothing can follow it"),
        ("/a\0", r"bad pattern '/a\x00': no path can hold 'a\x00'"),
        ("/\ud800", r"bad pattern '/\ud800': no path can hold '\ud800'"),
    ],
)
def test_a_bad_pattern_is_refused_with_its_fault(text: str, message: str) -> None:
    with pytest.raises(ValueError) as caught:
        Pattern.parse(text)
    assert str(caught.value) == message


def test_segments_made_by_hand_are_checked_too() -> None:
    with pytest.raises(ValueError) as slash:
        Constant("a/b")
    assert str(slash.value) == "the constant 'a/b' holds a slash, which separates segments"
    with pytest.raises(ValueError) as colon:
        Constant(":a")
    assert str(colon.value) == "the constant ':a' reads as a parameter"
    with pytest.raises(ValueError) as empty:
        Pattern(())
    assert str(empty.value) == "a pattern has at least one segment"


def test_what_is_no_text_is_no_pattern() -> None:
    """A decorator without its parentheses gets the handler as path."""
    handler = cast("str", test_what_is_no_text_is_no_pattern)
    with pytest.raises(TypeError) as parsed:
        Pattern.parse(handler)
    with pytest.raises(TypeError) as joined:
        Pattern.parse("/").join(handler)
    assert str(parsed.value) == str(joined.value) == "a path is a str, not function"


@given(pattern=PATTERNS)
def test_a_pattern_is_written_as_it_is_read(pattern: Pattern) -> None:
    assert Pattern.parse(str(pattern)) == pattern


@pytest.mark.parametrize(
    ("prefix", "path", "joined"),
    [
        ("/rooms", "/:room", "/rooms/:room"),
        ("rooms", ":room", "/rooms/:room"),
        ("/rooms/", "/:room", "/rooms/:room"),
        ("/rooms/", ":room", "/rooms/:room"),
        ("/rooms", "", "/rooms"),
        ("/rooms/", "", "/rooms"),
        ("/rooms", "/", "/rooms/"),
        ("/rooms", "//a", "/rooms//a"),
        ("/rooms//", "a", "/rooms//a"),
        ("", "", "/"),
        ("/", "/", "/"),
        ("/", "/a", "/a"),
        ("/:a", "**", "/:a/**"),
    ],
)
def test_a_path_is_joined_to_a_prefix(prefix: str, path: str, joined: str) -> None:
    assert str(Pattern.parse(prefix).join(path)) == joined


def test_nothing_can_be_joined_behind_the_rest() -> None:
    with pytest.raises(ValueError) as caught:
        Pattern.parse("/files/**").join("a")
    assert str(caught.value) == "bad pattern '/files/**/a': '**' takes all the rest, so nothing can follow it"


def test_a_pattern_captures_names_and_the_rest_in_order() -> None:
    pattern = Pattern.parse("/:x/*/a/:x/**")
    assert pattern.capture(["1", "2", "a", "3", "4", "", "5"]) == (
        (("x", "1"), ("x", "3")),
        ("2", "4", "", "5"),
    )


def test_a_constant_pattern_captures_nothing() -> None:
    assert Pattern.parse("/a/b").capture(["a", "b"]) == ((), ())


@pytest.mark.parametrize(
    ("path", "segments"),
    [
        ("", [""]),
        ("/", [""]),
        ("/a", ["a"]),
        ("/a/", ["a", ""]),
        ("//a", ["", "a"]),
        ("/./../a", [".", "..", "a"]),
        ("/a\\b", ["a\\b"]),
        ("/%2e%2E/a", ["..", "a"]),
        ("/a%2Fb/c", ["a/b", "c"]),
        ("/a%5Cb", ["a\\b"]),
        ("/a+b", ["a+b"]),
        ("/%E2%82%AC", ["€"]),
        ("/%2541", ["%41"]),
        ("/%2500", ["%00"]),
    ],
)
def test_a_path_is_cut_first_and_decoded_once(path: str, segments: list[str]) -> None:
    """RFC 3986 §2.4: a percent-encoded octet is decoded once, after the components are apart."""
    assert split_path(path) == segments


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("*", "the path does not begin with a slash"),
        ("a/b", "the path does not begin with a slash"),
        ("/é", "the path is not ASCII"),
        ("/a\0", "the path holds a null character"),
        ("/a%00", "the path holds a null character"),
        ("/%", "the path has a broken percent-escape"),
        ("/a%4", "the path has a broken percent-escape"),
        ("/a%4/1", "the path has a broken percent-escape"),
        ("/a%zz", "the path has a broken percent-escape"),
        ("/% 41", "the path has a broken percent-escape"),
        ("/%41%", "the path has a broken percent-escape"),
        ("/%FF", "the path is not UTF-8"),
        ("/%C3/%A9", "the path is not UTF-8"),
        ("/%C0%AF", "the path is not UTF-8"),
        ("/%C0%80", "the path is not UTF-8"),
        ("/%ED%A0%80", "the path is not UTF-8"),
    ],
)
def test_a_path_that_cannot_be_decoded_is_refused(path: str, reason: str) -> None:
    """RFC 3986 §2.1; RFC 3629 §3 forbids overlong forms and surrogates."""
    with pytest.raises(ValueError) as caught:
        split_path(path)
    assert str(caught.value) == reason


@given(segments=st.lists(TEXT, min_size=1))
def test_every_text_comes_through_its_encoding(segments: list[str]) -> None:
    assert split_path("".join(f"/{quote(segment, safe='')}" for segment in segments)) == segments
