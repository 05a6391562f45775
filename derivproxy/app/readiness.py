"""Whether reads are right: the store was reached once since the start, by any process of the machine."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING

import anyio

from derivproxy.domain.errors import Fault
from derivproxy.stores import ObjectMissing

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from derivproxy.stores import Store

_ASKED_EVERY_SECONDS = 2.0


class Readiness:
    """Asks *store*, every few seconds at most, and notes for all processes in the file *reached* that it answered.

    So a worker that is first asked, or first started, when the store is lost already does not say that it never was
    there: a balancer would take away the hits there still are.
    """

    def __init__(self, store: Store, reached: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._reached = reached
        self._clock = clock
        self._asked = float("-inf")
        self._answers = False
        self._answered = False

    @property
    def store_was_reached(self) -> bool:
        """The store has answered, this process or another, since the machine's start."""
        return self._answered or self._reached.exists()

    async def store_answers(self) -> bool:
        """The store answers now, or did a moment ago."""
        if self._clock() - self._asked >= _ASKED_EVERY_SECONDS:
            self._asked = self._clock()
            try:
                await self._store.stat("is-it-there")
            except ObjectMissing:
                self._answers = True
            except Fault:
                self._answers = False
            else:
                self._answers = True
            if self._answers and not self._answered:
                self._answered = True
                with suppress(OSError):  # a full disk: the other processes find out for themselves
                    self._reached.touch()
        return self._answers

    async def until_reached(self) -> None:
        """Return when the store has answered once."""
        while True:
            if await self.store_answers():
                return
            await anyio.sleep(_ASKED_EVERY_SECONDS)
