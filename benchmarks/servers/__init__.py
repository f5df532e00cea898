"""The servers: each module is a program, `python -m benchmarks.servers.NAME LOOP PORT KIND [ENGINE]`, as small as it can be."""

from __future__ import annotations
