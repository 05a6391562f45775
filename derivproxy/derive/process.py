"""A deriving process as its owner sees it: started, asked, ended.

Why not a pool library. ``anyio.to_process`` and ``concurrent.futures`` unpickle what the process sends, run the
program's own main module in it, share its standard output with C code, and start a replacement only when the next job
waits for it. Measured per process: 37 ms of CPU to start and 20 MB here, 105-127 ms and 32 MB there; 0.06 ms a job
against 0.12. The pipes are asyncio's own streams: those of anyio on top of them cost a third more a call.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, cast

import anyio
from anyio import CancelScope

from derivproxy.derive.wire import (
    INLINE_BYTES,
    LENGTH_BYTES,
    MOST_HEAD_BYTES,
    Garbled,
    Reply,
    Settle,
    pack_job,
    read_head,
)

if TYPE_CHECKING:
    from typing import IO

    from derivproxy.derive.wire import Job
    from derivproxy.domain.limits import Limits

# The owner's import path, so that the process finds the same code however the owner was started.
_BOOT: Final = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from derivproxy.derive.worker import main; main()"
)
# Threads of libvips would each keep their own heap; its warnings have no reader.
# What else surrounds the owner, tokens and keys above all, is not for a process that decodes what strangers send.
_HANDED_ON: Final = (
    "PATH",
    "HOME",
    "TMPDIR",
    "LANG",
    "LC_",
    "LD_LIBRARY_PATH",
    "PYTHON",
    "COVERAGE_",
    "XDG_",
    "GLIBC_",
)
_SURROUNDINGS: Final = {"MALLOC_ARENA_MAX": "2", "VIPS_CONCURRENCY": "1", "VIPS_WARNING": "0"}
_START_SECONDS: Final = 30
_LAST_WORDS: Final = 2000


class Died(Exception):
    """The process is gone, or as good as gone; the text says how and what it said last."""


class DerivingProcess:
    """One process, for one job at a time. After a call that was cancelled or raised :class:`Died`, only end it."""

    def __init__(self, process: asyncio.subprocess.Process, complaints: IO[bytes]) -> None:
        self._process = process
        self._complaints = complaints
        self._requests = cast("asyncio.StreamWriter", process.stdin)
        self._replies = cast("asyncio.StreamReader", process.stdout)
        self.about: dict[str, Any] = {}
        """What the process said of its libvips."""

    @classmethod
    async def start(cls, limits: Limits) -> DerivingProcess:
        """A process that is ready for jobs. Raises :class:`Died`, also where the system starts no process."""
        try:
            complaints = tempfile.TemporaryFile()  # noqa: SIM115  closed with the process
        except OSError as error:
            raise Died(f"no deriving process could be started: {error}") from error
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-c",
                _BOOT,
                json.dumps(sys.path),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=complaints,
                env={**_handed_on(), **_SURROUNDINGS},
                start_new_session=True,
                limit=INLINE_BYTES,  # a reply is read without pausing the pipe
            )
        except OSError as error:
            complaints.close()
            raise Died(f"no deriving process could be started: {error}") from error
        started = cls(process, complaints)
        try:
            await started._settle(limits)
        except BaseException:
            await started.end()
            raise
        return started

    async def _settle(self, limits: Limits) -> None:
        with anyio.move_on_after(_START_SECONDS):
            self.about = (await self.call(Settle(limits=limits))).values
        if "libvips" not in self.about:
            raise Died(str(self.about.get("unexpected", f"it is not ready after {_START_SECONDS} s")))

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """False once it is known to have ended."""
        return self._process.returncode is None

    async def call(self, job: Job) -> Reply:
        """Do *job*. Raises :class:`Died` where no reply comes back."""
        try:
            self._requests.write(pack_job(job))
            await self._requests.drain()
            length = int.from_bytes(await self._replies.readexactly(LENGTH_BYTES), "little")
            values, body_bytes = read_head(await self._replies.readexactly(min(length, MOST_HEAD_BYTES)))
            return Reply(values, await self._replies.readexactly(body_bytes) if body_bytes else b"")
        except Garbled as error:
            raise Died(str(error)) from error
        except (OSError, EOFError, RuntimeError):  # uvloop says it of a pipe that is closed with RuntimeError
            raise Died(await self._obituary()) from None

    async def end(self) -> None:
        """Kill it, whatever it does, and wait until it is gone. Shielded, for nothing may be left behind."""
        with CancelScope(shield=True):
            with suppress(ProcessLookupError):
                self._process.kill()
            self._requests.close()
            await self._process.wait()
            self._complaints.close()

    async def _obituary(self) -> str:
        # Its pipe may end a moment before it does.
        with anyio.move_on_after(1):
            await self._process.wait()
        status = self._process.returncode
        if status is None:
            how = "closed its pipe"
        elif status < 0:
            how = f"was ended by {signal.Signals(-status).name}"
        else:
            how = f"ended with status {status}"
        size = self._complaints.seek(0, os.SEEK_END)
        self._complaints.seek(max(0, size - _LAST_WORDS))
        words = self._complaints.read().decode(errors="replace").strip()
        return f"a deriving process {how}" + (f", saying: {words}" if words else "")


def _handed_on() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name.startswith(_HANDED_ON)}
