"""Eviction ends within the budget, takes the least recently used first, and never a base."""

from __future__ import annotations

import asyncio
import fcntl
import math
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from derivproxy.stores import ObjectMissing
from derivproxy.stores.filesystem import FilesystemStore
from derivproxy.testing.reading import content

if TYPE_CHECKING:
    from collections.abc import Callable

IDENTS = ["0123456789abcdef" * 4, "f" * 64]
NOW_NS = 1_800_000_000 * 10**9
DAY = 86_400.0


def evictable(key: str) -> bool:
    return "-" in key or "~" in key


class Clock:
    """Stands until it is moved."""

    def __init__(self) -> None:
        self.now_ns = NOW_NS

    def __call__(self) -> int:
        return self.now_ns


def used(root: Path, key: str, seconds_ago: float) -> None:
    """As if *key* had been used so long ago, and written long before."""
    path = root / key[:2] / key[2:4] / key[:64] / key
    written_ns = path.stat().st_mtime_ns
    os.utime(path, ns=(NOW_NS - int(seconds_ago * 1e9), written_ns))


async def fill(store: FilesystemStore, clock: Clock, objects: dict[str, tuple[int, float]]) -> None:
    clock.now_ns = NOW_NS - int(1000 * DAY * 1e9)
    for key, (size, _) in objects.items():
        await store.put(key, b"x" * size, metadata={"of": key[-10:]})
    clock.now_ns = NOW_NS
    for key, (_, ago) in objects.items():
        used(store.root, key, ago)


async def keys(store: FilesystemStore) -> set[str]:
    return {entry.key async for entry in store.list()}


_NAMES = st.builds(
    lambda ident, rest: ident + rest,
    st.sampled_from(IDENTS),
    st.one_of(
        st.just(""), st.just("_odd"), st.integers(1, 12).map("-{}x.jpg".format), st.integers(1, 4).map("~{}".format)
    ),
)
_OBJECTS = st.dictionaries(
    _NAMES, st.tuples(st.integers(0, 400), st.integers(0, 40).map(lambda n: 1.5**n)), max_size=25
)


@settings(max_examples=60, deadline=None)
@given(objects=_OBJECTS, budget=st.integers(0, 3000), older_than=st.sampled_from([0.0, 0.0, 100.0]))
def test_eviction_keeps_its_promise(objects: dict[str, tuple[int, float]], budget: int, older_than: float) -> None:
    async def law() -> None:
        with tempfile.TemporaryDirectory() as folder:
            clock = Clock()
            store = FilesystemStore(Path(folder), durable=False, evictable=evictable, clock_ns=clock)
            await fill(store, clock, objects)
            mine = {key: row for key, row in objects.items() if evictable(key)}
            total = sum(size for size, _ in mine.values())
            usage = await store.usage()
            assert (usage.objects, usage.evictable_objects, usage.evictable_bytes) == (len(objects), len(mine), total)
            assert usage.bytes == sum(size for size, _ in objects.values())

            evicted = await store.evict(budget, older_than=older_than)
            left = await keys(store)
            gone = objects.keys() - left
            assert gone <= mine.keys()
            assert (evicted.objects, evicted.bytes) == (len(gone), sum(objects[key][0] for key in gone))
            assert evicted.left_bytes == total - evicted.bytes
            assert all(objects[key][1] >= older_than for key in gone)
            if total <= budget:
                assert not gone
            elif older_than == 0:
                assert evicted.left_bytes <= budget * 0.9
            # No more than was needed: without the last one, it would not have been enough.
            if gone:
                assert evicted.left_bytes + max(objects[key][0] for key in gone) >= math.floor(budget * 0.9)
            # The least recently used first: uses are 1.5 times apart, the steps far less.
            spared = [ago for key, (size, ago) in mine.items() if key in left and size and ago >= older_than]
            assert not gone or not spared or min(objects[key][1] for key in gone) >= max(spared)
            for key in left:
                assert (await store.stat(key)).metadata == {"of": key[-10:]}

    anyio.run(law)


async def test_what_was_noted_as_used_stays(tmp_path: Path) -> None:
    clock = Clock()
    store = FilesystemStore(tmp_path, evictable=evictable, clock_ns=clock)
    names = [f"{IDENTS[0]}-{number}x.jpg" for number in range(1, 5)]
    await fill(store, clock, dict.fromkeys(names, (100, 100 * DAY)))
    before = await store.stat(names[0])
    await store.note_use(names[0])
    assert await store.stat(names[0]) == before
    await store.evict(150)
    assert await keys(store) == {names[0]}


