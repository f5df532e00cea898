"""How much is done for one peer before others have their turn.

A read of many tiny frames or chunks costs a hundred times what one of a big message costs. So what came is parsed in
turns: when one is over, the rest waits where it is, reading pauses, and the deadline TURN, which is due at once, lets
the pump come back to it behind what else is ready. A turn is a few milliseconds of a slow engine.
"""

from __future__ import annotations

from typing import Final

STEPS: Final = 256
"""Frames, chunks and their like in one turn."""

HEAD_STEPS: Final = 16
"""What a head is worth: it is a hundred lines and more, and the engine goes over all of it again."""

STEP_SIZE: Final = 4 * 1024
"""Bytes that cost as much as another step: of compressed data one frame may be as long as a message may."""


class Turn:
    """What is left of the present turn of one connection."""

    __slots__ = ("is_awaited", "left")

    def __init__(self) -> None:
        self.left: int = STEPS
        """Steps until it is over. Who takes one counts it, here where it costs least."""
        self.is_awaited: bool = False
        """True while something waits for the next one."""

    def begin(self) -> None:
        """Begin another turn: the pump has come."""
        self.left = STEPS

    def spend(self, steps: int = 1, size: int = 0) -> None:
        """Take note of so many steps, which gave `size` bytes."""
        self.left -= steps + size // STEP_SIZE
