from __future__ import annotations

import asyncio
import gc
import hashlib
import os
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from derivproxy.delivery import Answer, Found, Kept
from derivproxy.delivery.streams import Checked
from derivproxy.domain.errors import BaseDamaged, BaseMissing, StoreUnavailable
from derivproxy.domain.status import State, Status
from derivproxy.hot_tier import Digests
from tests.delivery.rig import IDENT, MIB, PICTURE, VERSION, Rig, body_of, name, open_files, rigged
from tests.delivery.stores import FolderStore, MemoryStore

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from contextlib import AbstractAsyncContextManager

    from derivproxy.hot_tier.tier import Disk
    from grammar import Derivative

LARGE = os.urandom(64) * (3 * MIB // 64)
TEXT = str(name())


def label(body: bytes, **other: str) -> Mapping[str, str]:
    md5 = hashlib.md5(body, usedforsecurity=False).hexdigest()
    return {"version": str(VERSION), "md5": md5, "media-type": "image/webp"} | other


async def stored(rig: Rig, body: bytes, metadata: Mapping[str, str] | None = None) -> None:
    await rig.store.put(TEXT, body, metadata=label(body) if metadata is None else metadata)


async def ask(rig: Rig, *, ranged: bool = False) -> tuple[Answer, bytes]:
    async with rig.delivery.derivative(name(), ranged=ranged) as answer:
        return answer, await body_of(answer)


async def pour(asked: AbstractAsyncContextManager[Answer], given: bytearray) -> None:
    """Give on what comes, as long as it comes."""
    async with asked as answer:
        assert not isinstance(answer.body, bytes | Path)
        async for chunk in answer.body:
            given += chunk


def disk_of(rig: Rig) -> Disk:
    """A disk tier on a store of its own, with its own memory of what was verified."""
    spool = rig.folder / "spool"
    return Kept(FolderStore(rig.folder / "hot"), version=VERSION, digests=Digests(), spool=spool, log=rig.log)


async def test_a_stored_derivative_is_served_and_then_remembered(tmp_path: Path) -> None:
    async with rigged(tmp_path) as rig:
        await stored(rig, b"small")
        answer, body = await ask(rig)
        assert (body, answer.found, answer.version, answer.media_type) == (b"small", Found.STORE, VERSION, "image/webp")
        remembered = rig.delivery.remembered(TEXT)
        assert remembered == replace(answer, found=Found.MEMORY)
        rig.store.down = True
        assert (await ask(rig))[1] == b"small", "what is hot is served without the store"
        assert not rig.deriver.started


@pytest.mark.parametrize(
    "metadata",
    [
        {},
        label(b"small", version="2"),
        label(b"small", version="0"),
        label(b"small", version="-3"),
        label(b"small", version="three"),
        label(b"small", md5=hashlib.md5(b"other", usedforsecurity=False).hexdigest()),
        label(b"small", md5="x" * 32),
        label(b"small", **{"media-type": "text/html"}),
        label(b"small", **{"media-type": "image/svg+xml\r\nx: y"}),
    ],
    ids=["none", "older", "zero", "negative", "word", "another's", "no md5", "no image", "two lines"],
)
async def test_what_is_not_labelled_as_its_own_is_made_anew_and_replaced(
    tmp_path: Path, metadata: Mapping[str, str]
) -> None:
    async with rigged(tmp_path) as rig:
        await stored(rig, b"small", metadata)
        answer, body = await ask(rig)
        assert (body, answer.found) == (rig.deriver.made(PICTURE, name().suffix), Found.DERIVED)
        await rig.written()
        assert rig.store.objects[TEXT][1] == body


async def test_a_newer_derivative_is_served_under_its_own_version(tmp_path: Path) -> None:
    async with rigged(tmp_path) as rig:
        await stored(rig, b"from the future", label(b"from the future", version="4"))
        assert (await ask(rig))[0].version == 4
        remembered = rig.delivery.remembered(TEXT)
        assert remembered is not None
        assert remembered.version == 4


@pytest.mark.parametrize("body", [b"sma", b"smalx", b"", b"small and more"], ids=["short", "other", "empty", "long"])
async def test_damaged_small_objects_are_never_served(tmp_path: Path, body: bytes) -> None:
    async with rigged(tmp_path) as rig:
        await stored(rig, b"small")
        rig.store.rot(TEXT, body)
        assert (await ask(rig))[1] == rig.deriver.made(PICTURE, name().suffix)


async def test_a_large_object_under_another_s_label_is_not_even_begun(tmp_path: Path) -> None:
    async with rigged(tmp_path) as rig:
        await stored(rig, LARGE, label(b"another"))
        answer, body = await ask(rig)
        assert (body, answer.found) == (rig.deriver.made(PICTURE, name().suffix), Found.DERIVED)


@pytest.mark.parametrize("size", [1 * MIB - 1, 1 * MIB, 1 * MIB + 1])
async def test_sizes_around_the_limit_of_reading_whole(tmp_path: Path, size: int) -> None:
    async with rigged(tmp_path) as rig:
        await stored(rig, LARGE[:size])
        answer, body = await ask(rig)
        assert body == LARGE[:size]
        assert isinstance(answer.body, bytes) is (size <= MIB)


async def test_a_large_object_streams_and_is_remembered_when_all_of_it_was_right(tmp_path: Path) -> None:
    async with rigged(tmp_path, memory_bytes=64 * MIB) as rig:
        await stored(rig, LARGE)
        answer, body = await ask(rig)
        assert not isinstance(answer.body, bytes | Path)
        assert body == LARGE
        assert rig.delivery.remembered(TEXT) is not None
        assert rig.delivery._collecting == {}  # noqa: SLF001 - the room must be given back


async def test_many_who_stream_the_same_at_once_collect_it_once(tmp_path: Path) -> None:
    async with rigged(tmp_path, memory_bytes=64 * MIB) as rig:
        await stored(rig, LARGE)
        rig.store.gates["open"] = asyncio.Event()
        begun, go = asyncio.Semaphore(0), asyncio.Event()
        flows: list[Checked] = []

        async def read_on() -> None:
            async with rig.delivery.derivative(name()) as answer:
                assert isinstance(answer.body, Checked)
                flows.append(answer.body)
                begun.release()
                await go.wait()
                assert await body_of(answer) == LARGE

        async with asyncio.TaskGroup() as askers:
            for _ in range(10):
                askers.create_task(read_on())
            await asyncio.sleep(0.01)  # all have looked into memory, and none has its stream
            rig.store.gates.pop("open").set()
            for _ in range(10):
                await begun.acquire()
            go.set()
        assert sum(flow.collected is not None for flow in flows) == 1
        assert rig.delivery.remembered(TEXT) is not None


async def test_many_who_get_the_same_from_another_process_share_its_bytes(tmp_path: Path) -> None:
    async with rigged(tmp_path) as rig:
        body = b"made elsewhere"
        md5 = hashlib.md5(body, usedforsecurity=False).hexdigest()
        here = asyncio.Barrier(5)

        @asynccontextmanager
        async def run(_: Derivative) -> AsyncIterator[Answer]:
            await here.wait()
            # As it comes over a socket: equal, and another copy for each.
            copied = bytes(bytearray(body))
            yield Answer(
                body=copied, size=len(body), md5=md5, media_type="image/webp", version=VERSION, found=Found.SHARED
            )

        worker = rig.second_process(run)

        async def one() -> int:
            async with worker.derivative(name()) as answer:
                await here.wait()
                return id(answer.body)

        assert len(set(await asyncio.gather(*(one() for _ in range(5))))) == 1


async def test_a_large_object_that_memory_cannot_keep_is_not_collected(tmp_path: Path) -> None:
    async with rigged(tmp_path, memory_bytes=2 * MIB) as rig:
        await stored(rig, LARGE)
        assert (await ask(rig))[1] == LARGE
        assert rig.delivery.remembered(TEXT) is None


@pytest.mark.parametrize(
    "body", [LARGE[:-1], LARGE[:-1] + b"!", LARGE[: 2 * MIB]], ids=["a byte short", "last byte wrong", "cut"]
)
async def test_a_large_object_that_is_wrong_is_cut_before_its_end_never_kept_and_made_anew(
    tmp_path: Path, body: bytes
) -> None:
    async with rigged(tmp_path, memory_bytes=64 * MIB) as rig:
        await stored(rig, LARGE)
        rig.store.rot(TEXT, body)
        given = bytearray()
        with pytest.raises(StoreUnavailable):
            await pour(rig.delivery.derivative(name()), given)
        assert len(given) < len(body), "the client must see that the end is missing"
        assert rig.delivery.remembered(TEXT) is None
        answer, anew = await ask(rig)
        assert (anew, answer.found) == (rig.deriver.made(PICTURE, name().suffix), Found.DERIVED)
        await rig.written()
        assert rig.store.objects[TEXT][1] == anew


async def test_a_range_of_a_large_object_comes_from_a_verified_file(tmp_path: Path) -> None:
    before = open_files()
    async with rigged(tmp_path) as rig:
        await stored(rig, LARGE)
        async with rig.delivery.derivative(name(), ranged=True) as answer:
            assert isinstance(answer.body, Path)
            assert answer.body.read_bytes() == LARGE
            assert answer.body.read_bytes() == LARGE, "each opening begins at the first byte"
        assert list((tmp_path / "spool").iterdir()) == []
        rig.store.rot(TEXT, LARGE[:-1])
        with pytest.raises(StoreUnavailable):
            await ask(rig, ranged=True)
    gc.collect()
    assert open_files() == before


async def test_a_local_large_object_is_a_file_verified_once(tmp_path: Path) -> None:
    store = FolderStore(tmp_path / "store")
    async with rigged(tmp_path, store=store, memory_bytes=0) as rig:
        await stored(rig, LARGE)
        answer, body = await ask(rig)
        assert (body, answer.found) == (LARGE, Found.STORE)
        path = await store.path(TEXT)
        assert path is not None
        # Other bytes behind the same inode, size and time of change: only who hashes again would see it.
        stat = path.stat()
        with path.open("r+b") as file:
            file.write(b"!")
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
        store.objects[TEXT] = (store.objects[TEXT][0], path.read_bytes())
        assert (await ask(rig))[0].found is Found.STORE
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns + 1))
        assert (await ask(rig))[0].found is Found.DERIVED


