"""A listing holds the names of one folder a level, whatever the number of objects."""

from __future__ import annotations

import hashlib
import os
import tracemalloc
from typing import TYPE_CHECKING

import pytest

from derivproxy.stores.filesystem import FilesystemStore

if TYPE_CHECKING:
    from pathlib import Path


def make(root: Path, idents: int, each: int) -> list[str]:
    """Files as a store would lay them, without the cost of putting them."""
    made = []
    for number in range(idents):
        ident = hashlib.sha256(b"%d" % number).hexdigest()
        folder = root / ident[:2] / ident[2:4] / ident
        folder.mkdir(parents=True)
        for width in range(each):
            (folder / f"{ident}-{width + 1}x.jpg").touch()
            made.append(f"{ident}-{width + 1}x.jpg")
    return sorted(made)


async def peak_of_listing(store: FilesystemStore) -> tuple[int, int]:
    count, last = 0, ""
    tracemalloc.start()
    async for entry in store.list():
        assert entry.key > last
        count, last = count + 1, entry.key
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return count, peak


async def test_a_listing_takes_constant_memory(tmp_path: Path) -> None:
    few, many = FilesystemStore(tmp_path / "few"), FilesystemStore(tmp_path / "many")
    make(few.root, 500, 2)
    make(many.root, 2500, 2)
    await peak_of_listing(few)
    count, small = await peak_of_listing(few)
    assert count == 1000
    count, large = await peak_of_listing(many)
    assert count == 5000
    # Two pages of up to 1024 entries are there at a time, and a folder's names.
    assert large < small + 700_000


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_a_listing_of_many_takes_constant_memory(tmp_path: Path) -> None:
    store = FilesystemStore(tmp_path / "many")
    keys = make(store.root, 20_000, 10)
    count, peak = await peak_of_listing(store)
    assert count == len(keys) == 200_000
    assert peak < 4_000_000


def folders(root: Path) -> set[Path]:
    return set(root.glob("??/??"))


def unread(root: Path) -> set[Path]:
    """The folders of idents whose names nobody read since ``forget_reading``."""
    return {folder for folder in folders(root) if folder.stat().st_atime == 0}


def forget_reading(root: Path) -> None:
    for folder in folders(root):
        os.utime(folder, (0, folder.stat().st_mtime))


async def test_what_precedes_is_not_walked(tmp_path: Path) -> None:
    store = FilesystemStore(tmp_path)
    keys = make(store.root, 300, 2)
    forget_reading(tmp_path)
    assert [entry.key async for entry in store.list()] == keys
    if unread(tmp_path):
        pytest.skip("access times are not kept here")
    key = keys[400]
    for asked, expected in (
        ({"prefix": key[:64]}, keys[400:402]),
        ({"prefix": key[:5]}, [other for other in keys if other.startswith(key[:5])]),
        ({"prefix": key[:3], "after": key}, [other for other in keys[401:] if other.startswith(key[:3])]),
        ({"after": keys[-3]}, keys[-2:]),
        ({"after": key}, keys[401:]),
    ):
        forget_reading(tmp_path)
        assert [entry.key async for entry in store.list(**asked)] == expected
        read = {folder.parent.name + folder.name for folder in folders(tmp_path) - unread(tmp_path)}
        first, last = asked.get("after", ""), asked.get("prefix", "") + "g"
        assert {folder for folder in read if folder < first[:4] or folder > last} == set()


async def test_what_is_not_ours_is_not_listed(tmp_path: Path) -> None:
    store = FilesystemStore(tmp_path)
    ident = "ab" * 32
    await store.put(ident, b"1")
    folder = tmp_path / "ab" / "ab" / ident
    foreign = [folder / "README", folder / "with space", tmp_path / "ab" / "file", tmp_path / "ab" / "ab" / "file"]
    foreign += [tmp_path / ident, tmp_path / "cd", tmp_path / ("x" * 241), folder / f".{ident}-x.jpg"]
    for path in foreign:
        path.write_bytes(b"")
    (tmp_path / "ab" / "cd" / ident).mkdir(parents=True)
    (tmp_path / "ab" / "cd" / ident / ident).write_bytes(b"")
    assert [entry.key async for entry in store.list()] == [ident]
    for path in foreign:
        path.unlink()
