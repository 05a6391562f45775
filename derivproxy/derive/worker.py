"""The inside of a deriving process: one job after the other, in a small and guarded room.

Theory of operation. A decoder may crash, hang or balloon on any image, so it runs here, where that costs one request.
An address-space limit stops a balloon, the owner's clock a hang, and a crash is seen as the end of the pipe. The kernel
ends this process with its owner, however that one ends. Nothing printed can reach the pipe that carries replies.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import gc
import hashlib
import logging
import os
import pickle
import resource
import select
import signal
import sys
from typing import TYPE_CHECKING, BinaryIO

import pyvips

from derivproxy.derive import libvips
from derivproxy.derive.examine import examine, undecodable
from derivproxy.derive.pipeline import make
from derivproxy.derive.source import open_source
from derivproxy.derive.wire import INLINE_BYTES, LENGTH_BYTES, Derive, Examine, Reply, Settle, pack_error, pack_reply
from derivproxy.domain.errors import DiskFull, TooManyPixels, Undecodable
from derivproxy.domain.limits import Limits

if TYPE_CHECKING:
    from pathlib import Path

    from derivproxy.derive.wire import Job

_PR_SET_PDEATHSIG = 1
_IDLE_SECONDS = 1.0
_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


def main() -> None:
    """Serve jobs from standard input until it ends; replies go to what was standard output."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # ^C at the terminal is for the owner to act on
    _die_with_owner()
    jobs, replies = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb", buffering=0)
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)  # a C library that prints would garble the replies
    logging.getLogger("pyvips").propagate = False  # nobody reads the warnings of libvips; examining listens in
    gc.freeze()
    serve(jobs, replies)


def serve(jobs: BinaryIO, replies: BinaryIO) -> None:
    """Answer every job that comes over *jobs*; the first must be :class:`Settle`."""
    limits = Limits()
    while len(length := _next(jobs)) == LENGTH_BYTES:
        job: Job = pickle.loads(jobs.read(int.from_bytes(length, "little")))  # noqa: S301  the owner's own words
        try:
            if isinstance(job, Settle):
                limits = job.limits
                reply = _settle(limits)
            else:
                reply = _do(job, limits)
        except Exception as error:  # noqa: BLE001  whatever it is, the owner must hear of it
            reply = Reply(pack_error(error))
        _write(replies, pack_reply(reply))


def _next(jobs: BinaryIO) -> bytes:
    # What a large picture took stays with the allocator, and the next one is a third faster for it (progressive
    # JPEG). Only a process that has nothing to do gives it back: 190 MB become 40.
    if not select.select([jobs], [], [], _IDLE_SECONDS)[0]:
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).malloc_trim(0)
    return jobs.read(LENGTH_BYTES)


def _die_with_owner() -> None:
    owner = os.getppid()
    with contextlib.suppress(OSError, AttributeError):  # not Linux: the end of the pipe has to do
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != owner:
        sys.exit(0)


def _settle(limits: Limits) -> Reply:
    libvips.require_libvips(libvips.libvips_version())
    libvips.settle()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _, most = resource.getrlimit(resource.RLIMIT_AS)
    space = limits.memory_bytes if most == resource.RLIM_INFINITY else min(limits.memory_bytes, most)
    resource.setrlimit(resource.RLIMIT_AS, (space, most))
    able = libvips.capabilities()
    return Reply({"libvips": libvips.libvips_version(), "reads": able.reads, "writes": able.writes})


def _do(job: Examine | Derive, limits: Limits) -> Reply:
    try:
        if isinstance(job, Examine):
            return _examine(job, limits)
        return _derive(job, limits)
    except MemoryError:
        raise TooManyPixels(
            f"working on it needs more than {limits.memory_bytes} bytes of memory (DERIVPROXY_MAX_MEMORY_BYTES)"
        ) from None


def _examine(job: Examine, limits: Limits) -> Reply:
    libvips.open_loader(open_source(job.path, limits).media_type)
    return Reply(dict(examine(job.path, limits, md5=job.md5).to_metadata()))


def _derive(job: Derive, limits: Limits) -> Reply:
    source = open_source(job.path, limits)
    if source.media_type != job.facts.media_type:
        raise Undecodable(
            f"the bytes are {source.media_type}, their facts say {job.facts.media_type}; examine them anew"
        )
    libvips.open_loader(source.media_type)
    try:
        encoded = make(source, job.facts, job.suffix, limits)
    except pyvips.Error as error:
        raise undecodable(source.media_type, error, limits) from None
    values = {
        "size": len(encoded.body),
        "md5": hashlib.md5(encoded.body, usedforsecurity=False).hexdigest(),
        "media_type": encoded.media_type,
        "width": encoded.width,
        "height": encoded.height,
        "pages": encoded.pages,
    }
    if len(encoded.body) <= INLINE_BYTES:
        return Reply(values, encoded.body)
    _leave(encoded.body, job.out)
    return Reply(values)


def _leave(body: bytes, out: Path) -> None:
    try:
        with out.open("xb", buffering=0) as file:
            _write(file, body)
    except OSError as error:  # the owner removes what is half written, as after a kill
        if error.errno in _NO_ROOM:
            raise DiskFull(f"no room for {len(body)} bytes in {str(out.parent)!r}; make room there") from None
        raise


def _write(file: BinaryIO, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[file.write(rest) :]


if __name__ == "__main__":
    main()
