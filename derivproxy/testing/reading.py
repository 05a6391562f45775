"""What the suite reads with."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from derivproxy.stores import ObjectStat, Store


_CHUNK_BYTES = 1024 * 1024


async def content(store: Store, key: str, start: int = 0, stop: int | None = None) -> bytes:
    """The newest bytes of *key*; fails where a chunk is empty or above 1 MiB."""
    return (await whole(store, key, start, stop))[1]


async def whole(store: Store, key: str, start: int = 0, stop: int | None = None) -> tuple[ObjectStat, bytes]:
    """The newest stat and bytes of *key*, of one opening; fails where a chunk is empty or above 1 MiB."""
    pieces = []
    async with store.open(key, start=start, stop=stop, newest=True) as opened:
        async for piece in opened:
            if not 0 < len(piece) <= _CHUNK_BYTES:
                raise AssertionError(f"a chunk of {len(piece)} bytes: it has 1 to {_CHUNK_BYTES}")
            pieces.append(bytes(piece))
        return opened.stat, b"".join(pieces)