async def test_a_local_file_stays_readable_when_it_is_deleted_meanwhile(tmp_path: Path) -> None:
    store = FolderStore(tmp_path / "store")
    async with rigged(tmp_path, store=store) as rig:
        await stored(rig, LARGE)
        async with rig.delivery.derivative(name()) as answer:
            (tmp_path / "store" / TEXT).unlink()
            assert await body_of(answer) == LARGE


async def test_an_asker_that_leaves_a_stream_early_leaves_nothing_remembered(tmp_path: Path) -> None:
    async with rigged(tmp_path, memory_bytes=64 * MIB) as rig:
        await stored(rig, LARGE)
        async with rig.delivery.derivative(name()) as answer:
            assert not isinstance(answer.body, bytes | Path)
            await anext(aiter(answer.body))
        assert rig.delivery.remembered(TEXT) is None
        assert rig.delivery._collecting == {}  # noqa: SLF001 - as above


async def test_a_drop_while_the_store_is_read_is_not_undone(tmp_path: Path) -> None:
    async with rigged(tmp_path) as rig:
        await stored(rig, b"small")
        rig.store.gates["open"] = asyncio.Event()
        asker = asyncio.create_task(ask(rig))
        await asyncio.sleep(0)
        await rig.delivery.drop(IDENT)
        rig.store.gates.pop("open").set()
        assert (await asker)[1] == b"small"
        assert rig.delivery.remembered(TEXT) is None


