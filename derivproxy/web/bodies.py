"""The bytes of an answer, whole or a slice, from memory, a file or a stream."""

from __future__ import annotations

from contextlib import aclosing, asynccontextmanager
from typing import TYPE_CHECKING

from anyio import to_thread

from derivproxy.domain.errors import StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator
    from pathlib import Path

AT_ONCE_BYTES = 1024 * 1024
"""Up to here a file is read in one go, before the first header is sent: an error is then still an answer of its own."""
CHUNK_BYTES = 256 * 1024


async def read_slice(path: Path, start: int, stop: int) -> bytes:
    """The bytes *start* to *stop* of the file. Raises ``StoreUnavailable`` where they are not all there."""

    def read() -> bytes:
        try:
            with path.open("rb", buffering=0) as file:
                file.seek(start)
                data = file.read(stop - start)
        except OSError as error:
            raise StoreUnavailable(f"a kept file cannot be read: {error.strerror}") from error
        if len(data) != stop - start:
            raise StoreUnavailable(f"a kept file ended after {start + len(data)} bytes of {stop}")
        return data

    return await to_thread.run_sync(read)


async def file_chunks(path: Path, start: int, stop: int) -> AsyncGenerator[bytes]:
    """The bytes *start* to *stop* of the file, in chunks. Raises ``StoreUnavailable`` where it ends early."""
    try:
        file = await to_thread.run_sync(lambda: path.open("rb", buffering=0))
    except OSError as error:
        raise StoreUnavailable(f"a kept file cannot be opened: {error.strerror}") from error
    try:
        position = start
        await to_thread.run_sync(file.seek, start)
        while position < stop:
            chunk = await to_thread.run_sync(file.read, min(CHUNK_BYTES, stop - position))
            if not chunk:
                raise StoreUnavailable(f"a kept file ended after {position} bytes of {stop}")
            position += len(chunk)
            yield chunk
    finally:
        file.close()


async def counted(chunks: AsyncIterable[bytes], size: int) -> AsyncGenerator[bytes]:
    """*chunks*, holding them to *size* bytes together. Raises ``StoreUnavailable`` where they are more or fewer."""
    seen = 0
    async for chunk in chunks:
        seen += len(chunk)
        if seen > size:
            raise StoreUnavailable(f"the store sent more than the {size} bytes it announced")
        yield chunk
    if seen != size:
        raise StoreUnavailable(f"the store's bytes ended after {seen} of {size}")


@asynccontextmanager
async def primed(chunks: AsyncGenerator[bytes]) -> AsyncIterator[AsyncIterator[bytes]]:
    """*chunks* with the first one already fetched, so that what fails at once fails before the headers are sent.

    They are closed with the context: a client that left in the middle must not keep a file open.
    """
    async with aclosing(chunks):
        first = await anext(chunks, b"")

        async def all_of_them() -> AsyncIterator[bytes]:
            if first:
                yield first
            async for chunk in chunks:
                yield chunk

        yield all_of_them()
