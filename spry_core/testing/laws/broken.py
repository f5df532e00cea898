"""What a broken law says: which law, by what input, at which case, and how to run that one again."""

from __future__ import annotations

from typing import Final


class LawBroken(AssertionError):  # noqa: N818 - a law is broken
    """A law does not hold. The text says all that is needed to see it again."""

    def __init__(
        self, law: str, target: str, *, data: bytes | None, case: object, seed: int, expected: str, got: str
    ) -> None:
        """Say which law was broken by what."""
        self.law: Final = law
        """The name of the function in `spry_core.testing.laws`."""
        self.target: Final = target
        """The target that was asked for."""
        self.data: Final = data
        """The bytes that the peer sent; None if the case says what they are."""
        self.case: Final = case
        """What was done with them; an element of the law's `cases`."""
        self.seed: Final = seed
        """The seed of the run."""
        given = "" if data is None else "data=<input>, "
        super().__init__(
            f"{law} is broken at {target}\n"
            f"  expected: {expected}\n"
            f"  got:      {got}\n"
            f"  case:     {case!r}\n"
            f"  input:    {'made for the case' if data is None else repr(data)}\n"
            f"  again:    laws.{law}(app, {target!r}, {given}cases=[{case!r}], seed={seed})"
        )


def clipped(data: bytes, size: int = 160) -> str:
    """Show bytes; of many the last, where what went wrong is seen."""
    return repr(data) if len(data) <= size else f"{len(data)} bytes, at the end {data[-size:]!r}"
