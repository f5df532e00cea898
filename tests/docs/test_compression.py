"""docs/reference/compression.md says what `Deflate` and the negotiation do; the how-to measures what it says."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import fields
from typing import Final, cast

import pytest

from pages import blocks_of, section_of, tables_in
from spry_core.protocol import Agreement, Deflate
from spry_core.protocol.deflate import negotiate

PAGE: Final = "docs/reference/compression.md"
HOWTO: Final = "docs/howto/compress-messages.md"


def settings_rows() -> list[tuple[str, ...]]:
    (rows,) = tables_in(section_of(PAGE, "## Settings"))
    return rows


def test_the_page_lists_every_setting_with_its_default() -> None:
    defaults = [(f"`{field.name}`", str(getattr(Deflate(), field.name))) for field in fields(Deflate)]
    assert [(name, default) for name, _, _, _, default in settings_rows()] == defaults


def test_the_ranges_are_those_that_are_judged() -> None:
    make = cast("Callable[..., Deflate]", Deflate)
    ranges = {name.strip("`"): text for name, _, _, text, _ in settings_rows() if text != "True, False"}
    for name, text in ranges.items():
        # The least value and the most, which "0 and more" has not.
        for end, beyond in zip(map(int, re.findall(r"\d+", text)), (-1, 1), strict=False):
            assert getattr(make(**{name: end}), name) == end
            with pytest.raises(ValueError, match=rf"^Deflate\.{name} is"):
                make(**{name: end + beyond})
    assert set(ranges) == {field.name for field in fields(Deflate)} - {
        "server_no_context_takeover",
        "client_no_context_takeover",
    }


def test_the_table_of_answers_is_what_a_server_answers() -> None:
    (rows,) = tables_in(section_of(PAGE, "## What a server answers"))
    names = [row[0].strip("`") for row in rows]
    assert [name for name in names if name] == [field.name for field in fields(Agreement)]
    wide = Deflate(server_max_window_bits=15, client_max_window_bits=15)
    for i, (_, asked, answered, section) in enumerate(rows):
        name = next(each for each in reversed(names[: i + 1]) if each)
        assert section.startswith("7.1.2." if name.endswith("bits") else "7.1.1.")
        values = re.findall(r"\b\d+\b", asked)
        parameter = "" if asked == "absent" else f"; {name}" + (f"={values[0]}" if values else "")
        agreement = negotiate([f"permessage-deflate{parameter}"], wide)
        if "declined" in answered:
            assert agreement is None
            continue
        said = str(agreement)
        expected = "the smaller" in answered or answered == "there"
        assert (name in said) is expected, (asked, answered)


def test_the_howto_measures_the_figures_that_it_shows() -> None:
    """Within a fifth: zlib differs a little from version to version."""
    (rows,) = tables_in(section_of(HOWTO, "## What it costs"))
    program = next(block for block in blocks_of(HOWTO) if "tracemalloc" in block.code)
    namespace: dict[str, object] = {"__name__": "measuring"}
    exec(compile("\n" * (program.line - 1) + program.code, program.page, "exec"), namespace)
    sizes = cast("dict[tuple[int, int], tuple[int, int]]", namespace["sizes"])
    for row in rows:
        bits, mem_level, *shown = map(int, row)
        assert list(sizes[bits, mem_level]) == pytest.approx(shown, rel=0.2), row
