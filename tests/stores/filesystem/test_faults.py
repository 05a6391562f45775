"""What the machine does to a store is said clearly and leaves nothing half-kept."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import pytest

from derivproxy.domain.errors import DiskFull, StoreUnavailable
from derivproxy.stores import BadStore, Entry, ObjectMissing, Store
from derivproxy.stores.filesystem import FilesystemStore
from derivproxy.testing.reading import content, whole
from tests.stores.filesystem.processes import do

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

IDENT = "0123456789abcdef" * 4
DEEDS: dict[str, Callable[[Store], Awaitable[object]]] = {
    "open": lambda store: content(store, "a"),
    "stat": lambda store: store.stat(IDENT),
    "put": lambda store: store.put("a", b"new"),
    "put deeper": lambda store: store.put(IDENT, b"new"),
    "delete": lambda store: store.delete("a"),
    "delete what is not there": lambda store: store.delete("none"),
    "note_use": lambda store: store.note_use("a"),
    "path": lambda store: store.path("a"),
    "list": lambda store: entries_of(store.list()),
    "usage": lambda store: store.usage(),  # type: ignore[attr-defined]
    "evict": lambda store: store.evict(0),  # type: ignore[attr-defined]
    "sweep": lambda store: store.sweep(),  # type: ignore[attr-defined]
}


async def entries_of(listing: AsyncIterator[Entry]) -> list[str]:
    return [entry.key async for entry in listing]


async def listed(store: Store) -> list[str]:
    return await entries_of(store.list())


async def pieces(count: int) -> AsyncIterator[bytes]:
    for _ in range(count):
        yield b"x" * 50_000


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 512 KiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", str(folder)]
    try:
        done = subprocess.run(mount, capture_output=True, check=False)
    except FileNotFoundError:
        pytest.skip("there is no mount here")
    if done.returncode:
        pytest.skip("mounting is not permitted here")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def fill_up(disk: Path) -> None:
    with contextlib.suppress(OSError), (disk / "filler").open("wb", buffering=0) as file:
        while file.write(b"x" * 4096):
            pass


@pytest.mark.parametrize("kind", ["bytes", "stream", "path"])
async def test_a_full_disk_keeps_what_was_there(small_disk: Path, tmp_path: Path, kind: str) -> None:
    store = FilesystemStore(small_disk / "images")
    await store.put(IDENT, b"base", metadata={"n": "1"})
    body: bytes | Path | AsyncIterator[bytes] = b"x" * 700_000
    if kind == "stream":
        body = pieces(14)
    elif kind == "path":
        body = tmp_path / "body"
        body.write_bytes(b"x" * 700_000)
    with pytest.raises(DiskFull, match=rf"put '{IDENT}' in .*images: No space.*; free some space") as raised:
        await store.put(IDENT, body, metadata={"n": "2"})
    assert raised.value.code == "disk-full"
    stat, data = await whole(store, IDENT)
    assert (data, stat.metadata) == (b"base", {"n": "1"})
    assert list((small_disk / "images" / ".drafts").iterdir()) == []
    assert await listed(store) == [IDENT]


async def test_a_disk_filled_to_the_last_page_still_deletes_and_evicts(small_disk: Path) -> None:
    store = FilesystemStore(small_disk / "images", evictable=lambda key: "-" in key)
    await store.put(IDENT, b"base", metadata={"n": "1"})
    kept = []
    for number in range(1, 10):
        kept.append(f"{IDENT}-{number}x.jpg")
        await store.put(kept[-1], b"x" * 20_000, metadata={"n": "1"})
    fill_up(small_disk)
    for body in (b"", b"tiny"):
        with pytest.raises(DiskFull):
            await store.put(IDENT, body, metadata={"n": "2"})
        with pytest.raises(DiskFull):
            await store.put("new/folder", body)
    stat, data = await whole(store, IDENT)
    assert (data, stat.metadata) == (b"base", {"n": "1"})
    assert sorted(await listed(store)) == sorted([IDENT, *kept])
    await store.delete(kept.pop())
    assert (await store.evict(100_000)).left_bytes <= 100_000
    await store.put(IDENT, b"new", metadata={"n": "2"})
    assert await content(store, IDENT) == b"new"


def test_a_file_larger_than_may_be_is_a_full_disk(tmp_path: Path) -> None:
    status, output = do("limited", root=str(tmp_path / "images"), key="a", size=3_000_000, limit=1_000_000)
    assert status == 0
    assert output.startswith("DiskFull put 'a' in ")
    assert "File too large" in output
    assert list((tmp_path / "images" / ".drafts").iterdir()) == []


@pytest.fixture
def closed_folder() -> Iterator[Path]:
    """A folder that other users can reach, in one that pytest does not hide from them."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder / "images"
    for path in [folder, *folder.rglob("*")]:
        if path.is_dir():
            path.chmod(0o700)
    shutil.rmtree(folder)


