"""Derivatives in a store: what is believed of them, and how they are written and deleted.

What comes from a store is checked before it is believed. An object counts as a miss where its label (derivation
version, MD5, media type, in its metadata) is malformed, older than this code's version, or names another MD5 than the
object's; and where its bytes are not those of the label. Whatever misses is derived anew and replaced.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from derivproxy.delivery.streams import Checked, spooled
from derivproxy.domain.errors import StoreUnavailable
from derivproxy.hot_tier.files import LocalFile
from derivproxy.hot_tier.held import Held, Label
from derivproxy.hot_tier.threads import to_the_end
from derivproxy.stores.errors import ObjectMissing
from derivproxy.stores.purge import delete_derivatives

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from structlog.typing import FilteringBoundLogger

    from derivproxy.hot_tier.files import Digests
    from derivproxy.stores.interface import ObjectStat, Opened, Store

WHOLE_BYTES = 1024 * 1024
"""Up to here an object is read and checked whole before its first byte is given on."""

_IN_PLACE_BYTES = 256 * 1024
_DAMAGED = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """A large derivative on its way from the store, checked while it streams."""

    body: Checked
    size: int
    md5: str
    media_type: str
    version: int


class Kept:
    """The derivatives in *store*. *spool* is the folder for what must be whole before it is used."""

    def __init__(self, store: Store, *, version: int, digests: Digests, spool: Path, log: FilteringBoundLogger) -> None:
        self._store = store
        self._version = version
        self._digests = digests
        self._spool = spool
        self._log = log
        self._damaged: OrderedDict[tuple[str, str, float], None] = OrderedDict()

    @asynccontextmanager
    async def find(self, name: str) -> AsyncIterator[Held | Flow | None]:
        """The derivative, or ``None``; a file or a flow is good for as long as the context is open.

        Small or local ones are verified before they are given. Raises ``StoreUnavailable``.
        """
        async with AsyncExitStack() as stack:
            try:
                opened = await stack.enter_async_context(self._store.open(name))
            except ObjectMissing:
                yield None
                return
            label = self._label(opened.stat)
            if label is None:
                await stack.aclose()
                yield None
                return
            size = opened.stat.size
            if size > WHOLE_BYTES and not self._store.promises.local_files:
                yield self._flow(name, opened, label)
                return
            held = await self._verified(name, opened, label)
            try:
                # Whoever reads slowly keeps no connection of the store.
                await stack.aclose()
                yield held
            finally:
                if held is not None:
                    held.release()

    async def whole(self, name: str) -> Held | None:
        """The derivative, all of it verified, or ``None``. The caller releases it. Raises ``StoreUnavailable``."""
        try:
            async with self._store.open(name) as opened:
                label = self._label(opened.stat)
                return await self._verified(name, opened, label) if label is not None else None
        except ObjectMissing:
            return None

    async def keep(self, name: str, held: Held, *, expires_in: float | None = None) -> None:
        """Put *held* under *name* with its label, replacing what was there. Raises what ``Store.put`` does."""
        label = Label(version=held.version, md5=held.md5, media_type=held.media_type)
        await self._store.put(
            name,
            held.body if isinstance(held.body, bytes) else held.body.path,
            content_type=label.content_type,
            metadata=label.to_metadata(),
            md5=held.md5,
            expires_in=expires_in,
            # It can be made again, and is believed only where its bytes have its MD5: no waiting for the disk.
            durable=False,
        )

    async def note_use(self, name: str, *, expires_in: float | None = None) -> None:
        """The derivative was used: it is then the last to be evicted, and expires later."""
        await self._store.note_use(name, expires_in=expires_in)

    async def drop(self, ident: str) -> int:
        """Delete every derivative of *ident*, as one listing shows them; says how many. Never the base."""
        return await delete_derivatives(self._store, ident)

    def _label(self, stat: ObjectStat) -> Label | None:
        label = Label.from_metadata(stat.metadata)
        if label is None or label.md5 != stat.md5:
            self._log.warning("stored derivative is not labelled as its own, made anew", name=stat.key)
            return None
        if label.version < self._version or _object(stat) in self._damaged:
            return None
        return label

    def _distrust(self, stat: ObjectStat, found: str) -> None:
        """From here on this very object counts as a miss: it is made anew and replaced, not read in vain."""
        self._log.warning("stored derivative is damaged, made anew", name=stat.key, found=found)
        self._damaged[_object(stat)] = None
        if len(self._damaged) > _DAMAGED:
            self._damaged.popitem(last=False)

    def _flow(self, name: str, opened: Opened, label: Label) -> Flow:
        def wrong(what: str) -> StoreUnavailable:
            self._distrust(opened.stat, what)
            return StoreUnavailable(f"the store gave {what} for {name}; ask again")

        body = Checked(opened, size=opened.stat.size, algorithm="md5", digest=label.md5, wrong=wrong)
        return Flow(body=body, size=opened.stat.size, md5=label.md5, media_type=label.media_type, version=label.version)

    async def _verified(self, name: str, opened: Opened, label: Label) -> Held | None:
        size = opened.stat.size
        body: bytes | LocalFile
        if size <= WHOLE_BYTES:
            body = await _read(opened, size)
            found = await _md5(body)
        else:
            body = await self._file(name, opened)
            try:
                found = await self._digests.of(body, "md5")
            except BaseException:
                body.release()
                raise
            size = body.size
        held = Held(body=body, size=size, md5=label.md5, media_type=label.media_type, version=label.version)
        if found != label.md5:
            held.release()
            self._distrust(opened.stat, f"bytes with the md5 {found}, not {label.md5}")
            return None
        return held

    async def _file(self, name: str, opened: Opened) -> LocalFile:
        path = await self._store.path(name) if self._store.promises.local_files else None
        if path is not None:
            # Not in a thread, which would lose the file on cancel: a name just looked up opens in microseconds.
            try:
                return LocalFile.open(path)
            except FileNotFoundError:
                self._log.debug("stored file went away, read as it was opened", name=name)
        return await spooled(opened, self._spool)


def _object(stat: ObjectStat) -> tuple[str, str, float]:
    """What tells an object from the one that replaces it."""
    return (stat.key, stat.md5, stat.modified)


async def _read(opened: Opened, size: int) -> bytes:
    """The bytes of *opened*; what follows after *size* is not read, and then the digest is wrong."""
    chunks = []
    seen = 0
    async for chunk in opened:
        chunks.append(chunk)
        seen += len(chunk)
        if seen > size:
            break
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


async def _md5(body: bytes) -> str:
    if len(body) <= _IN_PLACE_BYTES:
        return hashlib.md5(body, usedforsecurity=False).hexdigest()
    return (await to_the_end(hashlib.md5, body, usedforsecurity=False)).hexdigest()
