"""What an ident is, asked before every answer: synchronous, a few microseconds.

One lookup by key on a connection of its own; what it found is remembered for as long as SQLite's ``data_version``
says that no other connection, of whatever process, has committed. So no answer is from before a commit that somebody
was told of.
"""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

from derivproxy.domain.images import Visibility
from derivproxy.domain.status import State, Status
from derivproxy.metadata.errors import fault
from derivproxy.metadata.schema import connect

if TYPE_CHECKING:
    from pathlib import Path

_VERSION = "PRAGMA data_version"
_LAST_ROW = "SELECT removed IS NOT NULL, visibility FROM images WHERE ident = ? ORDER BY revision DESC LIMIT 1"
_REMEMBERED = 4_096

_LIVE = Status(State.LIVE)
_PRIVATE = Status(State.PRIVATE)
_REMOVED = Status(State.REMOVED)
_UNKNOWN = Status(State.UNKNOWN)


class Statuses:
    """Looks idents up in the database at *path*; remembers *remembered* of them. Not for several threads at once."""

    def __init__(self, path: Path, *, remembered: int = _REMEMBERED) -> None:
        self._path = path
        self._connection = connect(path, write=False)
        self._ask = self._connection.cursor().execute
        self._bound = remembered
        self._version: int | None = None
        self._known: dict[str, Status] = {}

    def __call__(self, ident: str) -> Status:
        """The status of *ident* at this instant."""
        try:
            (version,) = self._ask(_VERSION).fetchone()
            if version != self._version:
                self._known.clear()
                self._version = version
            elif (status := self._known.get(ident)) is not None:
                return status
            row = self._ask(_LAST_ROW, (ident,)).fetchone()
        except sqlite3.Error as error:
            raise fault(error, self._path) from error
        status = _status(row)
        if len(self._known) >= self._bound:
            del self._known[next(iter(self._known))]
        self._known[ident] = status
        return status

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()


def _status(row: tuple[int, str] | None) -> Status:
    if row is None:
        return _UNKNOWN
    removed, visibility = row
    if removed:
        return _REMOVED
    return _PRIVATE if visibility == Visibility.PRIVATE else _LIVE
