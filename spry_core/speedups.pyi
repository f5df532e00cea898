"""What `speedups.c` has: the primitives, as `spry_core.protocol.engines.interface.Primitives` describes them."""

from __future__ import annotations

def unmask(data: bytes, start: int, end: int, key: bytes, /) -> bytes: ...
def frame(first: int, payload: bytes, key: bytes | None = None, /) -> bytes: ...
def scan(
    data: bytes, start: int, masked: bool, most: int, room: int, longest: int, /
) -> tuple[list[str | bytes], list[int], int]: ...

class Arrival:
    def __new__(cls, is_text: bool, length: int, key: bytes | None, /) -> Arrival: ...
    def add(self, data: bytes, start: int, end: int, /) -> bool: ...
    def so_far(self) -> bytes: ...
    def take(self) -> str | bytes | None: ...

def arrival(is_text: bool, length: int, key: bytes | None, /) -> Arrival: ...
def parse_head(
    data: bytes | bytearray,
    start: int,
    max_line: int,
    max_field_line: int,
    max_section: int,
    max_fields: int,
    known: dict[bytes, bytes],
    notable: frozenset[bytes],
    /,
) -> (
    tuple[bytes, bytes, bytes, tuple[tuple[bytes, bytes], ...], tuple[tuple[bytes, bytes], ...], int] | None
): ...
