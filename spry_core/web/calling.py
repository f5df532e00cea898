"""Calling what an application registered: sync or async, and by what name to speak of it."""

from __future__ import annotations

from collections.abc import Awaitable
from types import NoneType
from typing import Final, TypeGuard

_NEVER_AWAITED: Final = frozenset((NoneType, bytes, dict, list, str))


def can_be_awaited(value: object) -> TypeGuard[Awaitable[object]]:
    """Tell whether a function was async, or gave something of that kind. Most give something plain, and to ask the protocol of
    awaitables costs more than they do.
    """
    return type(value) not in _NEVER_AWAITED and isinstance(value, Awaitable)


async def resolve(value: object) -> object:
    """Return what an awaitable gives, and anything else as it is; so a function may be sync or async."""
    return await value if can_be_awaited(value) else value


def name_of(function: object) -> str:
    """Return what to call a function, or an object that can be called, in a message."""
    return str(getattr(function, "__qualname__", type(function).__qualname__))