async def test_another_process_remembers_what_the_engine_made(tmp_path: Path) -> None:
    async with rigged(tmp_path) as rig:
        worker = rig.second_process()
        async with worker.derivative(name()) as answer:
            assert answer.found is Found.DERIVED
        assert worker.remembered(TEXT) is not None
        await worker.drop(IDENT)
        assert worker.remembered(TEXT) is None
        assert rig.delivery.remembered(TEXT) is not None


@pytest.mark.parametrize("end", ["whole", "cut"])
async def test_a_stream_from_the_engine_is_checked_like_one_from_the_store(tmp_path: Path, end: str) -> None:
    @asynccontextmanager
    async def run(_: object) -> AsyncIterator[Answer]:
        async def chunks() -> AsyncIterator[bytes]:
            yield LARGE[:MIB]
            yield LARGE[MIB:] if end == "whole" else LARGE[MIB : 2 * MIB]

        yield Answer(
            body=chunks(),
            size=len(LARGE),
            md5=label(LARGE)["md5"],
            media_type="image/webp",
            version=VERSION,
            found=Found.SHARED,
        )

    async with rigged(tmp_path, memory_bytes=64 * MIB) as rig:
        rig.delivery._run = run  # noqa: SLF001 - stands in for the client over the engine's socket
        if end == "whole":
            answer, body = await ask(rig)
            assert (body, answer.found) == (LARGE, Found.SHARED)
            assert rig.delivery.remembered(TEXT) is not None
            await rig.delivery.drop(IDENT)
            answer, body = await ask(rig, ranged=True)
            assert isinstance(answer.body, Path)
        else:
            with pytest.raises(StoreUnavailable):
                await ask(rig)
            assert rig.delivery.remembered(TEXT) is None


# The disk tier.


