"""Path patterns: what the path of a route is made of, and how the path of a request is cut to meet it.

A pattern is a row of segments, each with a slash before it. There are four kinds of them: a constant stands
for itself, `:name` takes one segment and gives it a name, `*` takes one segment, and `**` takes all the rest.
An empty segment is a segment like any other: the root, `/`, is a row of one empty constant, and `/a/` ends with
one, which is why it is not `/a`.

A pattern is written as people read it, `/café/:room`; the path of a request comes percent-encoded. `split_path`
is the one place that decodes, once, after cutting at the slashes: `%2F` is a character of a segment and cuts none.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias
from urllib.parse import unquote_to_bytes

BROKEN_ESCAPE: Final = re.compile("%(?![0-9A-Fa-f]{2})")
"""A percent sign without its two hexadecimal digits (RFC 3986 §2.1)."""


@dataclass(frozen=True, slots=True)
class Constant:
    """A segment that takes exactly its own text, written decoded."""

    text: str
    """Any text that a request can send, and that does not read as another kind of segment; it may be empty."""

    def __post_init__(self) -> None:
        if "/" in self.text:
            raise ValueError(f"the constant {self.text!r} holds a slash, which separates segments")
        if "*" in self.text:
            raise ValueError(f"'*' and '**' stand alone in their segment, unlike in {self.text!r}")
        if self.text.startswith(":"):
            raise ValueError(f"the constant {self.text!r} reads as a parameter")
        if not _can_be_sent(self.text):
            raise ValueError(f"no path can hold {self.text!r}")

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class Parameter:
    """`:name`: a segment that takes any one segment but the empty one, and keeps it under a name."""

    name: str
    """A Python identifier in which `-` is allowed too: `room`, `user-id`."""

    def __post_init__(self) -> None:
        if not self.name:
            raise ValueError("':' without a name")
        # Stricter than matching needs: ":name.json" would otherwise be a parameter of the name "name.json".
        if not self.name.replace("-", "_").isidentifier():
            raise ValueError(f"{self.name!r} is no name for a parameter: letters, digits, '_' and '-' only")

    def __str__(self) -> str:
        return f":{self.name}"


@dataclass(frozen=True, slots=True)
class Wildcard:
    """`*`: a segment that takes any one segment but the empty one."""

    def __str__(self) -> str:
        return "*"


@dataclass(frozen=True, slots=True)
class Rest:
    """`**`: takes all the segments that are left, at least one. The first is not empty, the others may be.

    So `/files/**` takes neither `/files/` nor `/files//etc/passwd`: what it took, joined by slashes, is never an absolute path.
    """

    def __str__(self) -> str:
        return "**"


Segment: TypeAlias = Constant | Parameter | Wildcard | Rest
"""What stands between two slashes of a pattern."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """The parsed path of a route: one or more segments, `**` only as the last of them."""

    segments: tuple[Segment, ...]

    def __post_init__(self) -> None:
        if not self.segments:
            raise ValueError("a pattern has at least one segment")
        if Rest() in self.segments[:-1]:
            raise ValueError("'**' takes all the rest, so nothing can follow it")

    @classmethod
    def parse(cls, text: str) -> Pattern:
        """Read a pattern as people write it; the leading slash may be left out, and `""` is the root.

        Raises:
            ValueError: A `:` without a proper name, a `*` beside other text, something behind `**`, or text that
                no path can hold.
            TypeError: It is no text.
        """
        _require_text(text)
        try:
            return cls(tuple(_read(part) for part in text.removeprefix("/").split("/")))
        except ValueError as error:
            raise ValueError(f"bad pattern {text!r}: {error}") from None

    def join(self, text: str) -> Pattern:
        """Return the pattern for the path `text` below this one, as the routes of a group stand below its prefix.

        `""` is the prefix itself, and `"/"` the prefix with a slash behind it. A slash at the end of a prefix says
        nothing: `/rooms/` and `/rooms` are the same prefix, and so are `/` and `""`.

        Raises:
            ValueError: As for `parse`.
            TypeError: It is no text.
        """
        _require_text(text)
        stem = str(self).removesuffix("/")
        return Pattern.parse(f"{stem}/{text.removeprefix('/')}" if text else stem)

    def capture(self, path: Sequence[str]) -> tuple[tuple[tuple[str, str], ...], tuple[str, ...]]:
        """Return what this pattern takes from the segments of a path that it matches.

        First the parameters, as pairs of name and value in order; then the segments of `*` and `**`, in order.
        """
        params: list[tuple[str, str]] = []
        catchall: list[str] = []
        for position, segment in enumerate(self.segments):
            if isinstance(segment, Parameter):
                params.append((segment.name, path[position]))
            elif isinstance(segment, Wildcard):
                catchall.append(path[position])
            elif isinstance(segment, Rest):
                catchall.extend(path[position:])
        return tuple(params), tuple(catchall)

    def __str__(self) -> str:
        """Give the text that `parse` reads back as the same pattern."""
        return "".join(f"/{segment}" for segment in self.segments)


def split_path(path: str) -> list[str]:
    """Cut the raw path of a request into its segments and percent-decode each of them once.

    Args:
        path: The path part of a request target as it came, without the query; `""` is the root
            (RFC 9110 §4.2.3).

    Raises:
        ValueError: The path does not begin with a slash, is not ASCII, has a broken escape, or decodes to a null
            character or to bytes that are no UTF-8. The text holds no word of the path.

    RFC 3986 §2.1 (percent-encoding) and §3.3 (segments). Empty and dot segments are kept: to remove them is up
    to clients (RFC 3986 §5.2.4), and a server that does it as well opens a second way to every route.
    """
    if path and not path.startswith("/"):
        raise ValueError("the path does not begin with a slash")
    if not path.isascii():
        raise ValueError("the path is not ASCII")
    has_escapes = "%" in path
    # UTF-8 has no other way to say U+0000: the overlong one is refused below.
    if "\0" in path or (has_escapes and "%00" in path):
        raise ValueError("the path holds a null character")
    segments = path[1:].split("/")
    return [_decode(segment) for segment in segments] if has_escapes else segments


def _decode(segment: str) -> str:
    if BROKEN_ESCAPE.search(segment):
        raise ValueError("the path has a broken percent-escape")
    try:
        return unquote_to_bytes(segment).decode()
    except UnicodeDecodeError:
        raise ValueError("the path is not UTF-8") from None


def _require_text(text: object) -> None:
    """Refuse what a decorator gets when its parentheses are forgotten, which would otherwise register nothing."""
    if not isinstance(text, str):
        raise TypeError(f"a path is a str, not {type(text).__name__}")


def _read(text: str) -> Segment:
    if text == "*":
        return Wildcard()
    if text == "**":
        return Rest()
    if text.startswith(":"):
        return Parameter(text[1:])
    return Constant(text)


def _can_be_sent(text: str) -> bool:
    """Tell whether some path decodes to this text: null is refused, and a lone surrogate has no UTF-8."""
    try:
        return b"\0" not in text.encode()
    except UnicodeEncodeError:
        return False
