"""Work in threads that is over when the call is."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, ParamSpec, TypeVar

import anyio

if TYPE_CHECKING:
    from collections.abc import Callable

P = ParamSpec("P")
T = TypeVar("T")


async def to_the_end(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """The result of *work*, done in a thread. A cancelled caller is let go only when the thread is done.

    So a file that the thread writes to is never closed, and its descriptor given to another, under its hands.
    """
    loop = asyncio.get_running_loop()
    future = loop.run_in_executor(None, lambda: work(*args, **kwargs))
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        with anyio.CancelScope(shield=True):
            while not future.done():
                # Cancelled once more while waiting: the first time is the one that is told.
                with suppress(asyncio.CancelledError):
                    await asyncio.wait([future])
        raise
