from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from derivproxy.delivery.streams import Checked, spooled, writing
from derivproxy.domain.errors import DiskFull, StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path


async def flowing(chunks: Sequence[bytes]) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


def checked(chunks: Sequence[bytes], right: bytes, *, size: int | None = None, collect: bool = False) -> Checked:
    stream = Checked(
        flowing(chunks),
        size=len(right) if size is None else size,
        algorithm="sha256",
        digest=hashlib.sha256(right).hexdigest(),
        wrong=StoreUnavailable,
    )
    if collect:
        stream.collect()
    return stream


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


async def read(stream: Checked) -> tuple[bytes, str]:
    """What came, and what was wrong with it."""
    given = bytearray()
    try:
        async for chunk in stream:
            given += chunk
    except StoreUnavailable as fault:
        return bytes(given), fault.detail
    return bytes(given), ""


@given(chunks=st.lists(st.binary(min_size=1, max_size=20), max_size=8), collect=st.booleans())
async def test_what_is_right_comes_through_whole(chunks: list[bytes], collect: bool) -> None:  # noqa: FBT001
    right = b"".join(chunks)
    stream = checked(chunks, right, collect=collect)
    assert not stream.verified
    assert await read(stream) == (right, "")
    assert stream.verified
    assert stream.collected == (right if collect else None)


@given(chunks=st.lists(st.binary(min_size=1, max_size=20), min_size=1, max_size=8), right=st.binary(max_size=60))
async def test_what_is_wrong_never_comes_through_whole(chunks: list[bytes], right: bytes) -> None:
    wrong = b"".join(chunks)
    if wrong == right:
        return
    stream = checked(chunks, right, collect=True)
    given, detail = await read(stream)
    assert detail
    assert len(given) < len(wrong)
    assert given != right or not right
    assert not stream.verified
    assert stream.collected is None


async def test_it_says_what_is_wrong() -> None:
    assert (await read(checked([b"ab"], b"abcd")))[1] == "2 bytes of 4"
    assert (await read(checked([b"abcd"], b"abcd", size=5)))[1] == "4 bytes of 5", "whatever the digest says"
    assert "more than the 4 bytes" in (await read(checked([b"abc", b"de"], b"abcd")))[1]
    assert "sha256" in (await read(checked([b"abce"], b"abcd")))[1]


async def test_chunks_too_large_to_hash_in_place_count_too() -> None:
    large = bytes(300_000)
    assert await read(checked([large, large], large + large)) == (large + large, "")


async def test_a_spooled_stream_is_a_file_without_a_name(tmp_path: Path) -> None:
    file = await spooled(flowing([b"ab", b"cd"]), tmp_path)
    assert names(tmp_path) == []
    assert file.path.read_bytes() == b"abcd"
    assert file.size == 4
    file.release()


async def test_a_stream_that_fails_is_spooled_into_nothing(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable):
        await spooled(checked([b"ab"], b"abcd"), tmp_path)
    assert names(tmp_path) == []


def test_a_full_disk_is_a_fault_of_its_own(tmp_path: Path) -> None:
    with pytest.raises(DiskFull, match="make room"), writing(tmp_path):
        raise OSError(28, "No space left on device")
    with pytest.raises(PermissionError), writing(tmp_path):
        raise PermissionError(13, "Permission denied")
