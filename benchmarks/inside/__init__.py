"""What is measured without a socket or a loop: the parts of the core, each beside others that do the same."""

from __future__ import annotations
