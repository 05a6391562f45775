"""One run for a name at a time, however many ask for it.

Theory of operation. The first asker of a key starts a run, a task that belongs to the task group given; whoever asks
while it is under way joins. Askers count themselves in and out. An asker that is cancelled leaves and nobody else
notices, unless it was the last: then the run is cancelled. A run is forgotten before it is cancelled, so whoever asks
from that instant on starts afresh; the fresh run waits for the cancelled one to be gone, so never are two at work. A
run that has ended is forgotten too, and its result lives until the last asker has left its context.

Everything between two awaits here is one step of one event loop, which is all the locking there is.
"""

from __future__ import annotations

import asyncio
import copy
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Generic, TypeVar

from derivproxy.domain.errors import Fault, Overloaded

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

T = TypeVar("T")


class _Flight(Generic[T]):
    """A run and those who wait for it."""

    __slots__ = ("askers", "error", "landed", "result", "task")

    def __init__(self) -> None:
        self.askers = 0
        self.landed = asyncio.Event()
        self.result: list[T] = []
        self.error: Exception | None = None
        self.task: asyncio.Task[None] | None = None


class Coalescer(Generic[T]):
    """Shares runs. *discard* is called once with each result, when nobody uses it any more."""

    def __init__(self, group: asyncio.TaskGroup, discard: Callable[[T], None]) -> None:
        self._group = group
        self._discard = discard
        self._flights: dict[str, _Flight[T]] = {}
        self._ending: dict[str, set[asyncio.Task[None]]] = {}
        self._stopped = False

    def __len__(self) -> int:
        return len(self._flights)

    @asynccontextmanager
    async def share(self, key: str, work: Callable[[], Awaitable[T]]) -> AsyncIterator[tuple[T, bool]]:
        """The result of *work*, and whether somebody else's run made it; the result is good while the context is open.

        Raises what the run raised; ``Overloaded`` where it was stopped for another reason than that nobody waits.
        """
        if self._stopped:
            raise _stopping()
        flight = self._flights.get(key)
        joined = flight is not None
        if flight is None:
            flight = self._launch(key, work)
        flight.askers += 1
        try:
            await flight.landed.wait()
            if isinstance(flight.error, Fault):
                # A copy: one exception raised by many would collect the traceback of each.
                raise copy.copy(flight.error)
            if flight.error is not None:
                raise flight.error
            yield flight.result[0], joined
        finally:
            flight.askers -= 1
            if not flight.askers:
                self._abandoned(key, flight)

    def stop(self) -> None:
        """Cancel every run and begin no other; who waits or asks is told that the service is stopping."""
        self._stopped = True
        for flight in self._flights.values():
            if flight.task is not None:
                flight.task.cancel()

    def _launch(self, key: str, work: Callable[[], Awaitable[T]]) -> _Flight[T]:
        flight: _Flight[T] = _Flight()
        before = set(self._ending.get(key, ()))
        flight.task = self._group.create_task(self._fly(flight, work, before), name=f"run {key}")
        flight.task.add_done_callback(lambda task: self._landed(key, flight, task))
        self._flights[key] = flight
        return flight

    async def _fly(self, flight: _Flight[T], work: Callable[[], Awaitable[T]], before: set[asyncio.Task[None]]) -> None:
        try:
            if before:
                await asyncio.wait(before)
            flight.result.append(await work())
        except Exception as error:  # noqa: BLE001 - raised in each asker; in the group it would end all other runs
            flight.error = error

    def _landed(self, key: str, flight: _Flight[T], task: asyncio.Task[None]) -> None:
        if self._flights.get(key) is flight:
            del self._flights[key]
        ending = self._ending.get(key)
        if ending is not None:
            ending.discard(task)
            if not ending:
                del self._ending[key]
        if not flight.result and flight.error is None:
            flight.error = _stopping()
        flight.landed.set()
        if not flight.askers:
            self._let_go(flight)

    def _abandoned(self, key: str, flight: _Flight[T]) -> None:
        if flight.landed.is_set():
            self._let_go(flight)
            return
        # Forgotten first, so that nobody joins a run that is being cancelled.
        if self._flights.get(key) is flight:
            del self._flights[key]
        if flight.task is not None and not flight.task.done():
            self._ending.setdefault(key, set()).add(flight.task)
            flight.task.cancel()

    def _let_go(self, flight: _Flight[T]) -> None:
        while flight.result:
            self._discard(flight.result.pop())


def _stopping() -> Overloaded:
    return Overloaded("the service is stopping; ask again")
