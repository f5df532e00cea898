"""The command of transcripts; see `command`."""

from __future__ import annotations

import sys

from spry_core.testing.transcript.command import main

if __name__ == "__main__":  # pragma: no branch - nobody imports it
    sys.exit(main())
