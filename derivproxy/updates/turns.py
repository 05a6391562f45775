"""One at a time for each ident, all idents at once."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class Turns:
    """Locks by name, there only while somebody holds or wants them."""

    def __init__(self) -> None:
        self._locks: dict[str, tuple[anyio.Lock, int]] = {}

    def __len__(self) -> int:
        return len(self._locks)

    @asynccontextmanager
    async def of(self, name: str) -> AsyncIterator[None]:
        """Wait for the turn of *name*, and have it until the context ends."""
        lock, wanted = self._locks.get(name) or (anyio.Lock(), 0)
        self._locks[name] = (lock, wanted + 1)
        try:
            async with lock:
                yield
        finally:
            _, wanted = self._locks[name]
            if wanted > 1:
                self._locks[name] = (lock, wanted - 1)
            else:
                del self._locks[name]
