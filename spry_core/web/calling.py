"""Calling what an application registered: sync or async, and by what name to speak of it."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import cast


async def resolve(value: object) -> object:
    """Return what an awaitable gives, and anything else as it is; so a function may be sync or async."""
    return await cast("Awaitable[object]", value) if isinstance(value, Awaitable) else value


def name_of(function: object) -> str:
    """Return what to call a function, or an object that can be called, in a message."""
    return str(getattr(function, "__qualname__", type(function).__qualname__))
