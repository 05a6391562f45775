"""The read path over the real filesystem store, with a real disk tier."""

from __future__ import annotations

import asyncio
import gc
import os
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from derivproxy.delivery import Found, Kept
from derivproxy.domain.errors import BaseDamaged, BaseMissing, StoreUnavailable
from derivproxy.hot_tier import Digests
from derivproxy.stores.filesystem import FilesystemStore
from tests.delivery.rig import IDENT, MIB, PICTURE, VERSION, Rig, body_of, name, open_files, rigged

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

TEXT = str(name())


@asynccontextmanager
async def house(folder: Path, *, disk_bytes: int = 64 * MIB, memory_bytes: int = 16 * MIB) -> AsyncIterator[Rig]:
    store = FilesystemStore(folder / "store")
    hot = FilesystemStore(folder / "hot", durable=False)

    def disk(rig: Rig) -> Kept:
        return Kept(hot, version=VERSION, digests=Digests(), spool=rig.folder / "spool", log=rig.log)

    try:
        async with rigged(
            folder,
            store=store,  # type: ignore[arg-type]
            disk=disk,
            disk_bytes=disk_bytes,
            evict=hot.evict,
            memory_bytes=memory_bytes,
        ) as rig:
            rig.hot = hot  # type: ignore[attr-defined]
            yield rig
    finally:
        await hot.close()
        await store.close()


async def ask(rig: Rig) -> tuple[Found, bytes]:
    async with rig.delivery.derivative(name()) as answer:
        return answer.found, await body_of(answer)


async def file_of(store: FilesystemStore, key: str) -> Path:
    path = await store.path(key)
    assert path is not None
    return path


async def test_each_tier_answers_in_its_turn(tmp_path: Path) -> None:
    async with house(tmp_path) as rig:
        made = rig.deriver.made(PICTURE, name().suffix)
        assert await ask(rig) == (Found.DERIVED, made)
        await rig.written()
        assert await ask(rig) == (Found.MEMORY, made)
        rig.memory.drop(IDENT)
        assert await ask(rig) == (Found.DISK, made)
        rig.memory.drop(IDENT)
        await rig.hot.delete(TEXT)  # type: ignore[attr-defined]
        assert await ask(rig) == (Found.STORE, made)
        assert rig.counted.runs == {("webp", "ok"): 1}


async def test_a_storm_is_one_derivation(tmp_path: Path) -> None:
    async with house(tmp_path) as rig:
        worker = rig.second_process()

        async def get(number: int) -> bytes:
            await asyncio.sleep(number % 7 / 1000)
            async with (worker if number % 2 else rig.delivery).derivative(name()) as answer:
                return await body_of(answer)

        assert len(set(await asyncio.gather(*(get(number) for number in range(200))))) == 1
        assert rig.counted.runs == {("webp", "ok"): 1}


@pytest.mark.parametrize("size", [2000, 3 * MIB], ids=["small", "large"])
@pytest.mark.parametrize("damage", ["cut", "turned"])
async def test_a_damaged_file_under_a_derivative_s_name_is_made_anew(tmp_path: Path, size: int, damage: str) -> None:
    before = open_files()
    async with house(tmp_path, memory_bytes=0) as rig:
        rig.deriver.bytes = size
        rig.deriver.into_file = size > MIB
        made = rig.deriver.made(PICTURE, name().suffix)
        assert await ask(rig) == (Found.DERIVED, made)
        await rig.written()
        rig.clock.now += 61
        for store in (rig.store, rig.hot):  # type: ignore[attr-defined]
            path = await file_of(store, TEXT)
            stat = path.stat()
            path.write_bytes(made[:-1] if damage == "cut" else made[:-1] + b"\0")
            if damage == "turned":  # rot, which leaves the time of the last change as it was
                os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
        assert await ask(rig) == (Found.DERIVED, made)
        await rig.written()
        rig.clock.now += 61
        assert await ask(rig) == (Found.DISK, made)
        await rig.hot.delete(TEXT)  # type: ignore[attr-defined]
        assert await ask(rig) == (Found.STORE, made)
    gc.collect()
    assert open_files() == before


async def test_the_disk_tier_stays_within_its_budget(tmp_path: Path) -> None:
    async with house(tmp_path, disk_bytes=20_000) as rig:
        for width in range(40):
            await rig.get(name(width + 1))
        await rig.written()
        usage = await rig.hot.usage()  # type: ignore[attr-defined]
        assert 10_000 <= usage.bytes <= 20_000 + 20_000 // 16 + 2000


async def test_a_purge_leaves_the_base_and_nothing_else(tmp_path: Path) -> None:
    async with house(tmp_path) as rig:
        for width in range(5):
            await rig.get(name(width + 1))
        await rig.written()
        assert await rig.runs.purge(IDENT) == 5
        assert [entry.key async for entry in rig.store.list(prefix=IDENT)] == [IDENT]
        assert [entry.key async for entry in rig.hot.list(prefix=IDENT)] == []  # type: ignore[attr-defined]
        assert rig.memory.bytes == 0


async def test_a_damaged_or_lost_base_is_an_alarm_and_no_derivative(tmp_path: Path) -> None:
    async with house(tmp_path) as rig:
        path = await file_of(rig.store, IDENT)  # type: ignore[arg-type]
        stat = path.stat()
        path.write_bytes(PICTURE[:-1] + b"!")
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
        with pytest.raises(BaseDamaged):
            await rig.get()
        rig.clock.now += 11
        path.unlink()
        with pytest.raises(BaseMissing):
            await rig.get()
        assert not rig.deriver.started


async def test_a_store_that_vanished_is_unavailable_while_the_tiers_go_on(tmp_path: Path) -> None:
    async with house(tmp_path) as rig:
        hot = await rig.get()
        await rig.written()
        (tmp_path / "store").rename(tmp_path / "elsewhere")
        assert await ask(rig) == (Found.MEMORY, hot)
        rig.memory.drop(IDENT)
        assert await ask(rig) == (Found.DISK, hot)
        with pytest.raises(StoreUnavailable):
            await rig.get(name(2))
        (tmp_path / "elsewhere").rename(tmp_path / "store")
        assert await rig.get(name(2))
