from __future__ import annotations

import pytest

from spry_core.web.json_text import from_json, to_json


def test_a_value_is_written_without_spaces_and_with_its_letters() -> None:
    """RFC 8259 §2, §8.1."""
    assert to_json({"é": [1, None, True, 0.5]}) == '{"é":[1,null,true,0.5]}'


def test_what_utf_8_cannot_say_is_escaped() -> None:
    """RFC 8259 §8.2."""
    assert to_json(["é", "\ud800"]) == '["\\u00e9","\\ud800"]'


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_there_is_no_json_for_numbers_that_are_none(value: float) -> None:
    """RFC 8259 §6."""
    with pytest.raises(ValueError, match="not JSON compliant"):
        to_json([value])


def test_there_is_no_json_for_a_set() -> None:
    with pytest.raises(TypeError, match="set is not JSON serializable"):
        to_json({1})


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
