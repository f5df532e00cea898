"""What can go wrong with a command, and how its user hears of it: in one line on standard error."""

from __future__ import annotations

import sys
from traceback import print_exception
from types import TracebackType
from typing import Final

MACHINERY: Final = {"asyncio", "importlib", "spry_asyncio", "spry_cli", "spry_core", "spry_trio", "trio"}


class CommandError(Exception):
    """The command cannot be done; the text is one line for the person at the terminal.

    With a `__cause__`, that is a fault in the user's own code, and its traceback is worth showing.
    """


def report(error: CommandError) -> None:
    """Print the error as the last line on standard error, below the traceback of the user's own code if that is the cause."""
    if error.__cause__ is not None:
        print_exception(error.__cause__.with_traceback(users_part(error.__cause__.__traceback__)))
    print(f"spry: {error}", file=sys.stderr)


def users_part(traceback: TracebackType | None) -> TracebackType | None:
    """Leave out the frames of ours, of the import system and of the loop, with which the way into the user's module begins."""
    while traceback is not None and is_machinery(traceback.tb_frame.f_globals.get("__name__")):
        traceback = traceback.tb_next
    return traceback


def is_machinery(module: object) -> bool:
    """Tell by its module whether a frame only led to the user's code."""
    return isinstance(module, str) and module.partition(".")[0] in MACHINERY
