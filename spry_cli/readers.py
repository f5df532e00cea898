"""How what a person has written becomes a value: each reader takes the text and raises `ValueError` with what it should be."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields
from typing import Final, TypeAlias, TypeVar

from spry_core.protocol import Limits, Timeouts
from spry_core.recording import Redaction

T = TypeVar("T")
Text = TypeVar("Text", bound=str)

Number: TypeAlias = int | float | None
"""The value of one of `Limits` or `Timeouts`."""

MAX_PORT: Final = 0xFFFF
NONE: Final = "none"
"""What turns a setting off that can be turned off."""

SWITCHES: Final = {
    "true": True, "yes": True, "on": True, "1": True,
    "false": False, "no": False, "off": False, "0": False,
}  # fmt: skip

LONGEST_QUOTE: Final = 60


def quote(text: str) -> str:
    """Write a text of the user's for a message: in quotes, and cut where it is long."""
    return repr(text if len(text) <= LONGEST_QUOTE else text[: LONGEST_QUOTE - 3] + "...")


def any_text(text: str) -> str:
    """Take what is there."""
    return text


def some_text(text: str) -> str:
    """Refuse an empty text: as a host it would be every address of the machine, as a file the current folder."""
    if not text:
        raise ValueError("cannot be empty")
    return text


def switch(text: str) -> bool:
    """Read yes or no."""
    try:
        return SWITCHES[text.lower()]
    except KeyError:
        raise ValueError(f"true or false, not {quote(text)}") from None


def port(text: str) -> int:
    """Read a port."""
    if not (is_whole(text) and int(text) <= MAX_PORT):
        raise ValueError(f"a port is a number from 0 to {MAX_PORT}, not {quote(text)}")
    return int(text)


def whole(text: str) -> int:
    """Read a number that is not negative."""
    if not is_whole(text):
        raise ValueError(f"a whole number, not {quote(text)}")
    return int(text)


def positive(text: str) -> int:
    """Read a number of at least 1."""
    if not is_whole(text) or not int(text):
        raise ValueError(f"a whole number from 1 on, not {quote(text)}")
    return int(text)


def names(text: str) -> tuple[str, ...]:
    """Read names of fields that a recording can hide, several with commas between them."""
    given = [name.strip() for name in text.split(",")]
    Redaction(given)  # refuses what is no such name
    return tuple(name.lower() for name in given)


def is_whole(text: str) -> bool:
    """Tell whether `text` is a number in ASCII digits; `int` would also take signs, underscores and digits of other scripts."""
    return re.fullmatch(r"[0-9]{1,15}", text) is not None


def seconds(text: str) -> float:
    """Read a duration."""
    if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", text) is None:
        raise ValueError(f"a number of seconds such as 2.5, not {quote(text)}")
    return float(text)


def or_none(read: Callable[[str], T]) -> Callable[[str], T | None]:
    """Make a reader that takes the word ``none`` as well."""

    def read_or_none(text: str) -> T | None:
        if text == NONE:
            return None
        try:
            return read(text)
        except ValueError as error:
            raise ValueError(f"none, or {error}") from None

    return read_or_none


def one_of(choices: tuple[Text, ...]) -> Callable[[str], Text]:
    """Make a reader of one word out of several."""

    def read_choice(text: str) -> Text:
        for choice in choices:
            if choice == text:
                return choice
        raise ValueError(f"{', '.join(choices[:-1])} or {choices[-1]}, not {quote(text)}")

    return read_choice


def default_of(settings: type[Limits | Timeouts], name: str) -> Number:
    """Return the default of one setting."""
    [default] = (
        each.default for each in fields(settings) if each.name == name and each.default is not MISSING
    )
    assert default is None or isinstance(default, int | float)
    return default


def setting(settings: type[Limits | Timeouts], name: str) -> Callable[[str], Number]:
    """Return the reader of one setting, as the dataclass annotates it."""
    [annotation] = (str(each.type) for each in fields(settings) if each.name == name)
    read: Callable[[str], Number] = seconds if "float" in annotation else whole
    return or_none(read) if "None" in annotation else read


def pairs(settings: type[Limits | Timeouts]) -> Callable[[str], Mapping[str, Number]]:
    """Make a reader of ``NAME=VALUE`` for any of these settings, several with commas between them."""
    names = [each.name for each in fields(settings)]

    def read_pairs(text: str) -> Mapping[str, Number]:
        found: dict[str, Number] = {}
        for pair in text.split(","):
            name, equals, value = pair.partition("=")
            if not equals:
                raise ValueError(f"NAME=VALUE, not {quote(pair)}")
            if name not in names:
                raise ValueError(f"{settings.__name__} has no {quote(name)}")
            try:
                found[name] = setting(settings, name)(value)
            except ValueError as error:
                raise ValueError(f"{name}: {error}") from None
        return found

    return read_pairs
