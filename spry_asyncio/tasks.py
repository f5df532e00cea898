"""How a task of asyncio's begins: at once where it can, which is from Python 3.12 on."""

from __future__ import annotations

import asyncio
import sys
from asyncio import AbstractEventLoop
from collections.abc import Coroutine
from typing import Final

NAME: Final = "spry"
"""What all tasks are called."""

if sys.version_info >= (3, 12):

    def begin_at_once(
        coroutine: Coroutine[object, object, None], loop: AbstractEventLoop
    ) -> asyncio.Task[None]:
        """Make a task of it and let it take its first step now."""
        return asyncio.Task(coroutine, loop=loop, name=NAME, eager_start=True)

else:

    def begin_at_once(
        coroutine: Coroutine[object, object, None], loop: AbstractEventLoop
    ) -> asyncio.Task[None]:
        """Make a task of it; its first step can be made by the loop alone."""
        return asyncio.Task(coroutine, loop=loop, name=NAME)
