"""A store in memory, honest about the protocol, that can be told to fail, to wait and to rot."""

from __future__ import annotations

import asyncio
import hashlib
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from derivproxy.domain.errors import StoreUnavailable
from derivproxy.stores.errors import ObjectExists, ObjectMissing, WrongDigest
from derivproxy.stores.interface import Entry, ObjectStat, Promises

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, AsyncIterator, Mapping


@dataclass(frozen=True)
class Opened:
    stat: ObjectStat
    body: bytes
    chunk_bytes: int

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for start in range(0, len(self.body), self.chunk_bytes):
            await asyncio.sleep(0)
            yield self.body[start : start + self.chunk_bytes]


class MemoryStore:
    """Bytes under keys. *down* makes every method raise; *gates* hold methods back, by name, until they are set."""

    def __init__(self, *, chunk_bytes: int = 64 * 1024) -> None:
        self.objects: dict[str, tuple[ObjectStat, bytes]] = {}
        self.calls: list[tuple[str, str]] = []
        self.down = False
        self.gates: dict[str, asyncio.Event] = {}
        self._chunk_bytes = chunk_bytes
        self._puts = 0

    @property
    def promises(self) -> Promises:
        return Promises(atomic_create=True, prompt=True)

    def count(self, method: str, key: str) -> int:
        return self.calls.count((method, key))

    def rot(self, key: str, body: bytes) -> None:
        """Other bytes under the same stat, but for the size: a disk that lost some."""
        stat, _ = self.objects[key]
        self.objects[key] = (replace(stat, size=len(body)), body)

    async def _called(self, method: str, key: str) -> None:
        self.calls.append((method, key))
        if method in self.gates:
            await self.gates[method].wait()
        if self.down:
            raise StoreUnavailable("the store is down; start it")

    @asynccontextmanager
    async def open(
        self, key: str, *, start: int = 0, stop: int | None = None, newest: bool = False
    ) -> AsyncIterator[Opened]:
        del newest
        await self._called("open", key)
        if key not in self.objects:
            raise ObjectMissing(key)
        stat, body = self.objects[key]
        yield Opened(stat, body[start:stop], self._chunk_bytes)

    async def stat(self, key: str, *, newest: bool = False) -> ObjectStat:
        del newest
        await self._called("stat", key)
        if key not in self.objects:
            raise ObjectMissing(key)
        return self.objects[key][0]

    async def put(
        self,
        key: str,
        body: bytes | Path | AsyncIterable[bytes],
        *,
        content_type: str = "application/octet-stream",
        metadata: Mapping[str, str] | None = None,
        md5: str | None = None,
        expires_in: float | None = None,
        create: bool = False,
        durable: bool = True,  # noqa: ARG002 - memory knows no difference
    ) -> ObjectStat:
        await self._called("put", key)
        if isinstance(body, Path):
            body = body.read_bytes()  # noqa: ASYNC240 - a few MB in a test
        elif not isinstance(body, bytes):
            body = b"".join([chunk async for chunk in body])
        digest = hashlib.md5(body, usedforsecurity=False).hexdigest()
        if md5 not in (None, digest):
            raise WrongDigest(key)
        if create and key in self.objects:
            raise ObjectExists(key)
        self._puts += 1
        stat = ObjectStat(
            key=key,
            size=len(body),
            md5=digest,
            content_type=content_type,
            modified=float(self._puts),
            metadata=dict(metadata or {}),
            expires=expires_in,
        )
        self.objects[key] = (stat, body)
        return stat

    async def note_use(self, key: str, *, expires_in: float | None = None) -> None:
        del expires_in
        await self._called("note_use", key)

    async def delete(self, key: str) -> None:
        await self._called("delete", key)
        self.objects.pop(key, None)

    async def list(self, *, prefix: str = "", after: str = "") -> AsyncIterator[Entry]:
        await self._called("list", prefix)
        for key in sorted(self.objects):
            if key.startswith(prefix) and key > after and key in self.objects:
                stat = self.objects[key][0]
                yield Entry(key=key, size=stat.size, modified=stat.modified)

    async def path(self, key: str) -> Path | None:
        await self._called("path", key)
        return None

    async def close(self) -> None:
        pass


class FolderStore(MemoryStore):
    """The same with its objects as files besides, as a store on this machine has them."""

    def __init__(self, folder: Path, *, chunk_bytes: int = 64 * 1024) -> None:
        super().__init__(chunk_bytes=chunk_bytes)
        self._folder = folder
        folder.mkdir(exist_ok=True)

    @property
    def promises(self) -> Promises:
        return Promises(atomic_create=True, prompt=True, local_files=True)

    async def path(self, key: str) -> Path | None:
        await self._called("path", key)
        path = self._folder / key
        if key not in self.objects:
            return None
        body = self.objects[key][1]
        if not path.exists() or path.read_bytes() != body:
            draft = path.with_name(f".{key[:60]}")
            draft.write_bytes(body)
            draft.rename(path)
        return path
