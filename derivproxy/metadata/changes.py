"""The statements that change images, each inside a transaction that its caller holds."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from derivproxy.domain.errors import Removed, UnknownImage
from derivproxy.metadata.rows import COLUMNS, SELECT, facts_values, image, labels

if TYPE_CHECKING:
    import aiosqlite

    from derivproxy.domain.images import Image

_NEXT_REVISION = "UPDATE collection SET revision = revision + 1 RETURNING revision"
_LAST_ROW = "SELECT number, removed IS NOT NULL, revision FROM images WHERE ident = ? ORDER BY revision DESC LIMIT 1"
_READ = f"SELECT {SELECT} FROM images WHERE number = ?"  # noqa: S608 - our own words
_INSERT = (
    f"INSERT INTO images (revision, {', '.join(COLUMNS)})"  # noqa: S608 - our own words
    f" VALUES (?{', ?' * len(COLUMNS)}) RETURNING number"
)
_CHANGE = (
    f"UPDATE images SET ({', '.join(COLUMNS[1:])}) = (?{', ?' * (len(COLUMNS) - 2)})"  # noqa: S608 - our own words
    " WHERE number = ?"
)
_REMOVE = "UPDATE images SET removed = ? WHERE number = ?"
_UNLABEL = "DELETE FROM labels WHERE number = ?"
_LABEL = "INSERT INTO labels (kind, word, position, revision, ident, number) VALUES (?, ?, ?, ?, ?, ?)"


async def add(db: aiosqlite.Connection, new: Image) -> tuple[Image, bool]:
    """Put *new* in, or merge it into the row that is live: what it says replaces, what it leaves empty stays."""
    last = await _one(db, _LAST_ROW, new.ident)
    if last is None or last[1]:
        return await _insert(db, new), True
    number, _, revision = last
    row = await _one(db, _READ, number)
    if row is None:
        raise RuntimeError(f"row {number} vanished inside a transaction")
    old = image(row)
    merged = replace(
        old,
        title=new.title or old.title,
        path=new.path or old.path,
        tags=tuple(dict.fromkeys(new.tags)) or old.tags,
        # The same bytes, read by an examiner that may know more.
        facts=new.facts if new.facts.version >= old.facts.version else old.facts,
    )
    if merged == old:
        return old, False
    merged = replace(merged, revision=await _next_revision(db))
    await db.execute(_CHANGE, (*_values(merged)[1:], number))
    await db.execute(_UNLABEL, (number,))
    await _label(db, merged, revision, number)
    return merged, False


async def adopt(db: aiosqlite.Connection, found: Image) -> Image:
    """Put *found* in only where its ident was never here; a live row is left as it is. Raises ``Removed``."""
    last = await _one(db, _LAST_ROW, found.ident)
    if last is None:
        return await _insert(db, found)
    if last[1]:
        raise _removed(found.ident)
    row = await _one(db, _READ, last[0])
    if row is None:
        raise RuntimeError(f"row {last[0]} vanished inside a transaction")
    return image(row)


async def remove(db: aiosqlite.Connection, ident: str) -> int:
    """Turn the live row into a tombstone; the revision that did it. Raises ``UnknownImage``, ``Removed``."""
    last = await _one(db, _LAST_ROW, ident)
    if last is None:
        raise UnknownImage(f"no image {ident}; its names were never here")
    if last[1]:
        raise _removed(ident)
    revision = await _next_revision(db)
    await db.execute(_REMOVE, (revision, last[0]))
    return revision


def _removed(ident: str) -> Removed:
    return Removed(f"the image {ident} was removed; put its bytes in again to have it back")


def _values(new: Image) -> list[object]:
    """The values of ``COLUMNS``."""
    return [new.ident, new.revision, new.added, new.title, new.path, new.visibility.value, *facts_values(new.facts)]


async def _insert(db: aiosqlite.Connection, new: Image) -> Image:
    revision = await _next_revision(db)
    kept = replace(new, revision=revision, tags=tuple(dict.fromkeys(new.tags)))
    row = await _one(db, _INSERT, revision, *_values(kept))
    if row is None:
        raise RuntimeError("an insertion said nothing")
    await _label(db, kept, revision, row[0])
    return kept


async def _label(db: aiosqlite.Connection, labelled: Image, revision: int, number: int) -> None:
    rows = [
        (kind, word, position, revision, labelled.ident, number)
        for kind, word, position in labels(labelled.tags, labelled.path)
    ]
    if rows:
        await db.executemany(_LABEL, rows)


async def _next_revision(db: aiosqlite.Connection) -> int:
    row = await _one(db, _NEXT_REVISION)
    if row is None:
        raise RuntimeError("the database has lost its revision")
    return int(row[0])


async def _one(db: aiosqlite.Connection, sql: str, *values: object) -> tuple[int, ...] | None:
    """The first row. All rows are fetched, so that no statement stays open over the commit."""
    rows = list(await db.execute_fetchall(sql, values))
    return tuple(rows[0]) if rows else None
