"""The optional C module, and nothing else: everything there is to say about the project stands in pyproject.toml.

Where there is no compiler, or it fails, Spry is installed without the module, and behaves the same. `SPRY_PURE=1` says not even
to try.
"""

from __future__ import annotations

import os
import sys
import sysconfig
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_ext import build_ext
from setuptools.errors import BaseError, CCompilerError

IS_WANTED = sys.implementation.name == "cpython" and os.environ.get("SPRY_PURE") != "1"

# A Python without the GIL has no stable ABI before 3.15, so there the module is built for one release.
IS_STABLE = not sysconfig.get_config_var("Py_GIL_DISABLED")

SPEEDUPS = Extension(
    "spry_core.speedups",
    ["spry_core/speedups.c"],
    optional=True,
    py_limited_api=IS_STABLE,
    define_macros=[("Py_LIMITED_API", "0x030B0000")] if IS_STABLE else [],
)


class BuildIfPossible(build_ext):
    """Says in one line why the module was not built."""

    def build_extension(self, ext: Extension) -> None:
        """Build it, or leave it out."""
        try:
            super().build_extension(ext)  # pyright: ignore[reportUnknownMemberType] - setuptools does not say what it is
        except (BaseError, CCompilerError, OSError) as error:
            print(f"spry: {ext.name}, which would only make it faster, is left out: {error}", file=sys.stderr)
            Path(self.get_ext_fullpath(ext.name)).unlink(missing_ok=True)  # of an earlier build


class TagWhatWasBuilt(bdist_wheel):
    """Makes a wheel for this platform if the module is in it, and else one for all."""

    def run(self) -> None:
        """Build the module first, for the name of the wheel depends on it."""
        if self.distribution.has_ext_modules():
            self.run_command("build_ext")
            if not all(map(os.path.exists, self.get_finalized_command("build_ext").get_outputs())):
                self.distribution.ext_modules = []
                self.root_is_pure = True
        super().run()


setup(
    ext_modules=[SPEEDUPS] if IS_WANTED else [],
    cmdclass={"build_ext": BuildIfPossible, "bdist_wheel": TagWhatWasBuilt},
    options={"bdist_wheel": {"py_limited_api": "cp311"}} if IS_WANTED and IS_STABLE else {},
)
