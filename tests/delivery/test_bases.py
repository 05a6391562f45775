from __future__ import annotations

import asyncio
import hashlib
import os
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
import structlog
from structlog.testing import capture_logs

from derivproxy.delivery import Bases
from derivproxy.domain.errors import BaseDamaged, BaseMissing, StoreUnavailable
from derivproxy.hot_tier import Digests, LocalFile
from tests.delivery.rig import facts_of, until
from tests.delivery.stores import FolderStore, MemoryStore

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

BODIES = [bytes([number]) * 1000 for number in range(5)]
IDENTS = [hashlib.sha256(body).hexdigest() for body in BODIES]


class CountingDigests(Digests):
    """Says how often files were really hashed."""

    def __init__(self) -> None:
        super().__init__()
        self.hashed = 0

    async def of(self, file: LocalFile, algorithm: str) -> str:
        self.hashed += self.known(file, algorithm) is None
        return await super().of(file, algorithm)


@asynccontextmanager
async def bases_of(
    store: MemoryStore, folder: Path, *, budget_bytes: int = 100_000, clock: Callable[[], float] = time.monotonic
) -> AsyncIterator[Bases]:
    for ident, body in zip(IDENTS, BODIES, strict=True):
        if ident not in store.objects:
            await store.put(ident, body)
    bases = Bases(
        store,
        folder=folder,
        budget_bytes=budget_bytes,
        digests=CountingDigests(),
        log=structlog.get_logger(),
        clock=clock,
    )
    await bases.start()
    yield bases


async def read(bases: Bases, number: int) -> bytes:
    async with bases.local(IDENTS[number], facts_of(BODIES[number])) as path:
        return path.read_bytes()


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


async def test_a_base_is_fetched_once_and_then_read_from_its_copy(tmp_path: Path) -> None:
    store = MemoryStore()
    async with bases_of(store, tmp_path) as bases:
        assert await asyncio.gather(*(read(bases, 0) for _ in range(10))) == [BODIES[0]] * 10
        assert store.count("open", IDENTS[0]) == 1
        assert names(tmp_path) == {IDENTS[0]}
        assert bases.bytes == 1000
        assert bases._digests.hashed == 0  # type: ignore[attr-defined]  # noqa: SLF001 - hashed while it was fetched


async def test_copies_keep_to_the_budget_least_recently_used_first(tmp_path: Path) -> None:
    store = MemoryStore()
    async with bases_of(store, tmp_path, budget_bytes=2500) as bases:
        for number in (0, 1, 0, 2):
            await read(bases, number)
        assert names(tmp_path) == {IDENTS[0], IDENTS[2]}
        assert bases.bytes == 2000


async def test_a_copy_in_use_is_not_evicted(tmp_path: Path) -> None:
    store = MemoryStore()
    async with bases_of(store, tmp_path, budget_bytes=1000) as bases:
        async with bases.local(IDENTS[0], facts_of(BODIES[0])) as path:
            await read(bases, 1)
            await read(bases, 2)
            assert path.read_bytes() == BODIES[0]
        assert bases.bytes <= 1000


async def test_a_base_larger_than_the_budget_is_used_and_then_gone(tmp_path: Path) -> None:
    async with bases_of(MemoryStore(), tmp_path, budget_bytes=10) as bases:
        assert await read(bases, 0) == BODIES[0]
        assert names(tmp_path) == set()


async def test_dropping_waits_for_whoever_uses_the_copy(tmp_path: Path) -> None:
    async with bases_of(MemoryStore(), tmp_path) as bases:
        async with bases.local(IDENTS[0], facts_of(BODIES[0])) as path:
            bases.drop(IDENTS[0])
            assert path.read_bytes() == BODIES[0]
        assert names(tmp_path) == set()
        await read(bases, 1)
        bases.drop(IDENTS[1])
        assert names(tmp_path) == set()
        assert bases.bytes == 0


async def test_a_cancelled_fetch_leaves_nothing_and_the_next_in_line_fetches(tmp_path: Path) -> None:
    store = MemoryStore(chunk_bytes=10)
    async with bases_of(store, tmp_path) as bases:
        first, second = (asyncio.create_task(read(bases, 0)) for _ in range(2))
        await until(lambda: [name for name in names(tmp_path) if name.startswith(".")])
        first.cancel()
        assert await second == BODIES[0]
        assert names(tmp_path) == {IDENTS[0]}
        assert not bases._turns  # noqa: SLF001 - locks do not pile up


async def test_a_former_life_s_copies_are_taken_over_and_hashed_before_use(tmp_path: Path) -> None:
    (tmp_path / IDENTS[0]).write_bytes(BODIES[0])
    (tmp_path / IDENTS[1]).write_bytes(BODIES[1][:-1] + b"!")
    (tmp_path / f".{IDENTS[2]}").write_bytes(b"half")
    (tmp_path / "notes.txt").write_bytes(b"somebody's")
    store = MemoryStore()
    async with bases_of(store, tmp_path) as bases:
        assert names(tmp_path) == {IDENTS[0], IDENTS[1], "notes.txt"}
        assert await read(bases, 0) == BODIES[0]
        assert store.count("open", IDENTS[0]) == 0
        assert await read(bases, 1) == BODIES[1], "a rotten copy is fetched again"
        assert store.count("open", IDENTS[1]) == 1


async def test_a_copy_that_went_away_is_fetched_again(tmp_path: Path) -> None:
    store = MemoryStore()
    async with bases_of(store, tmp_path) as bases:
        await read(bases, 0)
        (tmp_path / IDENTS[0]).unlink()
        assert await read(bases, 0) == BODIES[0]


