"""Every difference between our own engine and the reference that was looked at.

What they do is the same: which bytes are a fault, when it is found, and with which close code or status the connection ends. What
they say of it differs where the engine itself finds it, since the reference tells in the words of the libraries below it. A fault
whose two texts no row brings together fails the tests, and so does a row that stands for none.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

_FRAMING: Final = "RFC 6455 §5.2"
_CONTROL: Final = "RFC 6455 §5.5"


@dataclass(frozen=True, slots=True)
class OtherWords:
    """A fault that the engines find alike and put otherwise."""

    reference: str
    """How the text of the reference begins; its section is that of the framing."""

    native: str
    """Our own text."""

    section: str
    """The section that ours names."""

    why: str


_ITS_SECTION: Final = (
    "wsproto has one error for all of the framing; ours names the section of the rule that was broken"
)
_WORDS: Final = "ours has the words that the other rules of the project have"

OTHER_WORDS: Final = (
    OtherWords("Invalid opcode 0x", "an opcode that has no meaning", _FRAMING, _WORDS),
    OtherWords(
        "Invalid attempt to fragment control frame", "a control frame in fragments", _CONTROL, _ITS_SECTION
    ),
    OtherWords(
        "Control frame with payload len > 125",
        "a control frame of more than 125 bytes",
        _CONTROL,
        _ITS_SECTION,
    ),
    OtherWords(
        "Payload length used 2 bytes when 1 would have sufficed",
        "a length that is not in its shortest form",
        _FRAMING,
        _WORDS,
    ),
    OtherWords(
        "Payload length used 8 bytes when 2 would have sufficed",
        "a length that is not in its shortest form",
        _FRAMING,
        _WORDS,
    ),
    OtherWords(
        "8-byte payload length with non-zero MSB", "a length with its first bit set", _FRAMING, _WORDS
    ),
    OtherWords("Reserved bit set unexpectedly", "a reserved bit without its extension", _FRAMING, _WORDS),
    OtherWords("server received unexpected unmasked frame", "a frame that is not masked", _FRAMING, _WORDS),
    OtherWords("client received unexpected masked frame", "a frame that is masked", _FRAMING, _WORDS),
)


def in_our_words(text: str, section: str) -> tuple[str, str]:
    """Return what our own engine says of a fault of which the reference says this."""
    if section == _FRAMING:
        for row in OTHER_WORDS:
            if text.startswith(row.reference):
                return row.native, row.section
    return text, section
