"""The primitives in C against those in Python: whatever the bytes, both must answer the same.

Where the module in C is not built, those in Python are compared with themselves, which finds nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Final

from frames import BINARY, TEXT, frame
from fuzz import seeds as corpora
from fuzz.checks import random_of
from spry_core.protocol.engines import pure
from spry_core.protocol.engines.choice import PRIMITIVES
from spry_core.protocol.engines.interface import Primitives

_HUGE: Final = 1 << 70
_KNOWN: Final = {name: name for name in (b"host", b"connection", b"content-length")}
_NOTABLE: Final = frozenset((b"host", b"content-length", b"transfer-encoding", b"upgrade"))


def check_primitives(data: bytes, fast: Primitives = PRIMITIVES) -> None:
    """Give these bytes to each of them, with limits, positions and a key that are drawn from them."""
    random = random_of(data)
    begin, end = sorted((random.randint(0, len(data)), random.randint(0, len(data))))
    key = random.randbytes(4)
    _compare(fast, "unmask", data, begin, end, key)
    _compare(fast, "frame", random.randrange(256), data, random.choice((None, key)))
    start = random.choice((0, 0, 0, begin, len(data) + 1))
    for masked in (True, False):
        _compare(fast, "scan", data, start, masked, *_limits(data, random, 3))
    _compare_arrivals(fast, data, random)
    limits = _limits(data, random, 4)
    for given in (data, bytearray(data)):
        _compare(fast, "parse_head", given, start, *limits, _KNOWN, _NOTABLE)


def _compare_arrivals(fast: Primitives, data: bytes, random: Random) -> None:
    """Let these bytes come as a message, or as the most of one, in pieces, up to where it cannot go on."""
    is_text, key = random.random() < 0.5, random.choice((None, random.randbytes(4)))
    length = len(data) + random.choice((1, 9, 1 << 20))
    found, expected = fast.arrival(is_text, length, key), pure.arrival(is_text, length, key)
    start = 0
    while start < len(data):
        end = random.randint(start + 1, len(data))
        is_sound = expected.add(data, start, end)
        assert found.add(data, start, end) is is_sound, (
            f"{data[:end]!r}, the last from {start}: not {is_sound}"
        )
        assert found.so_far() == expected.so_far()
        if not is_sound:
            return
        start = end
    last = bytes(length - len(data))
    # Of the last piece `add` may leave it to `take` to tell that the text is none.
    theirs = found.take() if found.add(last, 0, len(last)) else None
    ours = expected.take() if expected.add(last, 0, len(last)) else None
    assert theirs == ours, f"{data!r}: {theirs!r} where {ours!r} was expected"


def _limits(data: bytes, random: Random, count: int) -> list[int]:
    """Choose limits, most of which nothing exceeds, some of which much does."""
    return [random.choice((_HUGE, _HUGE, 1 << 16, random.randint(-1, len(data) + 1))) for _ in range(count)]


def _compare(fast: Primitives, name: str, *arguments: object) -> None:
    theirs: Callable[..., object] = getattr(fast, name)
    ours: Callable[..., object] = getattr(pure, name)
    found, expected = theirs(*arguments), ours(*arguments)
    assert found == expected, f"{name}{arguments}: {found} instead of {expected}"


def seeds() -> list[bytes]:
    """Return runs of messages of every length form, and heads."""
    runs = [
        b"".join(
            frame(opcode, payload, mask=mask)
            for opcode, payload in ((TEXT, "grüße".encode()), (BINARY, b"\xff" * size), (TEXT, b"x" * size))
        )
        for mask in (b"\x01\x02\x03\xf4", None)
        for size in (0, 7, 125, 126, 700, 65535, 65536)
    ]
    return [*runs, *corpora.frames_of_clients(), *corpora.frames_of_servers(), *corpora.requests()]
