"""What lies where, for nginx, libvips and people who copy a store."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from itertools import pairwise
from typing import TYPE_CHECKING

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from derivproxy.stores import BadKey, ObjectExists, ObjectMissing
from derivproxy.stores.checks import is_key
from derivproxy.stores.filesystem import FilesystemStore
from derivproxy.stores.filesystem.layout import key_at, place
from derivproxy.stores.filesystem.sidecar import Generation, parse, render
from derivproxy.testing.reading import whole

if TYPE_CHECKING:
    from pathlib import Path

IDENT = "0123456789abcdef" * 4
KEY = f"{IDENT}-x.jpg"


def files(root: Path) -> set[str]:
    return {str(found.relative_to(root)) for found in root.rglob("*") if found.is_file()}


def md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


@pytest.mark.parametrize(
    ("key", "path"),
    [
        (IDENT, f"01/23/{IDENT}/{IDENT}"),
        (KEY, f"01/23/{IDENT}/{KEY}"),
        (f"{IDENT}~512", f"01/23/{IDENT}/{IDENT}~512"),
        ("log/00000001/0000000000000001", "log/00000001/0000000000000001"),
        ("format", "format"),
        (f"trash/2026-11-21/{IDENT}", f"trash/2026-11-21/{IDENT}"),
    ],
)
async def test_the_data_file_holds_exactly_the_bytes(tmp_path: Path, key: str, path: str) -> None:
    store = FilesystemStore(tmp_path)
    await store.put(key, b"exactly")
    assert (tmp_path / path).read_bytes() == b"exactly"
    assert await store.path(key) == tmp_path / path
    assert key_at(path) == key
    made = files(tmp_path)
    folder, _, name = path.rpartition("/")
    sidecar = f"{folder}/.{name}.meta".lstrip("/")
    assert {found for found in made if not found.startswith((".locks", ".drafts"))} == {
        path,
        sidecar,
        ".derivproxy-store",
    }


_SEGMENTS = st.text("abf019.-_~Z", min_size=1, max_size=6)


@given(st.one_of(st.lists(_SEGMENTS, min_size=1, max_size=4).map("/".join), _SEGMENTS.map(lambda rest: IDENT + rest)))
def test_no_two_keys_lie_at_one_place(key: str) -> None:
    if is_key(key):
        where = place("/r", key)
        assert key_at(where.data.removeprefix("/r/")) == key
        assert where.data.startswith(where.folder + "/")
        assert where.sidecar.startswith(where.folder + "/.")


async def test_the_sidecar_says_what_the_page_says(tmp_path: Path) -> None:
    store = FilesystemStore(tmp_path)
    for body in (b"one", b"two!", b"three"):
        await store.put("a", body, content_type="image/png", metadata={"n": body.decode()}, expires_in=1000)
    document = json.loads((tmp_path / ".a.meta").read_text())
    assert document["format"] == 1
    new, before = document["generations"]
    file = (tmp_path / "a").stat()
    assert new["expires"] == pytest.approx(time.time() + 1000, abs=60)
    assert {**new, "expires": 0} == {
        "size": 5,
        "mtime_ns": file.st_mtime_ns,
        "md5": md5(b"three"),
        "content_type": "image/png",
        "metadata": {"n": "three"},
        "expires": 0,
    }
    assert before["metadata"] == {"n": "two!"}


@pytest.mark.parametrize("command", [["cp", "-r"], ["cp", "-a"], ["rsync", "-a"]], ids=" ".join)
async def test_a_copied_store_keeps_its_metadata(tmp_path: Path, command: list[str]) -> None:
    if not shutil.which(command[0]):
        pytest.skip(f"{command[0]} is not installed")
    store = FilesystemStore(tmp_path / "images")
    for body in (b"one", b"two"):
        await store.put(KEY, body, metadata={"n": body.decode()}, content_type="image/jpeg")
    await anyio.run_process([*command, f"{tmp_path}/images", f"{tmp_path}/copy"])
    copy = FilesystemStore(tmp_path / "copy")
    stat, data = await whole(copy, KEY)
    assert (data, stat.metadata, stat.content_type, stat.md5) == (b"two", {"n": "two"}, "image/jpeg", md5(b"two"))
    await copy.put(KEY, b"more", metadata={"n": "more"})
    assert (await copy.stat(KEY)).metadata == {"n": "more"}


@pytest.mark.parametrize("sidecar", [None, b"", b"{}", b"not json", b'{"format": 2, "generations": []}', b"[]"])
async def test_a_file_put_there_by_hand_is_an_object(tmp_path: Path, sidecar: bytes | None) -> None:
    store = FilesystemStore(tmp_path)
    folder = tmp_path / "01" / "23" / IDENT
    folder.mkdir(parents=True)
    (folder / IDENT).write_bytes(b"by hand")
    if sidecar is not None:
        (folder / f".{IDENT}.meta").write_bytes(sidecar)
    for _ in range(2):
        stat, data = await whole(store, IDENT)
        assert (data, stat.md5, stat.content_type, stat.metadata) == (
            b"by hand",
            md5(b"by hand"),
            "application/octet-stream",
            {},
        )
    with pytest.raises(ObjectExists):
        await store.put(IDENT, b"x", create=True)
    assert [entry.key async for entry in store.list()] == [IDENT]
    await store.put(IDENT, b"x", metadata={"n": "1"})
    assert (await store.stat(IDENT)).metadata == {"n": "1"}
    await store.delete(IDENT)
    with pytest.raises(ObjectMissing):
        await store.stat(IDENT)


async def test_what_was_found_out_of_a_file_is_kept_once_it_has_settled(tmp_path: Path) -> None:
    store = FilesystemStore(tmp_path)
    (tmp_path / "a").write_bytes(b"by hand")
    await store.stat("a")
    assert not (tmp_path / ".a.meta").exists()
    os.utime(tmp_path / "a", (1000, 1000))
    await store.stat("a")
    [kept] = parse((tmp_path / ".a.meta").read_bytes())
    assert (kept.md5, kept.mtime_ns) == (md5(b"by hand"), 1000 * 10**9)
    # Edited in place: what is kept is of another file now.
    (tmp_path / "a").write_bytes(b"changed")
    assert (await store.stat("a")).md5 == md5(b"changed")


async def test_puts_within_one_tick_of_the_clock_are_told_apart(tmp_path: Path) -> None:
    store = FilesystemStore(tmp_path, clock_ns=lambda: 1_700_000_000_000_000_000)
    times = []
    for number in range(5):
        await store.put("a", b"same", metadata={"n": str(number)})
        stat = await store.stat("a")
        assert stat.metadata == {"n": str(number)}
        times.append((tmp_path / "a").stat().st_mtime_ns)
    assert all(one != other for one, other in pairwise(times))


async def test_creating_never_replaces_what_another_program_put_there(tmp_path: Path) -> None:
    def at(step: str) -> None:
        if step == "sidecar-renamed":
            # It knows nothing of our locks.
            (tmp_path / "a").write_bytes(b"theirs")

    with pytest.raises(ObjectExists):
        await FilesystemStore(tmp_path, at=at).put("a", b"ours", metadata={"n": "1"}, create=True)
    stat, data = await whole(FilesystemStore(tmp_path), "a")
    assert (data, stat.metadata) == (b"theirs", {})


async def test_a_key_inside_an_object_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    store = FilesystemStore(tmp_path)
    await store.put("a", b"1")
    await store.put("b/c", b"2")
    with pytest.raises(BadKey, match="'a/b/c': a folder of it is an object already"):
        await store.put("a/b/c", b"3")
    with pytest.raises(BadKey, match="'b' is a folder of other keys"):
        await store.put("b", b"3")
    assert not (tmp_path / ".b.meta").exists()
    assert list((tmp_path / ".drafts").iterdir()) == []


_TEXTS = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=20)


@given(
    st.lists(
        st.builds(
            Generation,
            size=st.integers(0, 2**40),
            mtime_ns=st.integers(-(2**62), 2**62),
            md5=_TEXTS,
            content_type=_TEXTS,
            metadata=st.dictionaries(_TEXTS, _TEXTS, max_size=4),
            expires=st.none() | st.floats(0, 1e10),
        ),
        max_size=2,
    )
)
def test_a_sidecar_read_is_the_one_written(generations: list[Generation]) -> None:
    assert parse(render(generations)) == tuple(generations)


@given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
def test_no_bytes_make_reading_a_sidecar_fail(content: bytes) -> None:
    parse(content)


def test_a_file_that_cannot_be_read_by_others_is_the_umasks_choice(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        store = FilesystemStore(tmp_path / "images")
    finally:
        os.umask(before)
    assert store.root.stat().st_mode & 0o777 == 0o750
