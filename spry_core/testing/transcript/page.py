"""A recording as one page of HTML, which needs nothing else and asks nobody for anything.

What peers said is data in it and never markup: it stands in a JSON block in which no ``<`` is left, the script puts it on the
page as text alone, and a policy names the one script and the one style that may act.
"""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Iterable
from hashlib import sha256
from html import escape
from pathlib import Path
from typing import Final

from spry_core.testing.transcript.sequence import Step

TEMPLATE: Final = Path(__file__).with_name("page.html")
"""The page with nothing in it."""

_MARK: Final = re.compile("@[A-Z]+@")


def page_of(name: str, steps: Iterable[Step]) -> str:
    """Return the page.

    Args:
        name: What it is called: the name of the file.
        steps: What it shows.
    """
    template = TEMPLATE.read_text(encoding="utf-8")
    style, script = _between(template, "style"), _between(template, "script")
    policy = f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}'"
    rows = [_row(step) for step in steps]
    values = {
        "@TITLE@": escape(name),
        "@POLICY@": escape(policy),
        "@DATA@": json.dumps({"rows": rows}, separators=(",", ":")).replace("<", "\\u003c"),
    }
    return _MARK.sub(lambda mark: values[mark[0]], template)


def _row(step: Step) -> list[object]:
    """Return a step as the script reads it."""
    state = step.state
    return [
        step.number,
        round(step.now, 6),
        step.lane,
        step.kind,
        step.title,
        [list(pair) for pair in step.details],
        [state.phase, state.buffered, state.wants_read, state.deadline],
    ]


def _between(template: str, name: str) -> str:
    """Return the content of the one element of that name without attributes."""
    return template.partition(f"<{name}>")[2].partition(f"</{name}>")[0]


def _hash(text: str) -> str:
    return f"sha256-{b64encode(sha256(text.encode()).digest()).decode('ascii')}"
