"""``python -m spry_core.testing.transcript FILE``: show a recording, make a page of it, or run it again."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from spry_core.testing.transcript.page import page_of
from spry_core.testing.transcript.reader import Transcript, TranscriptError, read
from spry_core.testing.transcript.replay import Difference, replay
from spry_core.testing.transcript.sequence import steps
from spry_core.testing.transcript.text import WIDTH, lines_of


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says and return the exit status.

    0 if all went well, 1 if the file is not sound or the core does something else, 2 if a file cannot be read or written.
    """
    options = _parser().parse_args(arguments)
    file: Path = options.file
    try:
        transcript = read(file, is_strict=False)
        if options.replay:
            return _replay(transcript)
        if options.html is not None:
            return _make_page(transcript, options.html or file.with_suffix(".html"))
        sys.stdout.writelines(
            f"{line}\n" for line in lines_of(steps(transcript), width=options.width, all_of_it=options.all)
        )
        sys.stdout.flush()
    except TranscriptError as error:
        return _fail(str(error))
    except BrokenPipeError:  # who reads, such as `head`, has seen enough
        with suppress(OSError):
            sys.stdout.close()  # or the interpreter writes the rest at its end, and complains
        return 0
    except OSError as error:
        return _fail(f"{error.filename}: {error.strerror}", 2)
    return 0 if transcript.fault is None else _fail(str(transcript.fault))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m spry_core.testing.transcript", description="Show a recording of a connection."
    )
    parser.add_argument("file", metavar="FILE", type=Path, help="the recording")
    parser.add_argument(
        "--html", metavar="OUT", nargs="?", const="", help="make a page of it (FILE with .html, or OUT)"
    )
    parser.add_argument("--replay", action="store_true", help="run the core again, and say where it differs")
    parser.add_argument("--all", action="store_true", help="show everything, with all details")
    parser.add_argument("--width", type=int, default=WIDTH, help=f"characters of a line ({WIDTH})")
    return parser


def _replay(transcript: Transcript) -> int:
    if transcript.fault is not None:
        raise transcript.fault
    try:
        replayed = replay(transcript)
    except Difference as difference:
        return _fail(str(difference))
    end = "to the end of the connection" if replayed.is_complete else "as far as it was recorded"
    sys.stdout.write(f"the core does the same: {replayed.lines} lines, {end}\n")
    return 0


def _make_page(transcript: Transcript, out: str | Path) -> int:
    path = Path(out)
    page = page_of(Path(transcript.path).name, steps(transcript))
    path.touch(mode=0o600)
    path.write_text(page, encoding="utf-8")
    sys.stdout.write(f"{path}\n")
    return 0 if transcript.fault is None else _fail(str(transcript.fault))


def _fail(text: str, status: int = 1) -> int:
    sys.stderr.write(f"{text}\n")
    return status
