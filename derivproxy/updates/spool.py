"""Bytes on their way in: to a file, hashed as they come, in constant memory."""

from __future__ import annotations

import errno
import hashlib
import tempfile
import threading
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
from anyio import to_thread

from derivproxy.domain.errors import DiskFull, TooLarge, Unavailable

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterator
    from typing import TypeVar, TypeVarTuple, Unpack

    Got = TypeVar("Got")
    Wanted = TypeVarTuple("Wanted")

BATCH_BYTES = 2**20
"""Bytes gathered before a thread is asked to hash and write them."""

_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_ENDING = ".upload"


@dataclass(frozen=True, slots=True, kw_only=True)
class Spooled:
    """A whole upload on this node's disk: *ident* is the SHA-256 of its bytes, *md5* their MD5, lower-case hex."""

    path: Path
    ident: str
    md5: str
    bytes: int


class Spool:
    """A folder of uploads under way. It belongs to one process, and what is in it means nothing after that."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def start(self) -> None:
        """Make the folder, and empty it of what a former life left behind."""
        await to_thread.run_sync(self._empty)

    @asynccontextmanager
    async def receive(self, chunks: AsyncIterable[bytes], *, limit: int) -> AsyncIterator[Spooled]:
        """The upload that *chunks* are, for as long as the context is open; then its file is gone, however it ends.

        Raises ``TooLarge`` as soon as there are more than *limit* bytes, ``DiskFull`` where there is no room. What
        *chunks* raises comes through.
        """
        draft = _Draft(self._folder)
        try:
            await self._call(draft.open)
            await self._fill(draft, chunks, limit)
            yield await self._call(draft.finish)
        finally:
            with anyio.CancelScope(shield=True):
                await to_thread.run_sync(draft.discard)

    async def _fill(self, draft: _Draft, chunks: AsyncIterable[bytes], limit: int) -> None:
        batch: list[bytes] = []
        waiting = total = 0
        async for chunk in chunks:
            total += len(chunk)
            if total > limit:
                raise TooLarge(f"more than {limit} bytes; send a smaller file, or raise DERIVPROXY_MAX_FILE_BYTES")
            batch.append(chunk)
            waiting += len(chunk)
            if waiting >= BATCH_BYTES:
                await self._call(draft.write, batch)
                batch, waiting = [], 0
        await self._call(draft.write, batch)

    async def _call(self, work: Callable[[Unpack[Wanted]], Got], *wanted: *Wanted) -> Got:
        """Run what blocks in a thread. Only its ``OSError`` is the disk's: one of the asker's chunks comes through."""
        with _faults(self._folder):
            return await to_thread.run_sync(work, *wanted)

    def _empty(self) -> None:
        with _faults(self._folder):
            self._folder.mkdir(parents=True, exist_ok=True)
            for path in self._folder.glob(f"*{_ENDING}"):
                path.unlink(missing_ok=True)


class _Draft:
    """The file of one upload. Its methods block.

    An asker who is cancelled does not wait for the thread that works for it. So each method has its turn, and once the
    draft is discarded there is no file, whatever came before.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._turn = threading.Lock()
        self._discarded = False
        self._path: Path | None = None
        self._file: FileIO | None = None
        self._sha256 = hashlib.sha256()
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._bytes = 0

    def open(self) -> None:
        with self._turn:
            if self._discarded:
                return
            handle, name = tempfile.mkstemp(suffix=_ENDING, dir=self._folder)
            self._path = Path(name)
            self._file = FileIO(handle, "wb")

    def write(self, batch: list[bytes]) -> None:
        with self._turn:
            if self._file is None:
                return
            for chunk in batch:
                self._sha256.update(chunk)
                self._md5.update(chunk)
                left = memoryview(chunk)
                while left:
                    left = left[self._file.write(left) :]
                self._bytes += len(chunk)

    def finish(self) -> Spooled:
        with self._turn:
            if self._file is None or self._path is None:
                raise RuntimeError("an upload was finished after it was given up")
            self._file.close()
            return Spooled(
                path=self._path, ident=self._sha256.hexdigest(), md5=self._md5.hexdigest(), bytes=self._bytes
            )

    def discard(self) -> None:
        with self._turn:
            self._discarded = True
            if self._file is not None:
                with suppress(OSError):
                    self._file.close()
                self._file = None
            if self._path is not None:
                # A store on the same disk may have taken the file for its own.
                with suppress(FileNotFoundError):
                    self._path.unlink()


@contextmanager
def _faults(folder: Path) -> Iterator[None]:
    """Raise the house's fault for the system's error with a file in *folder*."""
    try:
        yield
    except OSError as error:
        if error.errno in _NO_ROOM:
            raise DiskFull(f"no room left for an upload in {folder}; make room on that disk") from error
        raise Unavailable(
            f"an upload cannot be written to {folder} ({error.strerror}); check the folder of DERIVPROXY_DATA"
        ) from error
