"""The version of Spry, written down once.

The build reads it from here, because asking the installed metadata (`importlib.metadata`) would load `socket`
and `select` into a core that promises to know neither.
"""

from __future__ import annotations

from typing import Final

VERSION: Final = "0.1.0"
"""The release, as PEP 440 spells it."""
