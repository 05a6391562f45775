"""DATA: the one folder a node writes to. ``DATA/local`` is always safe to delete while nothing runs.

DATA/token                the write token made at the first start on loopback (0600)
DATA/store                the default store; the only copy there is
DATA/local/lock           held by the engine: one engine a machine and DATA
DATA/local/engine.sock    where HTTP workers reach the engine (0600)
DATA/local/metadata.sqlite
DATA/local/reached        there once the store has answered; deleted at start
DATA/local/spool          uploads and large results under way; emptied at start
DATA/local/bases          verified copies of bases
DATA/local/hot            the disk tier
DATA/local/metrics        the counts of several workers; emptied at start
"""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class DataInUse(RuntimeError):
    """Another engine holds this DATA folder."""


class DataUnusable(RuntimeError):
    """DATA cannot be made or written to."""


@dataclass(frozen=True, slots=True)
class DataFolder:
    """The places in DATA. ``prepare()`` makes them; the engine alone calls it, under its lock."""

    root: Path

    @property
    def local(self) -> Path:
        """What is safe to lose."""
        return self.root / "local"

    @property
    def socket(self) -> Path:
        """Where the engine listens."""
        return self.local / "engine.sock"

    @property
    def database(self) -> Path:
        """The metadata."""
        return self.local / "metadata.sqlite"

    @property
    def reached(self) -> Path:
        """There once the store has answered in this life."""
        return self.local / "reached"

    @property
    def spool(self) -> Path:
        """What is under way."""
        return self.local / "spool"

    @property
    def bases(self) -> Path:
        """Copies of bases."""
        return self.local / "bases"

    @property
    def disk_tier(self) -> Path:
        """The disk tier."""
        return self.local / "hot"

    @property
    def metrics(self) -> Path:
        """Counts of several workers."""
        return self.local / "metrics"

    @property
    def token_file(self) -> Path:
        """The token that was made."""
        return self.root / "token"

    def prepare(self) -> None:
        """Make the folders; what a former life left under way is gone afterwards. Raises ``DataUnusable``."""
        try:
            for folder in (self.spool, self.metrics):
                shutil.rmtree(folder, ignore_errors=True)
            for folder in (self.root, self.local, self.spool, self.metrics, self.bases):
                folder.mkdir(parents=True, exist_ok=True)
            self.reached.unlink(missing_ok=True)
            self.local.chmod(0o700)
        except OSError as error:
            raise DataUnusable(
                f"DERIVPROXY_DATA={str(self.root)!r} cannot be used: {error.strerror or error} ({error.filename}); "
                "name a folder this user may write to"
            ) from None

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold DATA for one engine. Raises ``DataInUse`` naming the process that has it."""
        try:
            self.local.mkdir(parents=True, exist_ok=True)
            handle = os.open(self.local / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise DataUnusable(
                f"DERIVPROXY_DATA={str(self.root)!r} cannot be used: {error.strerror or error}; "
                "name a folder this user may write to"
            ) from None
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                holder = os.pread(handle, 32, 0).decode("ascii", "replace").strip() or "unknown"
                raise DataInUse(
                    f"DERIVPROXY_DATA={str(self.root)!r} is in use by process {holder}; "
                    "stop it, or give this server a DATA folder of its own (--data DIR)"
                ) from None
            os.truncate(handle, 0)
            os.pwrite(handle, str(os.getpid()).encode(), 0)
            yield
        finally:
            os.close(handle)

    def made_token(self) -> str:
        """The token kept in DATA, made on first use: readable by its owner only, whole or not there."""
        try:
            return self.token_file.read_text(encoding="ascii").strip()
        except FileNotFoundError:
            pass
        token = secrets.token_urlsafe(32)
        fresh = self.token_file.with_name(f".token.{os.getpid()}")
        handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(handle, "w", encoding="ascii") as out:
            out.write(token + "\n")
            out.flush()
            os.fsync(out.fileno())
        fresh.rename(self.token_file)
        return token
