"""SQLite's errors in the words of the house.

DatabaseUnusable          at opening: another program's file, a newer schema, no file, no permission
domain.DiskFull           no room for a write
domain.Overloaded         another process held the database too long
domain.Unavailable        anything else; the remedy is in the detail
"""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING

from derivproxy.domain.errors import DiskFull, Overloaded, Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_FULL = {sqlite3.SQLITE_FULL}
_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}


class DatabaseUnusable(Exception):
    """The file is not a database this program can work with."""


@contextmanager
def faults(path: Path) -> Iterator[None]:
    """Raise the house's fault for SQLite's error with the database at *path*."""
    try:
        yield
    except sqlite3.Error as error:
        raise fault(error, path) from error


def fault(error: sqlite3.Error, path: Path) -> Unavailable:
    """The house's fault for SQLite's *error* with the database at *path*."""
    # An extended code has the plain one in its low byte.
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in _FULL:
        return DiskFull(f"no room left for the database {path}; make room on that disk")
    if code in _BUSY:
        return Overloaded(f"the database {path} is held by another process")
    return Unavailable(
        f"the database {path} failed ({error}); if it stays so, stop the service and delete the folder it is in"
    )
