"""The `spry` command: read what it was told, do it, and say in one line what went wrong."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from spry_cli.arguments import make_parser
from spry_cli.errors import CommandError, report
from spry_cli.inherited import drop_unwritable, fill_standard_descriptors
from spry_cli.loader import load
from spry_cli.options import APP, APP_DIR, FACTORY, OF_ROUTES, OF_RUN
from spry_cli.routes import show_routes
from spry_cli.run import run
from spry_cli.settings import make_settings
from spry_cli.sources import PROJECT, Values, from_arguments, from_environment, from_project
from spry_core import Application

__all__ = ["main", "make_parser"]

FAILED: Final = 2
"""The exit status of a command that cannot be done, as argparse has it for wrong arguments."""

INTERRUPTED: Final = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command that `argv` says (default: the process's arguments) and return its exit status, 0 or 2.

    It is 130 after an interrupt that came before serving had begun, as shells have it.

    `--help` and `--version` leave through `SystemExit`, as argparse does it.
    """
    try:
        execute(vars(make_parser().parse_args(argv)))
    except CommandError as error:
        report(error)
        return FAILED
    except KeyboardInterrupt:  # before the server took the signals, or after it gave them back
        return INTERRUPTED
    finally:
        drop_unwritable(sys.stdout, sys.stderr)
    return 0


def execute(parsed: dict[str, object]) -> None:
    """Do what the arguments say, with what the other places say."""
    sources = (from_project(Path(PROJECT)), from_environment(os.environ), from_arguments(parsed))
    if parsed["command"] == "routes":
        show_routes(application(Values(OF_ROUTES, sources)))
        return
    values = Values(OF_RUN, sources)
    fill_standard_descriptors()
    settings = make_settings(values)  # first, because an import may take its time and say a lot
    run(application(values), settings)


def application(values: Values) -> Application:
    """Load what is to be served."""
    target = values[APP]
    if target is None:
        raise CommandError(
            f'say what to serve, such as app:app, or app = "app:app" in [tool.spry] of {PROJECT}'
        )
    return load(target, values[APP_DIR], is_factory=values[FACTORY])
