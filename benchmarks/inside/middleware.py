"""What middleware adds to a request: the difference between one column and the next, divided by the levels between them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from benchmarks.inside.session import request_case
from benchmarks.inside.timing import Case
from spry_core.protocol import DEFAULT_ENGINE

LEVELS: Final = (0, 1, 5, 10)
"""Middleware around a handler."""


def cases() -> Iterator[Case]:
    """Give a request through more and more middleware."""
    for levels in LEVELS:
        title = "1 level" if levels == 1 else f"{levels} levels"
        yield request_case("middleware: GET through a chain", title, "spry", DEFAULT_ENGINE, levels)
