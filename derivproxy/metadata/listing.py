"""The statements behind a page of the listing, newest first.

A walk shows the membership of the revision it began at: its cursor carries that revision, and rows know those that
added and removed them. Each page is one step into an index, however far the walk has come.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from derivproxy.metadata.rows import SELECT

if TYPE_CHECKING:
    from derivproxy.domain.images import Image
    from derivproxy.metadata.cursors import Cursor

_MEMBER = "(images.removed IS NULL OR images.removed > :walk)"
_PUBLIC = "images.visibility = 'public'"
_IN_FOLDER = (
    "EXISTS (SELECT 1 FROM labels AS folders WHERE folders.kind = 'path' AND folders.word = :path"
    " AND folders.revision = labels.revision AND folders.ident = labels.ident)"
)


@dataclass(frozen=True, slots=True)
class Page:
    """Some images, and the cursor (as ``after``) of those that follow, or ``None`` at the end."""

    images: tuple[Image, ...]
    next: str | None


def page_statement(
    *, tag: str | None, path: str | None, walk: int, after: Cursor | None, limit: int, private: bool
) -> tuple[str, dict[str, Any]]:
    """SQL and its values: the rows of one page, each begun by the revision that added it."""
    found = "images" if tag is None and path is None else "labels"
    where = [f"{found}.revision <= :walk", _MEMBER]
    values: dict[str, Any] = {"walk": walk, "limit": limit}
    if not private:
        where.append(_PUBLIC)
    if after is not None:
        where.append(f"({found}.revision, {found}.ident) < (:revision, :ident)")
        values |= {"revision": after.revision, "ident": after.ident}
    if found == "images":
        source = "images"
    else:
        # CROSS JOIN keeps the order: walk the index that is in the listing's order, then look each row up.
        source = "labels CROSS JOIN images ON images.number = labels.number"
        where.append("labels.kind = :kind AND labels.word = :word")
        values |= {"kind": "path", "word": path} if tag is None else {"kind": "tag", "word": tag}
        if tag is not None and path is not None:
            where.append(_IN_FOLDER)
            values["path"] = path
    sql = (
        f"SELECT {found}.revision, {SELECT} FROM {source}"  # noqa: S608 - our own words
        f" WHERE {' AND '.join(where)} ORDER BY {found}.revision DESC, {found}.ident DESC LIMIT :limit"
    )
    return sql, values
