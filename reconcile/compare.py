"""Two listings in key order, merged: what is on one side only. No I/O of its own, no clock, constant memory.

Both are in the order of their bytes, and all names of an image begin with its ident, so that its base comes before its
derivatives and rungs. One look at each side's next item decides.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from grammar import BadName, Base, parse_key
from reconcile.drift import Drift, Kind, Seen

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, AsyncIterator

    from derivproxy.stores import Entry
    from grammar import Key


class UnorderedListing(ValueError):
    """A listing that is not in order cannot be merged; what it seems to lack may be there."""


async def compare(
    entries: AsyncIterable[Entry], idents: AsyncIterable[str], seen: Seen, *, now: float, grace_seconds: float
) -> AsyncIterator[Drift]:
    """The drift between the store's *entries* and the live *idents* of the database, in key order; counts into *seen*.

    Names that are not ours are left alone, and objects that are not yet *grace_seconds* old at *now* (Unix seconds):
    their row may be on its way. A derivative of an orphan is not stray. Raises ``UnorderedListing``.
    """
    rows = _Rows(idents, seen)
    with_base = ""
    async for key, entry in _ours(entries, seen):
        async for ident in rows.before(key.ident):
            yield _missing(ident)
        has_row = await rows.take(key.ident)
        if isinstance(key, Base):
            seen.bases += 1
            with_base = key.ident
            in_step, kind = has_row, Kind.ORPHAN
        else:
            seen.derivatives += 1
            if has_row:
                # The base would have come first.
                yield _missing(key.ident)
            in_step, kind = key.ident == with_base, Kind.STRAY
        if in_step:
            continue
        if now - entry.modified < grace_seconds:
            seen.young += 1
        else:
            yield Drift(kind=kind, key=entry.key, ident=key.ident, bytes=entry.size)
    async for ident in rows.before(None):
        yield _missing(ident)


def _missing(ident: str) -> Drift:
    return Drift(kind=Kind.MISSING, key=ident, ident=ident)


async def _ours(entries: AsyncIterable[Entry], seen: Seen) -> AsyncIterator[tuple[Key, Entry]]:
    """The entries whose names are ours, with what they say."""
    last = ""
    async for entry in entries:
        if entry.key <= last:
            raise UnorderedListing(f"the store's listing names {entry.key!r} after {last!r}")
        last = entry.key
        try:
            key = parse_key(entry.key)
        except BadName:
            seen.foreign += 1
        else:
            yield key, entry


class _Rows:
    """The database's side, with a look at the next ident."""

    def __init__(self, idents: AsyncIterable[str], seen: Seen) -> None:
        self._idents = aiter(idents)
        self._seen = seen
        self._last = ""
        self._next: str | None = None

    async def before(self, ident: str | None) -> AsyncIterator[str]:
        """Take and give what comes before *ident*, or all that is left."""
        while (following := await self._look()) is not None and (ident is None or following < ident):
            self._next = None
            yield following

    async def take(self, ident: str) -> bool:
        """Take *ident* if it is next; says whether it was."""
        if await self._look() != ident:
            return False
        self._next = None
        return True

    async def _look(self) -> str | None:
        if self._next is None and (ident := await anext(self._idents, None)) is not None:
            if ident <= self._last:
                raise UnorderedListing(f"the database lists {ident} after {self._last}")
            self._last = self._next = ident
            self._seen.rows += 1
        return self._next
