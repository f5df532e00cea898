"""One way to go over what an application gives, whether it is a sync or an async iterable."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Generator, Iterable, Iterator
from typing import Generic, TypeVar, cast

T = TypeVar("T")


class Items(Generic[T]):
    """The items of an iterable of either kind, asked for one by one.

    An object and not an async generator: left early it holds nothing that would have to be closed in turn, so
    `aclose` closes what the application gave, and nothing else needs it.
    """

    def __init__(self, source: AsyncIterable[T] | Iterable[T]) -> None:
        self._source = source
        self._iterator: AsyncIterator[T] | Iterator[T] | None = None

    def __aiter__(self) -> Items[T]:
        """Return itself."""
        return self

    async def __anext__(self) -> T:
        """Return the next item; the first question begins the iteration. Raises what the source raises."""
        if self._iterator is None:
            self._iterator = _begin(self._source)
        if isinstance(self._iterator, AsyncIterator):
            return await anext(self._iterator)
        try:
            return next(self._iterator)
        except StopIteration:
            raise StopAsyncIteration from None

    async def aclose(self) -> None:
        """Close the iterator, exhausted or not, and the source if that is another object.

        An async generator (or anything that has ``aclose``, as channels have) sees its ``aclose``, a generator
        its ``close``; nothing else needs closing.
        """
        if self._iterator is not None and self._iterator is not self._source:
            await _aclose(self._iterator)
        await _aclose(self._source)


def _begin(source: AsyncIterable[T] | Iterable[T]) -> AsyncIterator[T] | Iterator[T]:
    return aiter(source) if isinstance(source, AsyncIterable) else iter(source)


async def _aclose(source: object) -> None:
    if isinstance(source, Generator):
        source.close()
    elif (close := getattr(source, "aclose", None)) is not None:
        await cast("Callable[[], Awaitable[object]]", close)()
