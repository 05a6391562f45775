from __future__ import annotations

import asyncio

import structlog
from structlog.testing import capture_logs

from derivproxy.domain.errors import StoreUnavailable
from derivproxy.hot_tier import Held, HotTier, MemoryTier

KIB = 1024


def held(size: int = 10) -> Held:
    return Held(body=b"x" * size, size=size, md5="0" * 32, media_type="image/webp", version=1)


class Disk:
    """A disk in memory, which can fail and can wait."""

    def __init__(self) -> None:
        self.kept: dict[str, Held] = {}
        self.used: list[str] = []
        self.broken = False
        self.gate = asyncio.Event()
        self.gate.set()

    async def _called(self) -> None:
        await self.gate.wait()
        if self.broken:
            raise StoreUnavailable("the disk is broken")

    async def whole(self, name: str) -> Held | None:
        await self._called()
        return self.kept.get(name)

    async def keep(self, name: str, held: Held, *, expires_in: float | None = None) -> None:
        del expires_in
        await self._called()
        self.kept[name] = held

    async def note_use(self, name: str, *, expires_in: float | None = None) -> None:
        del expires_in
        await self._called()
        self.used.append(name)

    async def drop(self, ident: str) -> int:
        # Does not wait, so that it can overtake what does.
        gone = [name for name in self.kept if name.startswith(ident)]
        for name in gone:
            del self.kept[name]
        return len(gone)


class Evictions:
    def __init__(self) -> None:
        self.budgets: list[int] = []

    async def __call__(self, budget_bytes: int) -> None:
        self.budgets.append(budget_bytes)


def made(disk: Disk | None = None, *, evict: Evictions | None = None, budget_bytes: int = 800) -> HotTier:
    log = structlog.get_logger()
    return HotTier(MemoryTier(64 * KIB), log=log, disk=disk, disk_budget_bytes=budget_bytes, evict=evict)


async def test_what_the_disk_has_memory_has_then_too() -> None:
    disk = Disk()
    tier = made(disk, evict=Evictions())
    assert await tier.keep("a", "a-1", held(), tier.begin())
    assert tier.remembered("a-1") is None
    assert await tier.on_disk("a", "a-1", tier.begin()) is not None
    assert tier.remembered("a-1") is not None
    await tier.used("a-1")
    assert disk.used == ["a-1"]


async def test_without_a_disk_there_is_memory_alone() -> None:
    tier = made()
    assert not await tier.keep("a", "a-1", held(), tier.begin())
    assert await tier.on_disk("a", "a-1", tier.begin()) is None
    await tier.used("a-1")
    assert tier.remember("a", "a-1", held(), tier.begin())
    assert await tier.drop("a") == 1


async def test_a_process_that_does_not_own_the_disk_reads_it_and_writes_nothing() -> None:
    disk = Disk()
    disk.kept["a-1"] = held()
    tier = made(disk)
    assert await tier.on_disk("a", "a-1", tier.begin()) is not None
    assert not await tier.keep("a", "a-2", held(), tier.begin())
    await tier.drop("a")
    assert list(disk.kept) == ["a-1"]
    assert tier.remembered("a-1") is None


async def test_what_was_begun_before_a_drop_reaches_neither_tier() -> None:
    disk = Disk()
    tier = made(disk, evict=Evictions())
    token = tier.begin()
    await tier.drop("a")
    assert not await tier.keep("a", "a-1", held(), token)
    assert not tier.remember("a", "a-1", held(), token)
    assert not disk.kept


async def test_a_drop_while_the_disk_is_written_is_not_undone() -> None:
    disk = Disk()
    tier = made(disk, evict=Evictions())
    disk.gate.clear()
    keeping = asyncio.create_task(tier.keep("a", "a-1", held(), tier.begin()))
    await asyncio.sleep(0)
    dropping = asyncio.create_task(tier.drop("a"))
    await asyncio.sleep(0)
    # The drop's own deletion comes first, the write after it.
    disk.gate.set()
    await asyncio.gather(keeping, dropping)
    assert not disk.kept


async def test_a_drop_while_the_disk_is_read_is_not_undone() -> None:
    disk = Disk()
    disk.kept["a-1"] = held()
    tier = made(disk, evict=Evictions())
    disk.gate.clear()
    reading = asyncio.create_task(tier.on_disk("a", "a-1", tier.begin()))
    await asyncio.sleep(0)
    dropping = asyncio.create_task(tier.drop("a"))
    await asyncio.sleep(0)
    disk.gate.set()
    await asyncio.gather(reading, dropping)
    assert tier.remembered("a-1") is None


async def test_the_disk_is_evicted_at_the_first_write_and_after_each_sixteenth_of_the_budget() -> None:
    evictions = Evictions()
    tier = made(Disk(), evict=evictions, budget_bytes=1600)
    await tier.keep("a", "a-0", held(50), tier.begin())
    assert evictions.budgets == [1600]
    await tier.keep("a", "a-1", held(50), tier.begin())
    assert evictions.budgets == [1600]
    await tier.keep("a", "a-2", held(50), tier.begin())
    assert evictions.budgets == [1600, 1600]


async def test_what_would_take_more_than_an_eighth_of_the_disk_is_not_kept_there() -> None:
    disk = Disk()
    tier = made(disk, evict=Evictions(), budget_bytes=800)
    assert await tier.keep("a", "a-1", held(100), tier.begin())
    assert not await tier.keep("a", "a-2", held(101), tier.begin())


async def test_a_broken_disk_counts_as_empty_and_is_told_once() -> None:
    disk = Disk()
    tier = made(disk, evict=Evictions())
    disk.broken = True
    with capture_logs() as logs:
        for _ in range(3):
            assert await tier.on_disk("a", "a-1", tier.begin()) is None
            assert not await tier.keep("a", "a-1", held(), tier.begin())
            await tier.used("a-1")
        disk.broken = False
        assert await tier.keep("a", "a-1", held(), tier.begin())
    assert [log["log_level"] for log in logs] == ["warning", "info"]
