"""Opening the database file: whose it is, how old its schema is, and what brings it up to date."""

from __future__ import annotations

import re
import sqlite3
from importlib import resources
from typing import TYPE_CHECKING

from derivproxy.metadata.errors import DatabaseUnusable

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

APPLICATION_ID = 0x64727078
"""``drpx``: what tells our files from those of other programs."""

BUSY_SECONDS = 5.0


def connect(path: Path, *, write: bool) -> sqlite3.Connection:
    """A connection in autocommit mode. One that does not *write* sees each commit of others at its next statement."""
    mode = "rwc" if write else "ro"
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}",
        uri=True,
        isolation_level=None,
        timeout=BUSY_SECONDS,
        # Each is used by one thread at a time; which thread that is, is not SQLite's affair.
        check_same_thread=False,
    )
    try:
        if write:
            # The row is the only copy of a title until there is a ledger: a commit is on the disk when it returns.
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA foreign_keys = ON")
        else:
            connection.execute("PRAGMA query_only = ON")
    except BaseException:
        connection.close()
        raise
    return connection


def migrations() -> tuple[str, ...]:
    """The scripts in their order; the n-th (from 1) leads to ``user_version`` n."""
    folder = resources.files("derivproxy.metadata") / "migrations"
    scripts = sorted(
        (entry.name, entry.read_text(encoding="utf-8")) for entry in folder.iterdir() if entry.name.endswith(".sql")
    )
    numbers = [int(re.match(r"[0-9]{4}(?=_)", name)[0]) for name, _ in scripts]  # type: ignore[index]
    if numbers != list(range(1, len(scripts) + 1)):
        raise RuntimeError(f"the migrations are numbered {numbers}")
    return tuple(script for _, script in scripts)


def prepare(path: Path, scripts: Iterable[str]) -> None:
    """Make the database at *path*, or bring an older one up to date. Raises ``DatabaseUnusable``."""
    scripts = tuple(scripts)
    try:
        connection = connect(path, write=True)
    except sqlite3.Error as error:
        raise _unusable(path, str(error)) from error
    try:
        version = _version(connection, path, newest=len(scripts))
        connection.execute("PRAGMA journal_mode = WAL")
        for number, script in enumerate(scripts[version:], start=version + 1):
            # The header's numbers are part of the transaction: a kill leaves the schema before or after, never between.
            connection.executescript(
                f"BEGIN IMMEDIATE;\n{script}\nPRAGMA application_id = {APPLICATION_ID};\n"
                f"PRAGMA user_version = {number};\nCOMMIT;"
            )
    except sqlite3.Error as error:
        raise _unusable(path, str(error)) from error
    finally:
        connection.close()


def check(path: Path, newest: int) -> None:
    """See that the database at *path* is ours and of the *newest* schema. Raises ``DatabaseUnusable``."""
    if not path.is_file():
        raise _unusable(path, "there is no such file", "start the service with this DATA folder first")
    try:
        connection = connect(path, write=False)
    except sqlite3.Error as error:
        raise _unusable(path, str(error)) from error
    try:
        version = _version(connection, path, newest=newest)
    except sqlite3.Error as error:
        raise _unusable(path, str(error)) from error
    finally:
        connection.close()
    if version < newest:
        raise _unusable(
            path, f"its schema is {version}, this program's {newest}", "start the service, which migrates it"
        )


def _version(connection: sqlite3.Connection, path: Path, *, newest: int) -> int:
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    if application == 0 and version == 0 and tables == 0:
        return 0
    if application != APPLICATION_ID:
        raise _unusable(path, "it belongs to another program", "name another DATA folder, or move the file away")
    if version > newest:
        raise _unusable(
            path,
            f"its schema is {version}, newer than this program's {newest}",
            "install the newer derivproxy that wrote it, or name another DATA folder",
        )
    return int(version)


def _unusable(
    path: Path, reason: str, remedy: str = "check the file and its permissions, or move it away"
) -> DatabaseUnusable:
    return DatabaseUnusable(f"database {path}: {reason}; {remedy}")
