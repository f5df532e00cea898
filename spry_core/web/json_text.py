"""JSON as text, in the same way for responses and for messages."""

from __future__ import annotations

import json
import re
from typing import Final

_SURROGATE: Final = re.compile("[\ud800-\udfff]")


def to_json(value: object) -> str:
    """Write a value as JSON that UTF-8 can say (RFC 8259), without spaces.

    Raises `TypeError` or `ValueError` for what JSON cannot express, such as sets and NaN.
    """
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    if _SURROGATE.search(text) is None:
        return text
    # No UTF-8 has half a pair, but an escape can say it (RFC 8259 §8.2).
    return json.dumps(value, allow_nan=False, separators=(",", ":"))
