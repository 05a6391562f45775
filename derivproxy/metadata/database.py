"""The metadata of a node: one SQLite file, one writer, readers in every process."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Self

import aiosqlite
import anyio
from anyio import to_thread

from derivproxy.domain.errors import BadRequest, Removed, UnknownImage
from derivproxy.domain.status import State
from derivproxy.metadata import changes, schema
from derivproxy.metadata.cursors import Cursor
from derivproxy.metadata.errors import faults
from derivproxy.metadata.listing import Page, page_statement
from derivproxy.metadata.rows import SELECT, image
from derivproxy.metadata.statuses import Statuses

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path
    from types import TracebackType

    from derivproxy.domain.images import Image
    from derivproxy.domain.status import Status

MAX_PAGE = 1_000
_LIVE_IMAGE = f"SELECT {SELECT} FROM images WHERE ident = ? AND removed IS NULL"  # noqa: S608 - our own words
_IDENTS = "SELECT ident FROM images WHERE removed IS NULL AND ident > ? ORDER BY ident LIMIT ?"
_REVISION = "SELECT revision FROM collection"


class Metadata:
    """Rows of images: written by one process, the engine, read by any number, which see each commit at once.

    Every method raises ``Unavailable`` (``Overloaded``, ``DiskFull``) where SQLite fails. A change is whole or not at
    all, also where the asker is cancelled, and durable when it returns.
    """

    def __init__(
        self, path: Path, *, statuses: Statuses, reader: aiosqlite.Connection, writer: aiosqlite.Connection | None
    ) -> None:
        self._path = path
        self._statuses = statuses
        self._reader = reader
        self._writer = writer
        self._turn = anyio.Lock()

    @classmethod
    async def open(cls, path: Path, *, write: bool) -> Self:
        """Open the database at *path*; for writing it is made or migrated first. Raises ``DatabaseUnusable``."""
        scripts = schema.migrations()
        if write:
            await to_thread.run_sync(schema.prepare, path, scripts)
        else:
            await to_thread.run_sync(schema.check, path, len(scripts))
        with faults(path):
            statuses = Statuses(path)
            opened: list[aiosqlite.Connection] = []
            try:
                opened.append(await _connect(path, write=False))
                if write:
                    opened.append(await _connect(path, write=True))
            except BaseException:
                await _close(opened)
                statuses.close()
                raise
        return cls(path, statuses=statuses, reader=opened[0], writer=opened[1] if write else None)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Let go of the file, after the change that is under way."""
        with anyio.CancelScope(shield=True):
            async with self._turn:
                # The writer last: the last to leave folds the log into the file.
                await _close([self._reader, *([self._writer] if self._writer else [])])
                self._statuses.close()

    def status(self, ident: str) -> Status:
        """What *ident* is at this instant. Blocks for microseconds; for the thread of the event loop only."""
        return self._statuses(ident)

    async def image(self, ident: str) -> Image:
        """The live image *ident*, public or private. Raises ``UnknownImage``, or ``Removed`` where it was here once."""
        rows = await self._read(_LIVE_IMAGE, (ident,))
        if rows:
            return image(rows[0])
        if self.status(ident).state is State.REMOVED:
            raise Removed(f"the image {ident} was removed; put its bytes in again to have it back")
        raise UnknownImage(f"no image {ident}; put it in first")

    async def images(
        self,
        *,
        tag: str | None = None,
        path: str | None = None,
        after: str | None = None,
        limit: int = 100,
        private: bool = False,
    ) -> Page:
        """A page of live images, newest first, with *private* ones where asked; *path* is a folder and all below it.

        All pages of one walk (by ``next``) show the membership of the revision at which it began. Raises ``BadRequest``
        for a cursor that no page gave, or a *limit* outside 1 to 1,000.
        """
        if not 1 <= limit <= MAX_PAGE:
            raise BadRequest(f"limit={limit} is not from 1 to {MAX_PAGE}")
        cursor = Cursor.parse(after) if after is not None else None
        walk = cursor.walk if cursor is not None else await self.revision()
        sql, values = page_statement(tag=tag, path=path, walk=walk, after=cursor, limit=limit + 1, private=private)
        rows = await self._read(sql, values)
        found = tuple(image(row[1:]) for row in rows[:limit])
        more = len(rows) > limit
        return Page(found, str(Cursor(walk, rows[limit - 1][0], found[-1].ident)) if more else None)

    async def idents(self, *, after: str = "", limit: int = MAX_PAGE) -> list[str]:
        """Up to *limit* live idents that sort after *after*, in their order."""
        return [row[0] for row in await self._read(_IDENTS, (after, limit))]

    async def revision(self) -> int:
        """How many changes there have been."""
        return int((await self._read(_REVISION, ()))[0][0])

    async def add(self, new: Image) -> tuple[Image, bool]:
        """Make *new* live. Says how it is kept, and whether it was not live before.

        Where it was live, a title, path or tags that are given replace, empty ones leave what was there.
        ``Image.revision`` is set here; of an image that nothing changed it stays.
        """
        async with self._transaction() as db:
            return await changes.add(db, new)

    async def adopt(self, found: Image) -> Image:
        """Make a row for an object *found* in the store where there is none. Raises ``Removed`` for a tombstone."""
        async with self._transaction() as db:
            return await changes.adopt(db, found)

    async def remove(self, ident: str) -> int:
        """Take *ident* away; every reader answers ``REMOVED`` from now on. Raises ``UnknownImage``, ``Removed``."""
        async with self._transaction() as db:
            return await changes.remove(db, ident)

    async def _read(self, sql: str, values: Any) -> Sequence[Any]:  # noqa: ANN401 - what SQLite takes
        with faults(self._path):
            return list(await self._reader.execute_fetchall(sql, values))

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[aiosqlite.Connection]:
        if self._writer is None:
            raise RuntimeError("this process opened the database for reading; only the engine changes it")
        async with self._turn:
            # A change takes milliseconds: it is not left half-way where its asker is cancelled.
            with anyio.CancelScope(shield=True), faults(self._path):
                await self._writer.execute("BEGIN IMMEDIATE")
                try:
                    yield self._writer
                    await self._writer.execute("COMMIT")
                except BaseException:
                    # SQLite has rolled back by itself after some errors, a full disk among them.
                    if self._writer.in_transaction:
                        await self._writer.execute("ROLLBACK")
                    raise


async def _connect(path: Path, *, write: bool) -> aiosqlite.Connection:
    return await aiosqlite.Connection(lambda: schema.connect(path, write=write), iter_chunk_size=64)


async def _close(connections: Sequence[aiosqlite.Connection]) -> None:
    with anyio.CancelScope(shield=True):
        for connection in connections:
            await connection.close()
