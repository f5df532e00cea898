"""What it was measured on: a figure without it says nothing."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

from spry_core.protocol.engines import choice

PEERS: Final = Path(__file__).with_name("peers.txt")


def machine() -> dict[str, str | int]:
    """Return the processor, the kernel and the Python."""
    return {
        "cpu": processor(),
        "cores": os.cpu_count() or 0,
        "kernel": f"{platform.system()} {platform.release()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "engine": choice.DEFAULT_ENGINE,
        "primitives": "C" if choice.HAS_SPEEDUPS else "Python",
    }


def processor() -> str:
    """Return the model of the processor, as far as the system tells."""
    try:
        found = re.search(
            r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(encoding="utf-8"), re.MULTILINE
        )
    except OSError:
        found = None
    return found[1] if found else platform.processor() or platform.machine()


def versions(names: Iterable[str] | None = None) -> dict[str, str]:
    """Return the release of each distribution that is installed; without names of those in `peers.txt`."""
    found: dict[str, str] = {}
    for name in pinned() if names is None else names:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def pinned() -> list[str]:
    """Return the names in `peers.txt`."""
    return re.findall(r"^([\w.-]+)==", PEERS.read_text(encoding="utf-8"), re.MULTILINE)
