"""The threads in which a store blocks.

A bare executor, because the way of anyio (a limiter, two cancel scopes and two more passes of the loop) costs as much
CPU as the deed itself, about 0.1 ms of it between two derivations that have emptied the caches.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


class Threads:
    """At most *number* threads, made when they are needed; further deeds wait in the order they came."""

    def __init__(self, number: int) -> None:
        self._pool = ThreadPoolExecutor(number, thread_name_prefix="store")

    async def run(self, deed: Callable[[], T]) -> T:
        """What *deed* gives or raises. An asker that is cancelled goes at once; *deed* is done all the same."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[T] = loop.create_future()
        self._pool.submit(_Work(loop, done, deed))
        try:
            return await done
        finally:
            # An error has this frame in its traceback: it would hold itself for the collector to find.
            del done

    def close(self) -> None:
        """End the threads, each after what it is doing."""
        self._pool.shutdown(wait=False)


class _Work(Generic[T]):
    __slots__ = ("_deed", "_done", "_loop")

    def __init__(self, loop: asyncio.AbstractEventLoop, done: asyncio.Future[T], deed: Callable[[], T]) -> None:
        self._loop = loop
        self._done = done
        self._deed = deed

    def __call__(self) -> None:
        """In the thread."""
        try:
            result = self._deed()
        except BaseException as error:  # noqa: BLE001 - raised to the asker
            self._loop.call_soon_threadsafe(_raise, self._done, error)
        else:
            self._loop.call_soon_threadsafe(_give, self._done, result)


def _give(done: asyncio.Future[T], result: T) -> None:
    if not done.done():
        done.set_result(result)


def _raise(done: asyncio.Future[T], error: BaseException) -> None:
    if not done.done():
        done.set_exception(error)