def close(root: Path, deed: str) -> None:
    """Take away what *deed* needs."""
    closed = {"open_store": [""], "put": ["a", ".drafts", ".locks"], "delete": ["a", ".drafts", ".locks"]}
    for folder in closed.get(deed, ["a"]):
        (root / folder).chmod(0o000)


def reopen(root: Path) -> None:
    for folder in ("", "a", ".drafts", ".locks"):
        (root / folder).chmod(0o755)


@pytest.mark.parametrize("deed", ["put", "delete", "list", "stat", "open_store"])
async def test_a_permission_that_is_missing_is_named(closed_folder: Path, deed: str) -> None:
    store = FilesystemStore(closed_folder)
    await store.put("a/b", b"bytes")
    close(closed_folder, deed)
    status, output = do("denied", root=str(closed_folder), key="a/b", what=deed)
    assert status == 0
    assert output.startswith("StoreUnavailable ")
    assert "Permission denied" in output
    assert str(closed_folder) in output
    assert f"let user {os.geteuid() or 65534}" in output
    reopen(closed_folder)
    assert await content(store, "a/b") == b"bytes"


@pytest.mark.parametrize("deed", DEEDS)
async def test_a_volume_that_vanished_is_unavailable_and_never_empty(tmp_path: Path, deed: str) -> None:
    root = tmp_path / "images"
    store = FilesystemStore(root)
    await store.put("a", b"bytes")
    root.rename(tmp_path / "elsewhere")
    with pytest.raises(StoreUnavailable, match=r"vanished.*mount the volume again"):
        await DEEDS[deed](store)
    assert not root.exists()
    # The mount point that is left when a volume is gone.
    root.mkdir()
    with pytest.raises(StoreUnavailable, match="vanished"):
        await DEEDS[deed](store)
    assert list(root.iterdir()) == []
    root.rmdir()
    (tmp_path / "elsewhere").rename(root)
    assert await content(store, "a") == b"bytes"


@pytest.mark.parametrize("deed", [deed for deed in DEEDS if deed not in ("open", "note_use", "path", "delete")])
async def test_another_volume_in_its_place_is_noticed(tmp_path: Path, deed: str) -> None:
    root = tmp_path / "images"
    store = FilesystemStore(root)
    root.rename(tmp_path / "elsewhere")
    await FilesystemStore(root).put("x", b"other")
    with pytest.raises(StoreUnavailable, match="another one now"):
        await DEEDS[deed](store)


@pytest.mark.parametrize("key", ["{:03d}/a", "a/{:03d}"])
async def test_a_volume_that_vanishes_while_listed_ends_no_listing(tmp_path: Path, key: str) -> None:
    root = tmp_path / "images"
    store = FilesystemStore(root, durable=False)
    for number in range(300):
        await store.put(key.format(number), b"")
    entries = store.list()
    await anext(entries)
    root.rename(tmp_path / "elsewhere")
    with pytest.raises(StoreUnavailable, match="vanished"):
        await entries_of(entries)


