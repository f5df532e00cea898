"""``application/x-www-form-urlencoded``, as in the query of a target and in the content of a form (WHATWG URL §5.1)."""

from __future__ import annotations

from urllib.parse import unquote_to_bytes

from spry_core.headers import MultiMapping


def count_pairs(data: bytes) -> int:
    """Return how many pairs `parse_pairs` can find at most, without finding them."""
    return data.count(b"&") + 1


def parse_pairs(data: bytes) -> MultiMapping:
    """Read names and values, in order.

    As in browsers: ``+`` is a space, a broken escape stays as it is, bytes that are no UTF-8 become U+FFFD, a name without
    ``=`` has the empty value, and nothing between two ``&`` is passed over. The work is linear.
    """
    pairs = list[tuple[str, str]]()
    for pair in data.split(b"&"):
        if pair:
            name, _, value = pair.partition(b"=")
            pairs.append((_decode(name), _decode(value)))
    return MultiMapping(pairs)


def _decode(text: bytes) -> str:
    return unquote_to_bytes(text.replace(b"+", b" ")).decode("utf-8", "replace")
