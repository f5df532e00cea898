"""One way to go over what an application gives, whether it is a sync or an async iterable."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable
from typing import TypeVar, cast

T = TypeVar("T")


async def iterate(source: AsyncIterable[T] | Iterable[T]) -> AsyncIterator[T]:
    """Give the items of either kind of iterable."""
    if isinstance(source, AsyncIterable):
        async for item in source:
            yield item
    else:
        for item in source:
            yield item


async def aclose(source: object) -> None:
    """Close a generator, sync or async, that may not have been exhausted; anything else needs no closing.

    An async generator sees `GeneratorExit` at its ``yield``.
    """
    if (async_close := getattr(source, "aclose", None)) is not None:
        await cast("Callable[[], Awaitable[object]]", async_close)()
    elif (close := getattr(source, "close", None)) is not None and hasattr(source, "send"):
        cast("Callable[[], object]", close)()
