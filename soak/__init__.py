"""Long runs against real servers: faults on the way (`chaos`) and signals at random moments (`stopping`)."""

from __future__ import annotations
