"""A writer killed between any two steps leaves the old object or the new one, whole, and nothing else for long."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING

import pytest

from derivproxy.stores import ObjectMissing
from derivproxy.stores.filesystem import FilesystemStore
from derivproxy.testing.reading import whole
from tests.stores.filesystem.processes import do, finish, start

if TYPE_CHECKING:
    from pathlib import Path

IDENT = "0123456789abcdef" * 4
KEY = f"{IDENT}-300x.jpg"

# The step, how many times it comes before the one meant, and what is there afterwards.
OLD, NEW, EITHER = "old", "new", "gone"
PUTTING = [
    ("draft-written", 0, OLD),
    ("draft-durable", 0, OLD),
    ("locked", 0, OLD),
    ("sidecar-written", 0, OLD),
    ("sidecar-renamed", 0, OLD),
    ("data-renamed", 0, NEW),
    ("durable", 0, NEW),
]


async def found(root: Path, key: str = KEY) -> str:
    store = FilesystemStore(root)
    try:
        stat, data = await whole(store, key)
    except ObjectMissing:
        assert [entry async for entry in store.list()] == []
        assert await store.path(key) is None
        return ""
    assert stat.metadata == {"body": data.decode()}
    assert [entry.key async for entry in store.list()] == [key]
    return data.decode()


def drafts(root: Path) -> list[Path]:
    return list((root / ".drafts").iterdir())


def test_the_steps_are_all_tried(tmp_path: Path) -> None:
    _, output = do("steps", root=str(tmp_path / "images"), key=KEY)
    seen = output.splitlines()
    assert seen == [
        *("draft-written", "draft-durable", "locked", "sidecar-written", "folder-made"),
        *("sidecar-renamed", "data-renamed", "durable"),
        *("locked", "data-unlinked", "sidecar-unlinked"),
    ]
    assert {step for step, _, _ in PUTTING} | {"folder-made", "data-unlinked", "sidecar-unlinked"} == set(seen)


@pytest.mark.parametrize(("point", "after", "left"), [*PUTTING, ("folder-made", 0, OLD)])
async def test_killed_while_putting_something_new(tmp_path: Path, point: str, after: int, left: str) -> None:
    root = tmp_path / "images"
    task = {"root": str(root), "key": KEY, "body": "new", "create": True, "delete": False}
    assert do("die", **task, point=point, after=after) == (-signal.SIGKILL, "")
    assert await found(root) == ("new" if left == NEW else "")
    assert drafts(root) == []
    store = FilesystemStore(root)
    await store.sweep()
    if left == OLD:
        # A sweep leaves no trace of it, not even folders.
        assert sorted(path.name for path in root.iterdir()) == [".derivproxy-store", ".drafts", ".locks"]
        await store.put(KEY, b"then", metadata={"body": "then"}, create=True)
        assert await found(root) == "then"


@pytest.mark.parametrize(("point", "after", "left"), PUTTING)
async def test_killed_while_overwriting(tmp_path: Path, point: str, after: int, left: str) -> None:
    root = tmp_path / "images"
    # Of the size of the new one: only the time tells them apart.
    await FilesystemStore(root).put(KEY, b"old", metadata={"body": "old"})
    task = {"root": str(root), "key": KEY, "body": "new", "create": False, "delete": False}
    assert do("die", **task, point=point, after=after) == (-signal.SIGKILL, "")
    assert await found(root) == left
    assert drafts(root) == []
    await FilesystemStore(root).sweep()
    assert await found(root) == left
    await FilesystemStore(root).put(KEY, b"then", metadata={"body": "then"})
    assert await found(root) == "then"


@pytest.mark.parametrize("point", ["locked", "data-unlinked", "sidecar-unlinked"])
async def test_killed_while_deleting(tmp_path: Path, point: str) -> None:
    root = tmp_path / "images"
    await FilesystemStore(root).put(KEY, b"old", metadata={"body": "old"})
    task = {"root": str(root), "key": KEY, "body": "", "create": False, "delete": True}
    assert do("die", **task, point=point, after=0) == (-signal.SIGKILL, "")
    assert await found(root) == ("old" if point == "locked" else "")
    store = FilesystemStore(root)
    await store.sweep()
    assert (root / "01").exists() == (point == "locked")
    await store.put(KEY, b"then", metadata={"body": "then"})
    assert await found(root) == "then"


async def test_a_living_writers_draft_is_left_alone(tmp_path: Path) -> None:
    root = tmp_path / "images"
    seen = []

    def at(step: str) -> None:
        if step == "draft-written":
            # Another process starts, and this store sweeps, in the middle of the put.
            FilesystemStore(root)
            seen.extend(drafts(root))

    await FilesystemStore(root, at=at).put(KEY, b"new", metadata={"body": "new"})
    assert len(seen) == 1
    assert await found(root) == "new"


@pytest.mark.parametrize("puts", [1, 2, 3])
async def test_a_reader_overtaken_by_writers_sees_one_of_their_objects(tmp_path: Path, puts: int) -> None:
    root = tmp_path / "images"
    writer = FilesystemStore(root)
    await writer.put(KEY, b"0", metadata={"body": "0"})
    bodies = iter(range(1, puts + 1))
    loop = asyncio.get_running_loop()

    def at(step: str) -> None:
        # Between opening the data and reading the sidecar, as often as there are puts left.
        if step == "data-opened":
            for number in bodies:
                put = writer.put(KEY, b"%d" % number, metadata={"body": str(number)})
                asyncio.run_coroutine_threadsafe(put, loop).result()

    stat, data = await whole(FilesystemStore(root, at=at), KEY)
    # After one put the sidecar still describes what was opened; after more it does not, and the reader starts again.
    assert data == (b"0" if puts == 1 else b"%d" % puts)
    assert stat.metadata == {"body": data.decode()}


async def test_a_reader_overtaken_by_a_delete_finds_nothing(tmp_path: Path) -> None:
    root = tmp_path / "images"
    writer = FilesystemStore(root)
    await writer.put(KEY, b"0", metadata={"body": "0"})
    loop = asyncio.get_running_loop()

    def at(step: str) -> None:
        if step == "data-opened":
            asyncio.run_coroutine_threadsafe(writer.delete(KEY), loop).result()

    with pytest.raises(ObjectMissing):
        await FilesystemStore(root, at=at).stat(KEY)


async def test_readers_see_bytes_and_metadata_of_one_put(tmp_path: Path) -> None:
    root = tmp_path / "images"
    keys = [KEY, "a/b"]
    store = FilesystemStore(root)
    writers = [start("write", root=str(root), keys=keys, seconds=1.5, name=name) for name in ("ab", "cd")]
    pairs = missing = 0
    while any(writer.poll() is None for writer in writers):
        for key in keys:
            try:
                stat, data = await whole(store, key)
            except ObjectMissing:
                missing += 1
                continue
            pairs += 1
            assert stat.md5 == stat.metadata["of"]
            assert stat.content_type == f"text/{data[:2].decode()}{int(data[2:10])}"
            assert data == data[:10] * 500
        [entry async for entry in store.list()]
    for writer in writers:
        status, output = finish(writer)
        assert status == 0
        assert int(output) > 50
    assert pairs > 100
    assert drafts(root) == []
