"""An object open for reading: small ones are read whole in the thread that opens them, large ones piece by piece."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Any, Self

from derivproxy.domain.errors import StoreUnavailable
from derivproxy.stores.checks import check_key, check_range
from derivproxy.stores.filesystem.faults import faults
from derivproxy.stores.interface import CHUNK_BYTES, ObjectStat

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from derivproxy.stores.filesystem.objects import Objects


class Reading:
    """Opens *key*, and is ``Opened`` for its bytes *start* to *stop*; *in_thread* runs a blocking call elsewhere."""

    def __init__(
        self,
        objects: Objects,
        key: str,
        start: int,
        stop: int | None,
        in_thread: Callable[[Callable[[], Any]], Awaitable[Any]],
    ) -> None:
        self._objects = objects
        self._key = key
        self._offset = start
        self._stop = stop
        self._in_thread = in_thread
        self._first = b""
        self._stat: ObjectStat | None = None
        self._fd = -1
        self._closed = False
        self._turn = threading.Lock()

    @property
    def stat(self) -> ObjectStat:
        """What is known of the whole object."""
        if self._stat is None:
            raise RuntimeError("not open")
        return self._stat

    async def __aenter__(self) -> Self:
        check_key(self._key)
        check_range(self._offset, self._stop)
        try:
            await self._in_thread(self._open)
        except BaseException:
            self.close()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()

    def _open(self) -> None:
        """Find the object and read its first piece."""
        with faults(f"open {self._key!r}"):
            found = self._objects.find(self._key)
        with self._turn:
            self._fd = found.fd
            # Whoever asked may have gone without waiting for this thread.
            if self._closed:
                self._let_go()
                return
        self._stat = found.generation.stat(self._key)
        size = found.file.st_size
        self._stop = size if self._stop is None else min(self._stop, size)
        self._first = self._piece()
        if self._offset >= self._stop:
            self.close()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        first, self._first = self._first, b""
        if first:
            yield first
        while self._offset < (self._stop or 0):
            yield await self._in_thread(self._piece)

    def close(self) -> None:
        """Let go of the file; closing again is no error."""
        with self._turn:
            self._closed = True
            self._let_go()

    def _piece(self) -> bytes:
        stop = self._stop or 0
        if self._offset >= stop:
            return b""
        with faults(f"read {self._key!r}"):
            piece = os.pread(self._fd, min(CHUNK_BYTES, stop - self._offset), self._offset)
        if not piece:
            raise StoreUnavailable(f"{self._key!r} was cut at byte {self._offset} while read: see who writes there")
        self._offset += len(piece)
        return piece

    def _let_go(self) -> None:
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)
