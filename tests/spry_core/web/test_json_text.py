from __future__ import annotations

import runpy
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias, cast

import pytest

from spry_core.web import json_text
from spry_core.web.json_text import from_json

if TYPE_CHECKING:
    from _collections_abc import dict_items

Write: TypeAlias = Callable[[object], str]


@pytest.fixture(params=["with what CPython has", "without"])
def to_json(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Give the function, and the one of a Python that has less."""
    if request.param == "without":
        monkeypatch.setitem(sys.modules, "_json", None)
        return cast("Write", runpy.run_path(json_text.__file__)["to_json"])
    return json_text.to_json


def test_a_value_is_written_without_spaces_and_with_its_letters(to_json: Write) -> None:
    """RFC 8259 §2, §8.1."""
    assert to_json({"é": [1, None, True, 0.5]}) == '{"é":[1,null,true,0.5]}'


def test_what_utf_8_cannot_say_is_escaped(to_json: Write) -> None:
    """RFC 8259 §8.2."""
    assert to_json(["é", "\ud800"]) == '["\\u00e9","\\ud800"]'


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_there_is_no_json_for_numbers_that_are_none(to_json: Write, value: float) -> None:
    """RFC 8259 §6."""
    with pytest.raises(ValueError, match="not JSON compliant"):
        to_json([value])


def test_there_is_no_json_for_a_set(to_json: Write) -> None:
    with pytest.raises(TypeError, match="set is not JSON serializable"):
        to_json({1})


class Number(int):
    """An `int` by another name."""

    def __repr__(self) -> str:
        return "a number"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("é\n", '"é\\n"'),
        (1.5, "1.5"),
        (1e30, "1e+30"),
        (Number(7), "7"),
        (None, "null"),
        ((), "[]"),
        ({}, "{}"),
        ({1: 2, None: 3, False: 4, 0.5: 5}, '{"1":2,"null":3,"false":4,"0.5":5}'),
        ({"b": (1, [2, {"a": "\u2028"}])}, '{"b":[1,[2,{"a":"\u2028"}]]}'),
    ],
)
def test_every_kind_of_value_is_written(to_json: Write, value: object, text: str) -> None:
    """RFC 8259 §3 to §7."""
    assert to_json(value) == text


def test_what_contains_itself_is_a_value_error_and_may_be_written_when_it_does_not(to_json: Write) -> None:
    inner: list[object] = []
    inner.append({"a": inner})
    for _ in range(2):
        with pytest.raises(ValueError, match="Circular reference"):
            to_json(inner)
    inner.clear()
    assert to_json([inner, inner]) == "[[],[]]"


class Watched(dict[str, int]):
    """Knows how often it was written."""

    times = 0

    def items(self) -> dict_items[str, int]:
        self.times += 1
        return super().items()


def test_what_contains_itself_is_found_before_anything_in_it_is_written_twice(to_json: Write) -> None:
    """Else all that stands beside it would be written at each of a thousand levels."""
    watched = Watched(a=1)
    rows: list[object] = [watched]
    rows.append({"all": rows})
    with pytest.raises(ValueError, match="Circular reference"):
        to_json(rows)
    assert watched.times == 1


def test_what_is_too_deep_is_no_json(to_json: Write) -> None:
    """RFC 8259 §9 speaks of readers; a writer has an end as well."""
    value: object = None
    for _ in range(200_000):
        value = [value]
    with pytest.raises(RecursionError):
        to_json(value)
    while isinstance(value, list):  # Python frees it level by level too
        (value,) = cast("list[object]", value)


def test_a_key_is_text_or_what_json_has(to_json: Write) -> None:
    with pytest.raises(TypeError, match="keys must be str"):
        to_json({(): 1})


@pytest.mark.parametrize(
    ("text", "value"), [('{"a": [1, 2.5, null, "é"]}', {"a": [1, 2.5, None, "é"]}), ("0", 0)]
)
def test_a_value_is_read(text: str, value: object) -> None:
    """RFC 8259 §2."""
    assert from_json(text) == value


@pytest.mark.parametrize("text", ["", "{", "NaN", "-Infinity", "[" * 100_000, "1" * 5000])
def test_what_is_no_json_is_a_value_error(text: str) -> None:
    """RFC 8259 §6: no NaN; §9: a reader may limit depth and numbers."""
    with pytest.raises(ValueError, match=r"."):
        from_json(text)
