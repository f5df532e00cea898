"""`python -m benchmarks.environment`: make an environment for the other servers, and go on in it as `python -m benchmarks`.

It is another one than that of dev.py, so that nothing of theirs is ever found where Spry is tested. Spry itself is not installed
in it: it is found in the folder of the clone, with the C module that dev.py has built there.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, NoReturn

ROOT: Final = Path(__file__).resolve().parent.parent
ENVIRONMENT: Final = ROOT / ".venv-bench"
PEERS: Final = Path(__file__).with_name("peers.txt")


def python_of(environment: Path) -> Path:
    """Return the Python of an environment."""
    return environment / "bin" / "python"


def stamp() -> str:
    """Return what an environment is made from: another one of these, and it is made anew."""
    return f"{ROOT}\n{sys.version}\n{hashlib.sha256(PEERS.read_bytes()).hexdigest()}\n"


def requirements() -> list[str]:
    """Return the lines of `peers.txt`."""
    lines = PEERS.read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def prepare(environment: Path, install: Callable[[Sequence[str]], bool]) -> list[str]:
    """Make the environment unless it is there; return what could not be installed.

    Args:
        environment: Its folder.
        install: Installs distributions into it; False if it cannot.
    """
    mark = environment / "bench.stamp"
    if mark.exists() and mark.read_text(encoding="utf-8") == stamp():
        return []
    shutil.rmtree(environment, ignore_errors=True)
    venv.create(environment, symlinks=True)
    wanted = requirements()
    # All at once is one look at what they need of each other; one by one it is found out which cannot be.
    left_out = [] if install(wanted) else [one for one in wanted if not install([one])]
    mark.write_text(stamp(), encoding="utf-8")
    return left_out


def pip_install(wanted: Sequence[str]) -> bool:
    """Install with the pip that runs beside this."""
    pip = [sys.executable, "-m", "pip", "--python", str(python_of(ENVIRONMENT))]
    command = [*pip, "install", "--quiet", "--no-input", "--disable-pip-version-check", *wanted]
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False).returncode == 0


def main(arguments: Sequence[str]) -> NoReturn:
    """Make the environment and go on there."""
    if not (ENVIRONMENT / "bench.stamp").exists():
        print(
            "installing the other servers into .venv-bench (this time only) ...", file=sys.stderr, flush=True
        )
    for each in prepare(ENVIRONMENT, pip_install):
        print(f"{each} cannot be installed, and is left out", file=sys.stderr, flush=True)
    os.chdir(ROOT)
    python = str(python_of(ENVIRONMENT))
    os.execv(python, [python, "-m", "benchmarks", *arguments])


if __name__ == "__main__":
    main(sys.argv[1:])
