"""`python -m fuzz.sanitized LIBRARY MODULE …`: run a module with another build of `spry_core.speedups` in its place.

That build is one with AddressSanitizer and UndefinedBehaviorSanitizer, which end the process at the first byte that is read
beyond an object and the first sum that overflows, and say where.
"""

from __future__ import annotations

import os
import runpy
import shlex
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from importlib.machinery import ExtensionFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from typing import Final

NAME: Final = "spry_core.speedups"
ROOT: Final = Path(__file__).resolve().parent.parent
SOURCE: Final = ROOT / "spry_core/speedups.c"
UNIT_TESTS: Final = ("tests/spry_core/test_speedups.py", "tests/spry_core/protocol/engines/test_pure.py")

_FLAGS: Final = (
    *("-std=c99", "-g", "-O1", "-fPIC", "-shared", "-fno-omit-frame-pointer"),
    *("-Wall", "-Wextra", "-Wshadow", "-Werror", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"),
    "-DPy_LIMITED_API=0x030B0000",
)


class CannotBuild(Exception):  # noqa: N818 - it states a fact, as the project's own exceptions do
    """There is no compiler with these sanitizers, or it fails."""


def compiler() -> list[str]:
    """Return the words of the command that compiles C."""
    return shlex.split(os.environ.get("CC", "cc"))


def runtime() -> Path:
    """Return the library of AddressSanitizer, which has to be loaded before everything else.

    Raises:
        CannotBuild: The compiler has none.
    """
    command = [*compiler(), "-print-file-name=libasan.so"]
    if shutil.which(command[0]) is None:
        raise CannotBuild(f"no compiler {command[0]!r}")
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    library = Path(result.stdout.strip())
    if result.returncode or not library.is_file():
        raise CannotBuild(f"{command[0]} has no AddressSanitizer that can be loaded first")
    return library


def build(folder: Path, source: Path = SOURCE) -> Path:
    """Compile the module into `folder`; return the library.

    Raises:
        CannotBuild: It cannot be compiled here.
    """
    runtime()
    folder.mkdir(parents=True, exist_ok=True)
    library = folder / "speedups.so"
    includes = [f"-I{sysconfig.get_path(name)}" for name in ("include", "platinclude")]
    command = [*compiler(), *_FLAGS, *includes, str(source), "-o", str(library)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode:
        raise CannotBuild(result.stderr)
    return library


def run(
    library: Path, module: str, *arguments: str, capture: bool = False
) -> subprocess.CompletedProcess[str]:
    """Run a module with that library in the place of the installed one."""
    environment = {
        **os.environ,
        "LD_PRELOAD": str(runtime()),
        "PYTHONMALLOC": "malloc",  # or else objects lie side by side in blocks, and nobody sees one end
        "ASAN_OPTIONS": "detect_leaks=0",  # the interpreter itself leaves much behind at its end
        "UBSAN_OPTIONS": "print_stacktrace=1",
        "PYTHONPATH": os.pathsep.join((str(ROOT / "tests"), str(ROOT))),
    }
    command = [sys.executable, "-m", "fuzz.sanitized", str(library), module, *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=capture, text=True, check=False)


def main(arguments: Sequence[str]) -> None:
    """Load the library under the name of the module, before anything asks for that; then run the module that is named."""
    library, module, *rest = arguments
    loader = ExtensionFileLoader(NAME, library)
    spec = spec_from_loader(NAME, loader)
    assert spec is not None
    speedups = module_from_spec(spec)
    loader.exec_module(speedups)
    sys.modules[NAME] = speedups
    sys.argv = [module, *rest]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main(sys.argv[1:])
