"""The three places in which options stand, and what they say together.

The command line wins over the environment, that over `pyproject.toml`, that over the defaults. Whatever is wrong in any of
them, a misspelt name as well, is told with the place where it stands: a setting that is silently not the one meant is worse
than a server that does not start.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Final, Generic, TypeAlias, TypeVar, cast

from spry_cli.errors import CommandError
from spry_cli.options import OPTIONS, Option

T = TypeVar("T")

PREFIX: Final = "SPRY_"
OF_OTHERS: Final = frozenset({"SPRY_PURE"})
"""Variables with that prefix that are not for the command: this one is for who builds the package without its C module."""

PROJECT: Final = "pyproject.toml"

NOWHERE: Final = -1
"""Before all sources: the defaults."""


@dataclass(frozen=True, slots=True)
class Given:
    """What one place says of one option, as it is written there."""

    label: str
    """How a message names the place, such as ``SPRY_PORT``."""

    text: str


Source: TypeAlias = Mapping[str, Given]
"""What one place says, by the options' names."""


@dataclass(frozen=True, slots=True)
class Found(Generic[T]):
    """A value and where it came from."""

    value: T
    label: str
    rank: int
    """The place: the higher wins; `NOWHERE` for a default."""


class Values:
    """What all places say together, read.

    Args:
        options: Those that the command has.
        sources: The places, the one that wins last.

    Raises:
        CommandError: A value is none; also where a higher place overrides it.
    """

    def __init__(self, options: Iterable[Option[object]], sources: Sequence[Source]) -> None:
        self._found: dict[str, list[Found[object]]] = {}
        for option in options:
            given = [
                (rank, source[option.name]) for rank, source in enumerate(sources) if option.name in source
            ]
            self._found[option.name] = [Found(read(option, each), each.label, rank) for rank, each in given]

    def __getitem__(self, option: Option[T]) -> T:
        return self.find(option).value

    def find(self, option: Option[T]) -> Found[T]:
        """Return the value that holds, and where it came from."""
        everywhere = self.everywhere(option)
        return everywhere[-1] if everywhere else Found(option.default, option.label, NOWHERE)

    def everywhere(self, option: Option[T]) -> Sequence[Found[T]]:
        """Return what each place says, the one that wins last."""
        # A value was read by its own option, so it is of that option's type.
        return cast("Sequence[Found[T]]", self._found.get(option.name, ()))


def read(option: Option[object], given: Given) -> object:
    """Make the value of what is written, or raise `CommandError` with the name of the place."""
    try:
        return option.read(given.text)
    except ValueError as error:
        raise CommandError(f"{given.label}: {error}") from None


def from_arguments(parsed: Mapping[str, object]) -> Source:
    """Take what stood on the command line, as `arguments.make_parser` has parsed it."""
    found: dict[str, Given] = {}
    for option in OPTIONS:
        match parsed.get(option.name):
            case None:
                pass
            case bool() as is_on:
                found[option.name] = Given(option.label, text_of(is_on))
            case list():
                several = cast("list[str]", parsed[option.name])  # of a flag that may come again
                found[option.name] = Given(option.label, ",".join(several))
            case single:
                found[option.name] = Given(option.label, str(single))
    return found


def from_environment(variables: Mapping[str, str]) -> Source:
    """Take the variables that begin with ``SPRY_``; an empty one counts as not set."""
    known = {option.variable: option.name for option in OPTIONS}
    found: dict[str, Given] = {}
    for variable, text in variables.items():
        if not variable.startswith(PREFIX) or variable in OF_OTHERS:
            continue
        if variable not in known:
            raise unknown(variable, variable, known)
        if text:
            found[known[variable]] = Given(variable, text)
    return found


def from_project(file: Path) -> Source:
    """Take the table ``[tool.spry]`` of a `pyproject.toml`, if there is one."""
    try:
        content: object = tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise CommandError(f"{PROJECT}: {(error.strerror or str(error)).lower()}") from None
    except ValueError as error:  # no TOML, or no UTF-8
        raise CommandError(f"{PROJECT}: {str(error).splitlines()[0].lower()}") from None
    for name in ("tool", "spry"):
        content = table_of(content, f"{PROJECT}, [tool.spry]").get(name, {})
    known = {option.name: option for option in OPTIONS}
    found: dict[str, Given] = {}
    for key, value in table_of(content, f"{PROJECT}, [tool.spry]").items():
        label = f"{PROJECT}, [tool.spry] {key}"
        if key not in known:
            raise unknown(label, key, known)
        found[key] = Given(label, written(known[key], value, label))
    return found


def table_of(value: object, label: str) -> Mapping[str, object]:
    """Return a table of TOML, or raise `CommandError`."""
    if not isinstance(value, dict):
        raise CommandError(f"{label}: not a table")
    return cast("dict[str, object]", value)


def written(option: Option[object], value: object, label: str) -> str:
    """Write a value of TOML as it would be written on the command line, so that it is read in the same way."""
    if option.shape == "pairs":
        table = table_of(value, label)
        if not table:
            raise CommandError(f"{label}: an empty table")
        return ",".join(f"{name}={scalar(each, label)}" for name, each in table.items())
    if option.shape == "names" and isinstance(value, list):
        return ",".join(scalar(each, label) for each in cast("list[object]", value))
    if isinstance(value, bool) and option.shape != "switch":
        raise CommandError(f"{label}: not {text_of(value)}")
    return scalar(value, label)


def scalar(value: object, label: str) -> str:
    """Write one text, number or boolean of TOML."""
    if isinstance(value, bool):
        return text_of(value)
    if isinstance(value, str | int | float):
        return str(value)
    raise CommandError(f"{label}: a text, a number, or true or false")


def text_of(is_on: bool) -> str:
    """Write a switch."""
    return "true" if is_on else "false"


def unknown(label: str, name: str, known: Iterable[str]) -> CommandError:
    """Make the error of a name that is no option's, with the one that was meant, perhaps."""
    close = get_close_matches(name, known, n=1)
    return CommandError(
        f"{label}: there is no such option" + (f"; did you mean {close[0]}?" if close else "")
    )
