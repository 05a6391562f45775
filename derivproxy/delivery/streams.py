"""Bytes from elsewhere: checked while they flow, or brought into a local file first."""

from __future__ import annotations

import errno
import hashlib
import tempfile
from contextlib import contextmanager
from typing import TYPE_CHECKING

from derivproxy.domain.errors import DiskFull, Fault
from derivproxy.hot_tier.files import LocalFile
from derivproxy.hot_tier.threads import to_the_end

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterator
    from pathlib import Path
    from typing import IO

_IN_PLACE_BYTES = 128 * 1024
"""Less than this is hashed on the spot (0.2 ms); more in a thread."""


class Checked:
    """*chunks*, once, one behind: the last is held back until all are known to be the *size* bytes of *digest*.

    So whoever reads has never all of something wrong. Raises what *wrong* makes of a sentence where they are not.
    """

    def __init__(
        self,
        chunks: AsyncIterable[bytes],
        *,
        size: int,
        algorithm: str,
        digest: str,
        wrong: Callable[[str], Fault],
    ) -> None:
        self._chunks = aiter(chunks)
        self._size = size
        self._digest = digest
        self._wrong = wrong
        self._hasher = hashlib.new(algorithm, usedforsecurity=False)
        self._back = b""
        self._seen = 0
        self._collected: list[bytes] | None = None
        self.verified = False
        """Whether the end was reached and all was right."""

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        while not self.verified:
            chunk = await anext(self._chunks, b"")
            if not chunk:
                self._check()
                self.verified = True
                if self._back:
                    return self._back
                break
            await self._take(chunk)
            ready, self._back = self._back, chunk
            if ready:
                return ready
        raise StopAsyncIteration

    def collect(self) -> None:
        """Collect the bytes on the way; to be said before the first is read."""
        self._collected = []

    @property
    def collected(self) -> bytes | None:
        """All the bytes, where they were to be collected and are verified."""
        return b"".join(self._collected) if self.verified and self._collected is not None else None

    async def _take(self, chunk: bytes) -> None:
        self._seen += len(chunk)
        if self._seen > self._size:
            raise self._wrong(f"more than the {self._size} bytes that are announced")
        if len(chunk) > _IN_PLACE_BYTES:
            await to_the_end(self._hasher.update, chunk)
        else:
            self._hasher.update(chunk)
        if self._collected is not None:
            self._collected.append(chunk)

    def _check(self) -> None:
        if self._seen != self._size:
            raise self._wrong(f"{self._seen} bytes of {self._size}")
        if self._hasher.hexdigest() != self._digest:
            raise self._wrong(f"bytes with the {self._hasher.name} {self._hasher.hexdigest()}, not {self._digest}")


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Turn a full disk into ``DiskFull``."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise DiskFull(f"no room in {folder.name} for a copy: {error.strerror}; make room on its disk") from error
        raise


async def spooled(chunks: AsyncIterable[bytes], folder: Path) -> LocalFile:
    """All of *chunks* in a file of *folder* that has no name, held by the caller.

    Raises ``DiskFull``, and what *chunks* raise. No failure and no death of the process leaves anything behind.
    """
    with writing(folder):
        file = tempfile.TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115 - the LocalFile closes it
        try:
            async for chunk in chunks:
                await to_the_end(write_all, file, chunk)
            return LocalFile(file)
        except BaseException:
            file.close()
            raise


def write_all(file: IO[bytes], chunk: bytes) -> None:
    """Write the whole *chunk* to an unbuffered *file*, which may take it in pieces."""
    view = memoryview(chunk)
    while view:
        view = view[file.write(view) :]