async def test_the_disk_answers_when_memory_and_store_cannot(tmp_path: Path) -> None:
    async with rigged(tmp_path, disk=disk_of) as rig:
        body = await rig.get()
        await rig.written()
        rig.memory.drop(IDENT)
        rig.store.down = True
        answer, again = await ask(rig)
        assert (again, answer.found) == (body, Found.DISK)
        assert (await ask(rig))[0].found is Found.MEMORY


async def test_a_store_hit_fills_the_disk(tmp_path: Path) -> None:
    async with rigged(tmp_path, disk=disk_of) as rig:
        await stored(rig, b"small")
        await ask(rig)
        rig.memory.drop(IDENT)
        assert (await ask(rig))[0].found is Found.DISK


async def test_a_damaged_file_on_disk_is_never_served(tmp_path: Path) -> None:
    disk = None

    def damaged(rig: Rig) -> Disk:
        nonlocal disk
        disk = MemoryStore()
        return Kept(disk, version=VERSION, digests=rig.digests, spool=rig.folder / "spool", log=rig.log)

    async with rigged(tmp_path, disk=damaged) as rig:
        body = await rig.get()
        await rig.written()
        assert disk is not None
        disk.rot(TEXT, body[:-1])
        rig.memory.drop(IDENT)
        answer, again = await ask(rig)
        assert (again, answer.found) == (body, Found.STORE)


async def test_a_disk_that_fails_costs_no_answer(tmp_path: Path) -> None:
    disk = MemoryStore()
    disk.down = True

    def failing(rig: Rig) -> Disk:
        return Kept(disk, version=VERSION, digests=rig.digests, spool=rig.folder / "spool", log=rig.log)

    async with rigged(tmp_path, disk=failing) as rig:
        assert await rig.get()
        await rig.written()
        assert rig.write_back.written == 1
        rig.memory.drop(IDENT)
        assert (await ask(rig))[0].found is Found.STORE


async def test_private_images_never_reach_the_disk(tmp_path: Path) -> None:
    disk = MemoryStore()

    def watched(rig: Rig) -> Disk:
        return Kept(disk, version=VERSION, digests=rig.digests, spool=rig.folder / "spool", log=rig.log)

    async with rigged(tmp_path, disk=watched) as rig:
        rig.status[IDENT] = Status(State.PRIVATE)
        for private in (True, False):
            async with rig.delivery.derivative(name(), private=private) as answer:
                assert await body_of(answer)
            await rig.written()
            rig.memory.drop(IDENT)
        assert TEXT in rig.store.objects, "the store may have it"
        assert not disk.objects
        assert not [call for call in disk.calls if call[0] == "put"]


async def test_a_drop_takes_the_disk_s_copies_too(tmp_path: Path) -> None:
    async with rigged(tmp_path, disk=disk_of) as rig:
        await rig.get()
        await rig.written()
        await rig.store.delete(TEXT)
        await rig.delivery.drop(IDENT)
        rig.clock.now += 100
        assert (await ask(rig))[0].found is Found.DERIVED


# The base itself.


async def test_a_base_is_served_as_it_was_put_in(tmp_path: Path) -> None:
    async with rigged(tmp_path) as rig:
        for ranged in (False, True, False):
            async with rig.delivery.base(IDENT, ranged=ranged) as answer:
                assert await body_of(answer) == PICTURE
                assert (answer.version, answer.media_type, answer.size) == (0, "image/jpeg", len(PICTURE))
                assert isinstance(answer.body, Path) or not ranged
        assert rig.store.count("open", IDENT) == 2, "the third had the copy of the second"


async def test_a_base_on_this_machine_is_served_from_its_file(tmp_path: Path) -> None:
    async with rigged(tmp_path, store=FolderStore(tmp_path / "store")) as rig, rig.delivery.base(IDENT) as answer:
        assert isinstance(answer.body, Path)
        assert await body_of(answer) == PICTURE


@pytest.mark.parametrize("ranged", [False, True])
async def test_a_damaged_base_is_never_served_whole(tmp_path: Path, ranged: bool) -> None:  # noqa: FBT001
    async with rigged(tmp_path) as rig:
        rig.store.rot(IDENT, PICTURE[:-1] + b"!")
        given = bytearray()
        with pytest.raises(BaseDamaged):
            await pour(rig.delivery.base(IDENT, ranged=ranged), given)
        assert len(given) < len(PICTURE)


@pytest.mark.parametrize("ranged", [False, True])
async def test_a_base_without_its_object_is_base_missing(tmp_path: Path, ranged: bool) -> None:  # noqa: FBT001
    async with rigged(tmp_path) as rig:
        del rig.store.objects[IDENT]
        with pytest.raises(BaseMissing):
            async with rig.delivery.base(IDENT, ranged=ranged):
                pass