async def test_a_file_that_vanishes_between_listing_and_looking_is_left_out(tmp_path: Path) -> None:
    store = FilesystemStore(tmp_path / "images")
    for number in range(1, 201):
        await store.put(f"a/{number:03d}", b"")
    entries = store.list()
    first = await anext(entries)
    for number in range(100, 200):
        (tmp_path / "images" / "a" / f"{number:03d}").unlink()
    left = [first.key, *[entry.key async for entry in entries]]
    assert left == [f"a/{number:03d}" for number in (*range(1, 100), 200)]


def test_a_root_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    for root in (tmp_path / "file", tmp_path / "file" / "images"):
        with pytest.raises(BadStore, match="file is a file; name a folder"):
            FilesystemStore(root)


def test_a_missing_root_is_made(tmp_path: Path) -> None:
    FilesystemStore(tmp_path / "srv" / "images")
    assert (tmp_path / "srv" / "images" / ".derivproxy-store").is_file()


@pytest.mark.parametrize(
    ("marker", "message"), [("{}", "is damaged"), ("", "is damaged"), ('{"layout": 2, "id": "x"}', "has layout 2")]
)
async def test_a_store_of_another_layout_is_refused(tmp_path: Path, marker: str, message: str) -> None:
    store = FilesystemStore(tmp_path)
    (tmp_path / ".derivproxy-store").write_text(marker)
    with pytest.raises(BadStore, match=message):
        FilesystemStore(tmp_path)
    with pytest.raises(StoreUnavailable, match=message):
        await store.stat("a")


async def test_a_store_that_can_only_be_read_is_read(small_disk: Path) -> None:
    await FilesystemStore(small_disk / "images").put(IDENT, b"base")
    await anyio.run_process(["mount", "-o", "remount,ro", str(small_disk)])
    store = FilesystemStore(small_disk / "images")
    assert await content(store, IDENT) == b"base"
    assert await listed(store) == [IDENT]
    for deed in ("put", "put deeper", "delete"):
        with pytest.raises(StoreUnavailable, match=r"Read-only file system.*mount it for writing"):
            await DEEDS[deed](store)


async def test_a_workshop_taken_away_is_made_again(tmp_path: Path) -> None:
    store = FilesystemStore(tmp_path)
    for folder in (".drafts", ".locks"):
        shutil.rmtree(tmp_path / folder)
    await store.put("a", b"bytes")
    shutil.rmtree(tmp_path / ".locks")
    await store.delete("a")


async def test_a_pipe_or_folder_left_there_is_no_object(tmp_path: Path) -> None:
    store = FilesystemStore(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    for key in ("pipe",):
        with pytest.raises(ObjectMissing):
            await store.stat(key)
    assert await listed(store) == []


async def test_a_file_cut_while_read_is_a_fault(tmp_path: Path) -> None:
    store = FilesystemStore(tmp_path)
    await store.put("a", b"x" * 3_000_000)
    async with store.open("a") as opened:
        pieces = aiter(opened)
        await anext(pieces)
        os.truncate(tmp_path / "a", 1_500_000)
        await anext(pieces)
        with pytest.raises(StoreUnavailable, match="was cut at byte 1500000"):
            await anext(pieces)


async def test_copying_a_large_file_can_be_cancelled(tmp_path: Path) -> None:
    store = FilesystemStore(tmp_path / "images", durable=False)
    (tmp_path / "body").touch()
    os.truncate(tmp_path / "body", 4 * 2**30)
    begun = anyio.current_time()
    with anyio.move_on_after(0.05) as scope:
        await store.put("a", tmp_path / "body")
    assert scope.cancelled_caught
    assert anyio.current_time() - begun < 2
    assert list((tmp_path / "images" / ".drafts").iterdir()) == []
    assert await listed(store) == []
