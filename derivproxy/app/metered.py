"""A store whose operations are timed and counted."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING, Protocol

from derivproxy.domain.errors import Fault
from derivproxy.stores import ObjectMissing, StoreError

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, AsyncIterator, Mapping
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path
    from types import TracebackType

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

    def open(
        self, key: str, *, start: int = 0, stop: int | None = None, newest: bool = False
    ) -> AbstractAsyncContextManager[Opened]:
        """As the store's."""
        return _Opening(self.inner.open(key, start=start, stop=stop, newest=newest), self._timed("open"))

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

    def _timed(self, operation: str) -> _Timed:
        return _Timed(operation, self._counters)


class _Timed:
    """Counts what is done inside. Classes, as generators cost a cold request three times as much."""

    __slots__ = ("_begun", "_counters", "_operation")

    def __init__(self, operation: str, counters: Counters) -> None:
        self._operation = operation
        self._counters = counters

    def __enter__(self) -> None:
        self._begun = perf_counter()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        match error:
            case None:
                outcome = "ok"
            case ObjectMissing():
                outcome = "missing"
            case StoreError():
                outcome = "refused"
            case Fault(code=code):
                outcome = code
            case _:
                outcome = "cancelled"
        self._counters.store(self._operation, outcome, perf_counter() - self._begun)


class _Opening:
    """An object being opened, counted until it is."""

    __slots__ = ("_inner", "_timed")

    def __init__(self, inner: AbstractAsyncContextManager[Opened], timed: _Timed) -> None:
        self._inner = inner
        self._timed = timed

    async def __aenter__(self) -> Opened:
        with self._timed:
            return await self._inner.__aenter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        return await self._inner.__aexit__(kind, error, trace)
