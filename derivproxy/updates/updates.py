"""The write path for single images: each is its own small commit.

    add       examine in a deriving process → put the base, durable → the row: only now it is there
    remove    the row becomes a tombstone: at once nothing is served → forget the derivatives and the base
    recover   an ident without a row, whose base is in the store: the row is made again from the object's metadata

A kill between any two steps leaves what nobody sees: a base without a row after *add*, objects without a live row after
*remove*. Reconcile finds both.
"""

from __future__ import annotations

from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import anyio

from derivproxy.domain.errors import Overloaded, Removed, Unavailable, UnknownImage
from derivproxy.domain.images import FACTS_VERSION, Facts, Image
from derivproxy.domain.status import State
from derivproxy.stores.errors import ObjectMissing, WrongDigest
from derivproxy.updates.said import Said
from derivproxy.updates.turns import Turns

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Sequence
    from pathlib import Path

    from derivproxy.metadata import Metadata
    from derivproxy.stores.interface import ObjectStat, Store
    from derivproxy.updates.absences import Absences
    from derivproxy.updates.spool import Spooled

_AT_ONCE = 64


class Examiner(Protocol):
    """The deriving processes, asked what an image is."""

    async def examine(self, path: Path, *, md5: str) -> Facts:
        """The facts of a full decode. Raises a ``Refused`` for what is no image to work with."""
        ...


@dataclass(frozen=True, slots=True)
class Added:
    """An image that is in, and whether it was not before."""

    image: Image
    created: bool


class Updates:
    """Adds and removes images, one ident at a time, *at_once* uploads together; the next is ``Overloaded``.

    *trust* is told where a base lies that was just hashed; *purge* forgets the derivatives of an ident in every tier;
    *clock* is Unix time in seconds.
    """

    def __init__(
        self,
        *,
        store: Store,
        metadata: Metadata,
        examiner: Examiner,
        purge: Callable[[str], Awaitable[int]],
        trust: Callable[[str, Path], None],
        absences: Absences,
        clock: Callable[[], float],
        at_once: int = _AT_ONCE,
    ) -> None:
        self._store = store
        self._metadata = metadata
        self._examiner = examiner
        self._purge = purge
        self._trust = trust
        self._absences = absences
        self._clock = clock
        self._places = at_once
        self._taken = 0
        self._turns = Turns()

    async def add(self, spooled: Spooled, *, title: str = "", tags: Sequence[str] = (), path: str = "") -> Added:
        """Put an upload in; durable and visible when it returns.

        The same bytes again are no new image: what is said replaces what was said, and the base is put once more,
        which mends one that was lost. Raises ``BadRequest`` for what is said wrong, the examiner's ``Refused``,
        ``Overloaded``, ``StoreUnavailable``, ``DiskFull``; then nothing is visible.
        """
        said = Said.check(title=title, tags=tags, path=path)
        with self._place():
            async with self._turns.of(spooled.ident):
                facts = await self._facts(spooled)
                await self._put(spooled, facts)
                image, created = await self._metadata.add(
                    Image(
                        ident=spooled.ident,
                        facts=facts,
                        title=said.title,
                        tags=said.tags,
                        path=said.path,
                        added=self._clock(),
                    )
                )
                self._absences.forget(spooled.ident)
        return Added(image, created)

    async def remove(self, ident: str) -> int:
        """Take an image away: none of its names is served any more. The revision that did it.

        Raises ``UnknownImage``; ``Removed`` where it was gone before, after what might be left of it was forgotten once
        more; ``StoreUnavailable`` where that failed: the image is gone all the same.
        """
        async with self._turns.of(ident):
            # Perhaps nobody waits for it any more, but what is half forgotten would stay until reconcile.
            with anyio.CancelScope(shield=True):
                try:
                    revision = await self._metadata.remove(ident)
                except Removed:
                    await self._forget(ident)
                    raise
                await self._forget(ident)
        return revision

    async def purge(self, ident: str) -> int:
        """Forget every derivative of an image in every tier; says how many objects. Raises ``UnknownImage``."""
        if self._metadata.status(ident).state is State.UNKNOWN:
            raise _unknown(ident)
        return await self._purge(ident)

    async def recover(self, ident: str) -> Image:
        """The image *ident*, whose row may have been lost with the local disk while its base is in the store.

        Asks the store where the ident is unknown, was not absent a moment ago, and the allowance lasts. Raises
        ``UnknownImage``, ``Removed`` (a tombstone stays one), ``StoreUnavailable``.
        """
        if ident in self._absences:
            raise _unknown(ident)
        async with self._turns.of(ident):
            if self._metadata.status(ident).state is not State.UNKNOWN:
                return await self._metadata.image(ident)
            if ident in self._absences or not self._absences.allow():
                raise _unknown(ident)
            try:
                stat = await self._store.stat(ident)
                facts = _facts_of(stat)
            except (ObjectMissing, ValueError):
                self._absences.note(ident)
                raise _unknown(ident) from None
            return await self._metadata.adopt(Image(ident=ident, facts=facts, added=stat.modified))

    @contextmanager
    def _place(self) -> Iterator[None]:
        if self._taken >= self._places:
            raise Overloaded(f"{self._taken} uploads are being examined already; try again in a moment")
        self._taken += 1
        try:
            yield
        finally:
            self._taken -= 1

    async def _facts(self, spooled: Spooled) -> Facts:
        """What is known of these very bytes, or what a decode finds."""
        if self._metadata.status(spooled.ident).state in (State.LIVE, State.PRIVATE):
            with suppress(UnknownImage):
                known = (await self._metadata.image(spooled.ident)).facts
                if known.version >= FACTS_VERSION and known.md5 == spooled.md5:
                    return known
        return await self._examiner.examine(spooled.path, md5=spooled.md5)

    async def _put(self, spooled: Spooled, facts: Facts) -> None:
        try:
            await self._store.put(
                spooled.ident,
                spooled.path,
                content_type=facts.media_type,
                metadata=facts.to_metadata(),
                md5=spooled.md5,
            )
        except WrongDigest:
            raise Unavailable(
                f"the upload {spooled.ident} changed between this node's disk and the store; send it again, "
                "and look at that disk if it stays so"
            ) from None
        local = await self._store.path(spooled.ident)
        if local is not None:
            # Only a file that vanished again cannot be trusted; then it will be hashed once more.
            with suppress(OSError):
                self._trust(spooled.ident, local)

    async def _forget(self, ident: str) -> None:
        await self._purge(ident)
        await self._store.delete(ident)


def _unknown(ident: str) -> UnknownImage:
    return UnknownImage(f"no image {ident}; put it in first")


def _facts_of(stat: ObjectStat) -> Facts:
    """The facts an object carries. Raises ``ValueError`` where they are not of this very object."""
    facts = Facts.from_metadata(stat.metadata)
    if (facts.md5, facts.bytes) != (stat.md5, stat.size):
        raise ValueError("the facts are of other bytes")
    return facts
