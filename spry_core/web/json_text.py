"""JSON as text, in the same way for HTTP and for messages."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from json.encoder import encode_basestring
from typing import Any, Final

_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_WRITER: Final = json.JSONEncoder(
    ensure_ascii=False, allow_nan=False, separators=(",", ":")
)  # `dumps` makes one each time


def _pieces() -> Callable[[object], Iterable[str]]:
    """Return what writes a value in pieces: the writer in C, where there is one, without what `encode` puts around it.

    It is made for each value, with a `dict` of its own for what it is in the midst of: that is how it finds a value which
    contains itself before it writes all the others in it again at every level.
    """
    try:
        from _json import make_encoder  # noqa: PLC0415 - of CPython alone
    except ImportError:
        return _WRITER.iterencode
    default = _WRITER.default

    def write(value: object) -> Iterable[str]:
        pieces: Iterable[str] = make_encoder(
            {}, default, encode_basestring, None, ":", ",", False, False, False
        )(value, 0)
        return pieces

    return write


_PIECES: Final = _pieces()


def to_json(value: object) -> str:
    """Write a value as JSON that UTF-8 can say (RFC 8259), without spaces.

    Raises `TypeError` or `ValueError` for what JSON cannot express, such as sets, NaN and what contains itself.
    """
    text = "".join(_PIECES(value))
    if text.isascii() or _SURROGATE.search(text) is None:
        return text
    # No UTF-8 has half a pair, but an escape can say it (RFC 8259 §8.2).
    return json.dumps(value, allow_nan=False, separators=(",", ":"))


# Any: the types are those of the peer's JSON.
def from_json(text: str) -> Any:  # noqa: ANN401
    """Return the value that a text is in JSON (RFC 8259); raises `ValueError` for what is none."""
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except RecursionError:
        raise ValueError("JSON of too many levels") from None


def _refuse_constant(name: str) -> object:
    """Refuse NaN and the infinities, which Python's reader would take (RFC 8259 §6)."""
    raise ValueError(f"{name} is not JSON")
