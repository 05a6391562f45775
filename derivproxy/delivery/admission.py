"""Who may derive now, who waits, and who is told to come back."""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from derivproxy.domain.errors import Overloaded

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class Admission:
    """*slots* at work at once, *queue* waiting in the order they came; the next is ``Overloaded`` at once.

    With a *capacity*, the costs of those at work stay within it together; one that alone costs more works alone. Who is
    next in line is not overtaken by who costs less. A waiting request holds nothing but its place.
    """

    def __init__(self, *, slots: int, queue: int, capacity: int | None = None) -> None:
        if slots < 1 or queue < 0:
            raise ValueError(f"slots={slots}, queue={queue}: take at least 1 slot and a queue of 0 or more")
        self._slots = slots
        self._queue = queue
        self._capacity = capacity
        self._cost = 0
        self._working = 0
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    @property
    def working(self) -> int:
        """How many have a slot."""
        return self._working

    @property
    def waiting(self) -> int:
        """How many wait for one."""
        return len(self._waiting)

    @asynccontextmanager
    async def slot(self, cost: int = 1) -> AsyncIterator[None]:
        """Wait for a slot and have it while the context is open. Raises ``Overloaded`` where the queue is full."""
        if not self._waiting and self._fits(cost):
            self._take(cost)
        else:
            await self._queue_up(cost)
        try:
            yield
        finally:
            self._give_back(cost)

    async def _queue_up(self, cost: int) -> None:
        if len(self._waiting) >= self._queue:
            raise Overloaded(f"{self._working} derivations at work and {len(self._waiting)} waiting; try again shortly")
        granted: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        place = (cost, granted)
        self._waiting.append(place)
        try:
            await granted
        except asyncio.CancelledError:
            if granted.done() and not granted.cancelled():
                # Granted and cancelled in the same instant: the slot goes to the next.
                self._give_back(cost)
            else:
                if place in self._waiting:
                    self._waiting.remove(place)
                # Who left may have been the costly one that the others stood behind.
                self._grant()
            raise

    def _fits(self, cost: int) -> bool:
        if self._working >= self._slots:
            return False
        return self._capacity is None or not self._working or self._cost + cost <= self._capacity

    def _take(self, cost: int) -> None:
        self._working += 1
        self._cost += cost

    def _give_back(self, cost: int) -> None:
        self._working -= 1
        self._cost -= cost
        self._grant()

    def _grant(self) -> None:
        while self._waiting and self._fits(self._waiting[0][0]):
            cost, granted = self._waiting.popleft()
            if not granted.done():
                self._take(cost)
                granted.set_result(None)
