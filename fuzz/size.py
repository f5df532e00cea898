"""How much a connection holds, seen from outside: every byte in every object that can be reached from it."""

from __future__ import annotations

import gc
from enum import Enum
from types import BuiltinFunctionType, CodeType, FunctionType, ModuleType
from typing import Final, cast

_SHARED: Final = (type, ModuleType, FunctionType, BuiltinFunctionType, CodeType, Enum)
"""Kinds of objects that belong to the program, not to one connection."""


def held_bytes(root: object) -> int:
    """Return the bytes and characters of all that `root` refers to, each object counted once.

    What objects cost beside that is left out, and so is what zlib holds: neither can grow with what a peer sends unless
    this does too.
    """
    seen: set[int] = set()
    total = 0
    waiting: list[object] = [root]
    while waiting:
        each = waiting.pop()
        if id(each) in seen or isinstance(each, _SHARED):
            continue
        seen.add(id(each))
        if isinstance(each, bytes | bytearray | str):
            total += len(each)
        else:
            waiting.extend(gc.get_referents(each))
            if isinstance(each, dict):  # which does not tell of keys that are text
                waiting.extend(cast("dict[object, object]", each))
    return total
