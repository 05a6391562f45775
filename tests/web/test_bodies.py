from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from derivproxy.domain.errors import StoreUnavailable
from derivproxy.web import bodies

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator


async def stream(*chunks: bytes) -> AsyncGenerator[bytes]:
    for chunk in chunks:
        yield chunk


def opened(file: Path) -> int:
    """How many descriptors of this process are on *file*."""
    return sum(each.is_symlink() and each.resolve() == file for each in Path("/proc/self/fd").iterdir())


async def gather(chunks: AsyncIterator[bytes]) -> bytes:
    return b"".join([chunk async for chunk in chunks])


async def test_a_file_is_read_where_it_was_asked_for(tmp_path: Path) -> None:
    file = tmp_path / "kept"
    file.write_bytes(b"0123456789")
    assert await bodies.read_slice(file, 2, 5) == b"234"
    assert await gather(bodies.file_chunks(file, 2, 10)) == b"23456789"


async def test_a_file_that_is_shorter_than_it_was_is_an_error(tmp_path: Path) -> None:
    file = tmp_path / "kept"
    file.write_bytes(b"0123")
    with pytest.raises(StoreUnavailable, match="ended after 4 bytes of 10"):
        await bodies.read_slice(file, 2, 10)
    with pytest.raises(StoreUnavailable, match="ended after 4 bytes of 10"):
        await gather(bodies.file_chunks(file, 2, 10))


async def test_a_file_that_is_gone_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match="No such file"):
        await bodies.read_slice(tmp_path / "gone", 0, 1)
    with pytest.raises(StoreUnavailable, match="No such file"):
        async with bodies.primed(bodies.file_chunks(tmp_path / "gone", 0, 1)):
            raise AssertionError("it was not looked at")


async def test_a_stream_is_held_to_its_size() -> None:
    assert await gather(bodies.counted(stream(b"ab", b"c"), 3)) == b"abc"
    for size in (2, 4):
        with pytest.raises(StoreUnavailable):
            await gather(bodies.counted(stream(b"ab", b"c"), size))


async def test_a_primed_stream_loses_nothing() -> None:
    for chunks in ([], [b"abc"], [b"ab", b"c"]):
        async with bodies.primed(stream(*chunks)) as primed:
            assert await gather(primed) == b"".join(chunks)


async def test_who_leaves_in_the_middle_keeps_no_file_open(tmp_path: Path) -> None:
    file = tmp_path / "kept"
    file.write_bytes(b"0" * (3 * bodies.CHUNK_BYTES))
    for read in (0, 1, 2):
        chunks = bodies.file_chunks(file, 0, 3 * bodies.CHUNK_BYTES)
        async with bodies.primed(chunks) as primed:
            for _ in range(read):
                await anext(primed)
            assert opened(file) == 1
        assert opened(file) == 0
