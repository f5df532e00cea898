"""The command of the conformance kit; see `command`."""

from __future__ import annotations

import sys

from spry_core.testing.conformance.command import main

if __name__ == "__main__":  # pragma: no branch - nobody imports it
    sys.exit(main())
