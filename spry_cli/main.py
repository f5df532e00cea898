"""The `spry` command: read the arguments, do it, and say in one line what went wrong."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Final, Literal, NoReturn

from spry_cli.errors import CommandError, report
from spry_cli.loader import load
from spry_cli.routes import show_routes
from spry_cli.run import Backend, Loop, RunSettings, run
from spry_core.version import VERSION

FAILED: Final = 2
INTERRUPTED: Final = 130
"""The exit status of a command that cannot be done, as argparse has it for wrong arguments."""

MAX_PORT: Final = 0xFFFF


class Arguments(argparse.Namespace):
    """The arguments of all commands, typed; those of `spry run` alone are unset under `spry routes`."""

    command: Literal["run", "routes"]
    target: str
    app_dir: str
    backend: Backend
    loop: Loop
    host: str
    port: int
    access_log: bool


class Parser(argparse.ArgumentParser):
    """A parser that raises its complaint, so that every failure is told in the same way and in one line."""

    def error(self, message: str) -> NoReturn:
        """Raise `CommandError`."""
        raise CommandError(f"{message} (see {self.prog} --help)")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command that `argv` says (default: the process's arguments) and return its exit status, 0 or 2.

    It is 130 after an interrupt that came before serving had begun, as shells have it.

    `--help` and `--version` leave through `SystemExit`, as argparse does it.
    """
    try:
        execute(make_parser().parse_args(argv, namespace=Arguments()))
    except CommandError as error:
        report(error)
        return FAILED
    except KeyboardInterrupt:  # before the server took the signals, or after it gave them back
        return INTERRUPTED
    return 0


def execute(arguments: Arguments) -> None:
    """Do what the arguments say."""
    app = load(arguments.target, arguments.app_dir)
    if arguments.command == "routes":
        show_routes(app)
        return
    settings = RunSettings(
        backend=arguments.backend,
        loop=arguments.loop,
        host=arguments.host,
        port=arguments.port,
        access_log=arguments.access_log,
    )
    run(app, settings)


def make_parser() -> Parser:
    """Describe the command line."""
    parser = Parser(
        prog="spry", description="Serve a Spry application, or show what it serves.", allow_abbrev=False
    )
    parser.add_argument("--version", action="version", version=f"spry {VERSION}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="{run,routes}")

    target = Parser(add_help=False)
    target.add_argument("target", metavar="module:app", help="where the application is, such as app:app")
    target.add_argument(
        "--app-dir", metavar="FOLDER", default=".", help="where to look for the module first (%(default)s)"
    )

    serve = commands.add_parser("run", parents=[target], help="serve an application", allow_abbrev=False)
    serve.add_argument(
        "--backend", choices=("asyncio", "trio"), default="asyncio", help="who moves the bytes (%(default)s)"
    )
    serve.add_argument(
        "--loop",
        choices=("auto", "asyncio", "uvloop"),
        default="auto",
        help="the event loop below asyncio; auto is uvloop where it is installed",
    )
    serve.add_argument(
        "--host", type=host, default="127.0.0.1", help="the address to listen on (%(default)s)"
    )
    serve.add_argument(
        "--port", type=port, default=8000, help="the port to listen on; 0 is any free one (%(default)s)"
    )
    serve.add_argument(
        "--no-access-log", dest="access_log", action="store_false", help="do not log each request"
    )

    commands.add_parser(
        "routes", parents=[target], help="list the routes of an application", allow_abbrev=False
    )
    return parser


def host(text: str) -> str:
    """Refuse an empty host, which a socket would take for every address of the machine."""
    if not text:
        raise argparse.ArgumentTypeError("a host cannot be empty")
    return text


def port(text: str) -> int:
    """Read a port."""
    if not (text.isascii() and text.isdigit() and len(text) <= 5 and int(text) <= MAX_PORT):
        raise argparse.ArgumentTypeError(f"a port is a number from 0 to {MAX_PORT}")
    return int(text)
