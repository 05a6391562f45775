"""What the operating system says, as a fault that names the place and the remedy."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

from derivproxy.domain.errors import DiskFull, StoreUnavailable
from derivproxy.stores.errors import BadKey

if TYPE_CHECKING:
    from types import TracebackType

# EFBIG is a full disk of another kind: the file system's or the process's limit for one file.
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}

NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EMLINK, errno.ENOSYS}
"""How a file system says that it has no hard links."""

_REMEDIES = {
    errno.EROFS: "it is mounted read-only: mount it for writing",
    errno.EIO: "the disk fails to read or write: look at the kernel's log",
    errno.ESTALE: "the network file system lost it: mount it again",
    errno.EXDEV: "a container must lie on one file system: mount the volume at its root",
    errno.EMFILE: "too many open files: raise the limit (ulimit -n)",
    errno.ENFILE: "too many open files on this machine",
    errno.ENOLCK: "the file system has no locks left: a store needs one with flock",
    errno.ENOTSUP: "the file system lacks something a store needs: use one with flock and rename",
}


def translate(error: OSError, doing: str) -> Exception:
    """The fault that *error* means while *doing* something, such as ``"put 'log/1' in /srv/images"``."""
    path = f": {error.filename}" if error.filename else ""
    reason = error.strerror or str(error)
    if error.errno in _FULL:
        return DiskFull(f"{doing}: {reason}{path}; free some space, raise the quota or evict derivatives")
    if error.errno in (errno.EACCES, errno.EPERM):
        remedy = f"let user {os.geteuid()} (group {os.getegid()}) read and write there"
        return StoreUnavailable(f"{doing}: {reason}{path}; {remedy}")
    if error.errno == errno.ENAMETOOLONG:
        return BadKey(f"{doing}: this file system has no names so long{path}")
    remedy = _REMEDIES.get(error.errno or 0, "look at the volume")
    return StoreUnavailable(f"{doing}: {reason}{path}; {remedy}")


class faults:  # noqa: N801 - used like the function it would be; a generator costs ten times as much
    """Turn an ``OSError`` raised inside into the fault it means."""

    __slots__ = ("_doing",)

    def __init__(self, doing: str) -> None:
        self._doing = doing

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if isinstance(error, OSError):
            raise translate(error, self._doing) from error
