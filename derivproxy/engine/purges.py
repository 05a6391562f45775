"""How workers hear of what was purged: they keep asking for what is new, and asking again says that it was done."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

_KEPT = 10_000
_WAIT_SECONDS = 10.0
_SETTLE_SECONDS = 1.0


class Purges:
    """The idents purged in this life of the engine, numbered from 1; *purge* does the engine's own part.

    A worker that asks with ``after=N`` has forgotten everything up to N. One that has not asked for a while is gone.
    """

    def __init__(
        self, purge: Callable[[str], Awaitable[int]], *, clock: Callable[[], float], kept: int = _KEPT
    ) -> None:
        self._purge = purge
        self._clock = clock
        self._latest = 0
        self._idents: deque[str] = deque(maxlen=kept)
        self._done: dict[str, tuple[int, float]] = {}
        self._changed = asyncio.Condition()
        self._stopped = False

    async def purge(self, ident: str) -> int:
        """Purge *ident* in the engine and in every worker; says how many objects were deleted.

        A worker that does not react within a second is not waited for.
        """
        try:
            return await self._purge(ident)
        finally:
            async with self._changed:
                self._latest += 1
                number = self._latest
                self._idents.append(ident)
                self._changed.notify_all()
                try:
                    async with asyncio.timeout(_SETTLE_SECONDS):
                        await self._changed.wait_for(lambda: self._is_done(number))
                except TimeoutError:
                    pass

    async def after(self, worker: str, number: int, *, wait_seconds: float = _WAIT_SECONDS) -> tuple[int, list[str]]:
        """The latest number, and the idents that came after *number*, as soon as there are any or time is up.

        A worker begins with -1, which is answered at once. Raises ``LookupError`` where *number* is not of this life,
        or too long ago: then everything may be stale.
        """
        async with self._changed:
            if number < 0:
                # Who begins now remembers nothing yet.
                number = self._latest
                self._done[worker] = (number, self._clock() + 2 * wait_seconds)
                return number, []
            if not self._latest - len(self._idents) <= number <= self._latest:
                raise LookupError(f"{worker} has number {number}, the latest is {self._latest}")
            self._done[worker] = (number, self._clock() + 2 * wait_seconds)
            self._changed.notify_all()
            try:
                async with asyncio.timeout(wait_seconds):
                    await self._changed.wait_for(lambda: self._latest > number or self._stopped)
            except TimeoutError:
                return number, []
            missed = self._latest - number
            return self._latest, list(self._idents)[-missed:] if missed else []

    async def stop(self) -> None:
        """Answer who still waits: there is nothing to wait for any more."""
        async with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def _is_done(self, number: int) -> bool:
        now = self._clock()
        return all(done >= number for done, until in self._done.values() if until > now)
