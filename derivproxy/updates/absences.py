"""What asking the store for idents that nobody knows may cost: a short memory and an allowance."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_SECONDS = 2.0
_REMEMBERED = 10_000
_PER_SECOND = 200.0
_AT_ONCE = 1_000.0


class Absences:
    """Idents the store did not have a moment ago, and how many more questions it may be asked.

    *clock* gives seconds that never go back. An ident is absent for *seconds*; *remembered* of them are kept at most.
    Of questions *at_once* may come together, and *per_second* after that: a flood of made-up idents, each new,
    reaches the store no faster.
    """

    def __init__(
        self,
        clock: Callable[[], float],
        *,
        seconds: float = _SECONDS,
        remembered: int = _REMEMBERED,
        per_second: float = _PER_SECOND,
        at_once: float = _AT_ONCE,
    ) -> None:
        self._clock = clock
        self._seconds = seconds
        self._bound = remembered
        self._per_second = per_second
        self._at_once = at_once
        self._until: dict[str, float] = {}
        self._allowed = at_once
        self._counted = clock()

    def __contains__(self, ident: str) -> bool:
        until = self._until.get(ident)
        if until is None:
            return False
        if until > self._clock():
            return True
        del self._until[ident]
        return False

    def note(self, ident: str) -> None:
        """Remember that the store has no *ident* now."""
        self._until.pop(ident, None)
        if len(self._until) >= self._bound:
            # The first is the oldest: each is noted for the same time.
            del self._until[next(iter(self._until))]
        self._until[ident] = self._clock() + self._seconds

    def forget(self, ident: str) -> None:
        """*ident* is there, or about to be."""
        self._until.pop(ident, None)

    def allow(self) -> bool:
        """Whether one more question may be asked; if so it counts as asked."""
        now = self._clock()
        self._allowed = min(self._at_once, self._allowed + (now - self._counted) * self._per_second)
        self._counted = now
        if self._allowed < 1:
            return False
        self._allowed -= 1
        return True
