"""`python -m spry_core.testing.peers`."""

from __future__ import annotations

import sys

from spry_core.testing.peers.command import main

sys.exit(main())
