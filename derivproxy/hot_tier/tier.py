"""The tiers in front of the store: memory, then optionally a disk. Both bounded, both safe to lose at any instant."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from structlog.typing import FilteringBoundLogger

    from derivproxy.hot_tier.held import Held
    from derivproxy.hot_tier.memory import MemoryTier

_EVICTIONS = 16


class Disk(Protocol):
    """What the tier needs of a disk: derivatives under their names, believed only after they were verified."""

    async def whole(self, name: str) -> Held | None:
        """The derivative, its bytes checked against their MD5; ``None`` where nothing is there that can be believed."""
        ...

    async def keep(self, name: str, held: Held, *, expires_in: float | None = None) -> None:
        """Keep *held* under *name*."""
        ...

    async def note_use(self, name: str, *, expires_in: float | None = None) -> None:
        """The derivative was used: it is then the last to be evicted."""
        ...

    async def drop(self, ident: str) -> int:
        """Delete every derivative of *ident*."""
        ...


class HotTier:
    """Memory and disk as one. A disk that fails counts as empty: it costs time, never an answer.

    *evict*, called with the budget, brings the disk back within it; it is called after about every sixteenth of the
    budget that was written. Without it nothing is written here: another process owns the disk and this one only reads.
    """

    def __init__(
        self,
        memory: MemoryTier,
        *,
        log: FilteringBoundLogger,
        disk: Disk | None = None,
        disk_budget_bytes: int = 0,
        evict: Callable[[int], Awaitable[object]] | None = None,
    ) -> None:
        self.memory = memory
        self._log = log
        self._disk = disk
        self._budget = disk_budget_bytes
        self._evict = evict
        # The first write looks: what a former life left may be more than today's budget.
        self._written = disk_budget_bytes
        self._evicting = False
        self._failing = False

    def remembered(self, name: str) -> Held | None:
        """What memory has, without waiting."""
        return self.memory.get(name)

    def begin(self) -> int:
        """A token to be taken before the bytes are fetched or made, for everything below."""
        return self.memory.begin()

    def stands(self, ident: str, token: int) -> bool:
        """Whether *ident* was not dropped since *token*."""
        return self.memory.stands(ident, token)

    def remember(self, ident: str, name: str, held: Held, token: int) -> bool:
        """Keep *held* in memory, if it fits and *ident* was not dropped since *token*."""
        return self.memory.put(ident, name, held, token)

    async def on_disk(self, ident: str, name: str, token: int) -> Held | None:
        """What the disk has, verified; memory then has it too. The caller releases it."""
        if self._disk is None:
            return None
        try:
            held = await self._disk.whole(name)
        except Exception as error:  # noqa: BLE001 - a tier that may be lost must not fail an answer
            self._failed("read", error)
            return None
        self._worked()
        if held is not None:
            self.memory.put(ident, name, held, token)
        return held

    async def used(self, name: str) -> None:
        """What is on disk under *name* was used: it is then the last to be evicted."""
        if self._disk is not None:
            try:
                await self._disk.note_use(name)
            except Exception as error:  # noqa: BLE001 - as above
                self._failed("note a use", error)

    async def keep(self, ident: str, name: str, held: Held, token: int) -> bool:
        """Keep *held* on disk, unless *ident* was dropped since *token*. Never for private images."""
        if self._disk is None or self._evict is None or held.size * 8 > self._budget or not self.stands(ident, token):
            return False
        try:
            await self._disk.keep(name, held)
            if not self.stands(ident, token):
                await self._disk.drop(ident)
                return False
            self._written += held.size
            await self._within_budget(self._evict)
        except Exception as error:  # noqa: BLE001 - as above
            self._failed("write", error)
            return False
        self._worked()
        return True

    async def drop(self, ident: str) -> int:
        """Forget every version of *ident*, in memory at once; says how many there were.

        Raises what the disk raises: bytes that should be gone and are not are for the caller to know.
        """
        dropped = self.memory.drop(ident)
        if self._disk is not None and self._evict is not None:
            dropped += await self._disk.drop(ident)
        return dropped

    async def _within_budget(self, evict: Callable[[int], Awaitable[object]]) -> None:
        if self._evicting or self._written < self._budget // _EVICTIONS:
            return
        self._evicting = True
        self._written = 0
        try:
            await evict(self._budget)
        finally:
            self._evicting = False

    def _failed(self, deed: str, error: Exception) -> None:
        if not self._failing:
            self._failing = True
            self._log.warning("disk tier failing, served without it", deed=deed, error=str(error))

    def _worked(self) -> None:
        if self._failing:
            self._failing = False
            self._log.info("disk tier works again")
