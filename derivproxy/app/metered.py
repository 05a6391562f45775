"""A store whose operations are timed and counted."""

from __future__ import annotations

from contextlib import asynccontextmanager, contextmanager
from time import perf_counter
from typing import TYPE_CHECKING, Protocol

from derivproxy.domain.errors import Fault
from derivproxy.stores import ObjectMissing, StoreError

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, AsyncIterator, Iterator, Mapping
    from pathlib import Path

    from derivproxy.stores import Entry, ObjectStat, Opened, Promises, Store


class Counters(Protocol):
    """Where operations are counted."""

    def store(self, operation: str, outcome: str, seconds: float) -> None:
        """One operation ended: *outcome* is ``ok``, ``missing``, ``refused`` or a fault's code."""
        ...


class MeteredStore:
    """*inner*, counted: of an ``open`` the time until the first bytes can be read, of a listing the whole."""

    def __init__(self, inner: Store, counters: Counters) -> None:
        self.inner = inner
        self._counters = counters

    @property
    def promises(self) -> Promises:
        """Those of the store."""
        return self.inner.promises

    @asynccontextmanager
    async def open(
        self, key: str, *, start: int = 0, stop: int | None = None, newest: bool = False
    ) -> AsyncIterator[Opened]:
        """As the store's."""
        opening = self.inner.open(key, start=start, stop=stop, newest=newest)
        with self._timed("open"):
            opened = await opening.__aenter__()
        try:
            yield opened
        except BaseException as error:
            if not await opening.__aexit__(type(error), error, error.__traceback__):
                raise
        else:
            await opening.__aexit__(None, None, None)

    async def stat(self, key: str, *, newest: bool = False) -> ObjectStat:
        """As the store's."""
        with self._timed("stat"):
            return await self.inner.stat(key, newest=newest)

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
        durable: bool = True,
    ) -> ObjectStat:
        """As the store's."""
        with self._timed("put"):
            return await self.inner.put(
                key,
                body,
                content_type=content_type,
                metadata=metadata,
                md5=md5,
                expires_in=expires_in,
                create=create,
                durable=durable,
            )

    async def note_use(self, key: str, *, expires_in: float | None = None) -> None:
        """As the store's."""
        with self._timed("note_use"):
            await self.inner.note_use(key, expires_in=expires_in)

    async def delete(self, key: str) -> None:
        """As the store's."""
        with self._timed("delete"):
            await self.inner.delete(key)

    async def list(self, *, prefix: str = "", after: str = "") -> AsyncIterator[Entry]:
        """As the store's."""
        with self._timed("list"):
            async for entry in self.inner.list(prefix=prefix, after=after):
                yield entry

    async def path(self, key: str) -> Path | None:
        """As the store's; asked often and answered from a folder, it is not counted."""
        return await self.inner.path(key)

    async def signed_url(self, key: str, *, expires_in: float) -> str | None:
        """As the store's."""
        return await self.inner.signed_url(key, expires_in=expires_in)

    async def close(self) -> None:
        """As the store's."""
        await self.inner.close()

    @contextmanager
    def _timed(self, operation: str) -> Iterator[None]:
        begun = perf_counter()
        outcome = "ok"
        try:
            yield
        except ObjectMissing:
            outcome = "missing"
            raise
        except StoreError:
            outcome = "refused"
            raise
        except Fault as fault:
            outcome = fault.code
            raise
        except BaseException:
            outcome = "cancelled"
            raise
        finally:
            self._counters.store(operation, outcome, perf_counter() - begun)