async def test_a_copy_changed_on_disk_is_not_derived_from(tmp_path: Path) -> None:
    store = MemoryStore()
    async with bases_of(store, tmp_path) as bases:
        await read(bases, 0)
        (tmp_path / IDENTS[0]).write_bytes(BODIES[0][:-1] + b"!")
        os.utime(tmp_path / IDENTS[0], ns=(7, 7))
        assert await read(bases, 0) == BODIES[0]


async def test_concurrent_first_uses_of_a_local_file_hash_once(tmp_path: Path) -> None:
    store = FolderStore(tmp_path / "store")
    async with bases_of(store, tmp_path / "bases") as bases:
        assert await asyncio.gather(*(read(bases, 0) for _ in range(10))) == [BODIES[0]] * 10
        assert await read(bases, 0) == BODIES[0]
        assert bases._digests.hashed == 1  # type: ignore[attr-defined]  # noqa: SLF001 - the count is of the test


async def test_a_copy_that_was_just_hashed_is_trusted(tmp_path: Path) -> None:
    store = FolderStore(tmp_path / "store")
    async with bases_of(store, tmp_path / "bases") as bases:
        path = await store.path(IDENTS[0])
        assert path is not None
        bases.trust(IDENTS[0], path)
        assert await read(bases, 0) == BODIES[0]
        assert bases._digests.hashed == 0  # type: ignore[attr-defined]  # noqa: SLF001 - the count is of the test


async def test_a_store_is_asked_once_in_a_while_where_its_own_file_lies(tmp_path: Path) -> None:
    store = FolderStore(tmp_path / "store")
    now = 0.0
    async with bases_of(store, tmp_path / "bases", clock=lambda: now) as bases:
        for moment in (0.0, 4.9, 5.1, 6.0):
            now = moment
            assert await read(bases, 0) == BODIES[0]
        assert store.count("path", IDENTS[0]) == 2
        bases.drop(IDENTS[0])
        await read(bases, 0)
        assert store.count("path", IDENTS[0]) == 3


async def test_a_file_that_changed_or_went_a_moment_ago_is_not_given(tmp_path: Path) -> None:
    store = FolderStore(tmp_path / "store")
    async with bases_of(store, tmp_path / "bases") as bases:
        await read(bases, 0)
        store.rot(IDENTS[0], b"!" * 1000)
        (tmp_path / "store" / IDENTS[0]).write_bytes(b"!" * 1000)
        with pytest.raises(BaseDamaged):
            await read(bases, 0)
        await read(bases, 1)
        store.objects.pop(IDENTS[1])
        (tmp_path / "store" / IDENTS[1]).unlink()
        with pytest.raises(BaseMissing):
            await read(bases, 1)


@pytest.mark.parametrize("local", [False, True])
async def test_damage_and_loss_are_alarms_told_once(tmp_path: Path, local: bool) -> None:  # noqa: FBT001
    store = FolderStore(tmp_path / "store") if local else MemoryStore()
    async with bases_of(store, tmp_path / "bases") as bases:
        whole = store.objects.pop(IDENTS[1])
        store.rot(IDENTS[0], BODIES[0][:-1] + b"!")
        with capture_logs() as logs:
            for _ in range(3):
                with pytest.raises(BaseDamaged) as damaged:
                    await read(bases, 0)
                with pytest.raises(BaseMissing) as missing:
                    await read(bases, 1)
        assert sorted(log["event"] for log in logs) == ["base-damaged", "base-missing"]
        assert {log["log_level"] for log in logs} == {"error"}
        assert IDENTS[0] in damaged.value.detail
        assert IDENTS[1] in missing.value.detail
        assert names(tmp_path / "bases") == set()
        store.objects[IDENTS[1]] = whole
        assert await read(bases, 1) == BODIES[1]
        del store.objects[IDENTS[1]]
        bases.drop(IDENTS[1])
        with capture_logs() as logs, pytest.raises(BaseMissing):
            await read(bases, 1)
        assert len(logs) == 1, "well again in between: a new alarm"


async def test_a_damaged_local_file_is_not_hashed_at_every_request(tmp_path: Path) -> None:
    store = FolderStore(tmp_path / "store")
    async with bases_of(store, tmp_path / "bases") as bases:
        store.rot(IDENTS[0], BODIES[0][:-1] + b"!")
        for _ in range(3):
            with pytest.raises(BaseDamaged):
                await read(bases, 0)
        assert bases._digests.hashed == 1  # type: ignore[attr-defined]  # noqa: SLF001 - the count is of the test


@pytest.mark.parametrize("body", [BODIES[0][:-1], BODIES[0] + b"!", b""], ids=["short", "long", "empty"])
async def test_another_size_is_damage(tmp_path: Path, body: bytes) -> None:
    store = MemoryStore()
    async with bases_of(store, tmp_path) as bases:
        store.rot(IDENTS[0], body)
        with pytest.raises(BaseDamaged):
            await read(bases, 0)
        assert names(tmp_path) == set()


async def test_a_store_that_cannot_be_asked_is_neither_missing_nor_damaged(tmp_path: Path) -> None:
    store = MemoryStore()
    async with bases_of(store, tmp_path) as bases:
        await read(bases, 1)
        store.down = True
        with pytest.raises(StoreUnavailable):
            await read(bases, 0)
        assert await read(bases, 1) == BODIES[1], "the copy does without the store"