async def test_what_is_used_or_replaced_while_evicting_stays(tmp_path: Path) -> None:
    clock = Clock()
    names = [f"{IDENTS[0]}-{number}x.jpg" for number in range(1, 5)]

    def evictable_while_used(_key: str) -> bool:
        # The second walk asks for the first key: now the others are used and replaced, behind its back.
        nonlocal asked
        asked += 1
        if asked == 6:
            used(tmp_path, names[1], 0)
        return True

    asked = 0
    store = FilesystemStore(tmp_path, evictable=evictable_while_used, clock_ns=clock)
    await fill(store, clock, dict.fromkeys(names, (100, 100 * DAY)))
    await store.evict(0)
    assert await keys(store) == {names[1]}


async def test_only_one_evicts_at_a_time(tmp_path: Path) -> None:
    clock = Clock()
    store = FilesystemStore(tmp_path, evictable=evictable, clock_ns=clock)
    await fill(store, clock, {f"{IDENTS[0]}-{number}x.jpg": (100, 100 * DAY) for number in range(1, 5)})
    with (tmp_path / ".locks" / "evict").open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        evicted = await store.evict(0)
        assert (evicted.objects, evicted.left_bytes) == (0, 400)
    assert (await store.evict(0)).objects == 4


async def test_an_empty_idents_folder_goes_too(tmp_path: Path) -> None:
    store = FilesystemStore(tmp_path, evictable=evictable)
    await store.put(f"{IDENTS[0]}-1x.jpg", b"x")
    await store.evict(0)
    assert not (tmp_path / "01").exists()


async def test_a_negative_budget_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="-1 bytes"):
        await FilesystemStore(tmp_path).evict(-1)


async def test_names_of_the_grammar_are_evicted_and_bases_never(tmp_path: Path) -> None:
    store = FilesystemStore(tmp_path)
    stay = {IDENTS[0], IDENTS[1], f"{IDENTS[0]}-nonsense.jpg", "format", "log/00000001/0000000000000001"}
    for key in [*stay, f"{IDENTS[0]}-300x.jpg", f"{IDENTS[1]}~512"]:
        await store.put(key, b"x" * 100)
    evicted = await store.evict(0)
    assert (evicted.objects, evicted.left_bytes) == (2, 0)
    assert await keys(store) == stay


async def test_a_sweep_takes_what_expired(tmp_path: Path) -> None:
    clock = Clock()
    store = FilesystemStore(tmp_path, clock_ns=clock)
    for key in (IDENTS[0], f"{IDENTS[0]}-1x.jpg", "a/b"):
        await store.put(key, b"x", expires_in=100)
    await store.put("stays", b"x", expires_in=1000)
    await store.put("a/stays", b"x")
    clock.now_ns += 99 * 10**9
    assert await content(store, "a/b") == b"x"
    assert await store.sweep() == 0
    clock.now_ns += 10**9
    for key in (IDENTS[0], "a/b"):
        with pytest.raises(ObjectMissing):
            await store.stat(key)
        assert await store.path(key) is None
    await store.note_use("a/b", expires_in=1000)
    assert await store.sweep() == 3
    assert await keys(store) == {"stays", "a/stays"}
    assert not (tmp_path / "01").exists()


async def test_a_sweep_takes_descriptions_without_bytes_and_nothing_of_others(tmp_path: Path) -> None:
    store = FilesystemStore(tmp_path)
    await store.put("a/b", b"x", metadata={"n": "1"})
    await store.put("a/gone", b"x")
    (tmp_path / "a" / "gone").unlink()
    others = [tmp_path / "a" / name for name in (".hidden", ".no key.meta", "no key")]
    for other in others:
        other.write_bytes(b"theirs")
    (tmp_path / "empty" / "er").mkdir(parents=True)
    assert await store.sweep() == 0
    assert not (tmp_path / "a" / ".gone.meta").exists()
    assert not (tmp_path / "empty").exists()
    assert all(other.exists() for other in others)
    assert (await store.stat("a/b")).metadata == {"n": "1"}


async def test_cancelling_an_eviction_frees_its_lock(tmp_path: Path) -> None:
    cancel: Callable[[], None]
    loop = asyncio.get_running_loop()

    async def cancelling() -> None:
        cancel()

    def evictable_cancelling(_key: str) -> bool:
        asyncio.run_coroutine_threadsafe(cancelling(), loop).result()
        return True

    store = FilesystemStore(tmp_path, evictable=evictable_cancelling, durable=False)
    for number in range(600):
        await store.put(f"{IDENTS[0]}-{number}x.jpg", b"x")
    with anyio.CancelScope() as scope:
        cancel = scope.cancel
        await store.evict(0)
    assert scope.cancelled_caught
    again = FilesystemStore(tmp_path, evictable=evictable)
    assert (await again.evict(0)).left_bytes == 0
