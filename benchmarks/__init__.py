"""How fast Spry is: in memory, and over the loopback beside other servers (`docs/explanation/performance.md`)."""

from __future__ import annotations
