"""The `spry` command, the only place that knows both adapters (docs/howto/run-the-command.md). Nothing in it is for import."""

from __future__ import annotations

__all__ = ()
