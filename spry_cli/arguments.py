"""The command line, as argparse reads it: made of the table of options, which also says what the words mean.

argparse gathers words and writes the help. It reads no values and knows no defaults: both are the same for all three places.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from typing import Final, NoReturn, assert_never

from spry_cli.errors import CommandError
from spry_cli.options import OF_ROUTES, OF_RUN, Option
from spry_core.protocol import HAS_SPEEDUPS
from spry_core.version import VERSION

PLACES: Final = (
    "Each option may also stand in the environment (SPRY_PORT for --port) and in [tool.spry] of the current "
    "folder's pyproject.toml (port); the command line wins, then the environment. The word none turns off "
    "what can be turned off."
)


class Parser(argparse.ArgumentParser):
    """A parser that raises its complaint, so that every failure is told in the same way and in one line."""

    def error(self, message: str) -> NoReturn:
        """Raise `CommandError`."""
        raise CommandError(f"{message} (see {self.prog} --help)")


def make_parser() -> Parser:
    """Describe the command line; what stood there is found under the options' names, and `command`."""
    parser = Parser(
        prog="spry", description="Serve a Spry application, or show what it serves.", allow_abbrev=False
    )
    parser.add_argument("--version", action="version", version=version_words())
    commands = parser.add_subparsers(dest="command", required=True, metavar="{run,routes}")
    for name, options, words in (
        ("run", OF_RUN, "serve an application"),
        ("routes", OF_ROUTES, "list the routes of an application"),
    ):
        command = commands.add_parser(
            name,
            help=words,
            usage=f"spry {name} [module:app] [options]",
            description=f"{words.capitalize()}.",
            epilog=PLACES,
            allow_abbrev=False,
            argument_default=argparse.SUPPRESS,
        )
        add_options(command, options)
    return parser


def version_words() -> str:
    """Say which release this is, and whether the native engine has its C module."""
    return f"spry {VERSION} (speedups: {'yes' if HAS_SPEEDUPS else 'no'})"


def add_options(parser: argparse.ArgumentParser, options: Iterable[Option[object]]) -> None:
    """Add these, each under its heading."""
    groups: dict[str, argparse._ArgumentGroup] = {}  # pyright: ignore[reportPrivateUsage] - the type has no other name
    for option in options:
        if option.group not in groups:
            groups[option.group] = parser.add_argument_group(option.group)
        add = groups[option.group].add_argument
        default = f" ({option.default_text})" if option.default_text else ""
        words = (option.help + default).replace("%", "%%")
        match option.shape:
            case "target":
                add(option.name, metavar=option.metavar, nargs="?", help=words)
            case "switch":
                add(option.flag, dest=option.name, action=argparse.BooleanOptionalAction, help=words)
            case "pairs" | "names":
                add(option.flag, dest=option.name, metavar=option.metavar, action="append", help=words)
            case "value":
                add(option.flag, dest=option.name, metavar=option.metavar, help=words)
            case _:
                assert_never(option.shape)
