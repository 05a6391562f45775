"""The deriving processes of a machine: a crash, a hang or a balloon in one costs one request and no more.

Theory of operation. A job waits for one of *n* slots, in order. A task of the pool's own group then runs it on the
slot's process, so that the asker may leave at any moment: a left job gets a short grace to end, for killing a process
costs more than most jobs do, and then the process is killed and replaced. The slot is held until all that is over, so
there are never more than *n* jobs running, whoever still waits for them.
"""

from __future__ import annotations

import asyncio
import tempfile
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

import anyio
import structlog
from anyio import CancelScope

from derivproxy.derive.process import DerivingProcess, Died
from derivproxy.derive.results import Derived
from derivproxy.derive.wire import Derive, Examine, Reply, unpack_error
from derivproxy.domain.errors import DerivationFailed, TooSlow, Unavailable, Undecodable
from derivproxy.domain.images import Facts

if TYPE_CHECKING:
    from derivproxy.domain.limits import Limits
    from grammar.names import Suffix

_GRACE_SECONDS: Final = 0.5
_ATTEMPTS: Final = 2


@dataclass(slots=True)
class Counts:
    """What became of processes so far: *died* by themselves (or by the system), *killed* by the pool."""

    started: int = 0
    died: int = 0
    killed: int = 0


@dataclass(slots=True)
class _Slot:
    process: DerivingProcess | None = None


@dataclass(slots=True)
class _Run:
    """A job under way. *left* once nobody waits for it any more."""

    job: Examine | Derive
    clock: asyncio.Timeout | None = None
    done: asyncio.Event = field(default_factory=asyncio.Event)
    reply: Reply | None = None
    error: Exception | None = None
    left: bool = False


class Deriver:
    """Examines and derives in *processes* processes within *limits*; large results are left as files in *spool*.

    Use it between :meth:`start` and :meth:`close`, from one event loop.
    """

    def __init__(self, *, processes: int, limits: Limits, spool: Path, grace_seconds: float = _GRACE_SECONDS) -> None:
        self._limits = limits
        self._spool = spool
        self._grace_seconds = grace_seconds
        self._slots = [_Slot() for _ in range(processes)]
        self._free = list(self._slots)
        self._turns = anyio.Semaphore(processes, fast_acquire=True)
        self._numbers = count(1)
        self._closing = asyncio.Event()
        self._owner: asyncio.Task[None] | None = None
        self._group: asyncio.TaskGroup | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._folder: Path | None = None
        self.counts = Counts()
        self.about: dict[str, Any] = {}
        """After :meth:`start`: ``libvips`` (its version), ``reads`` and ``writes`` (format words)."""

    async def start(self) -> None:
        """Start all processes. Raises ``RuntimeError`` with the remedy where they cannot, an old libvips above all."""
        self._spool.mkdir(parents=True, exist_ok=True)
        # A folder of its own: a result that nobody took over is told from one of an earlier life.
        self._folder = Path(tempfile.mkdtemp(prefix="derived-", dir=self._spool))
        started = asyncio.Event()
        # A task group must be entered and left by one task, and start() and close() may be called by two.
        self._owner = asyncio.create_task(self._own(started), name="deriving processes")
        try:
            await started.wait()
        except BaseException:
            await self.close()
            raise
        if not all(slot.process for slot in self._slots):
            await self.close()
            raise RuntimeError(f"no deriving process starts: {self.about.get('failure')}")

    async def __aenter__(self) -> Self:
        """Started."""
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Closed."""
        await self.close()

    async def close(self) -> None:
        """End all processes and whatever they do; who still waits gets ``Unavailable``. Twice is no error."""
        self._closing.set()
        owner, self._owner = self._owner, None
        if owner is None:
            return
        with CancelScope(shield=True):  # a caller that leaves must not leave processes behind
            await asyncio.wait({owner})
        if self._folder is not None:
            with suppress(OSError):  # results that somebody still owns stay
                self._folder.rmdir()
        owner.result()

    async def examine(self, path: Path, *, md5: str | None = None) -> Facts:
        """The facts of the image at *path*; *md5* is its hex digest where the caller has it already.

        Raises a ``Refused`` for an image that cannot be worked with (one that crashes its decoder twice is
        ``Undecodable``), ``OSError`` where the file cannot be opened, ``Unavailable`` where no process can be had.
        """
        reply = await self._run(Examine(path=path, md5=md5))
        try:
            return Facts.from_metadata(reply.values)
        except (ValueError, TypeError) as error:
            raise Undecodable(f"the decoder says nothing sensible of this image ({error})") from None

    async def derive(self, path: Path, facts: Facts, suffix: Suffix) -> Derived:
        """What *suffix* says of the image at *path*, whose *facts* were examined.

        Raises a ``Refused`` for a wish or an image that cannot be worked with, ``DerivationFailed`` where the process
        died twice, ``DiskFull`` where the spool has no room, ``OSError`` where the file cannot be opened.
        """
        out = self._out()
        reply = await self._run(Derive(path=path, facts=facts, suffix=suffix, out=out))
        try:
            return Derived(body=reply.body or out, **reply.values)
        except TypeError as error:
            raise DerivationFailed(f"the derivation gave nothing sensible ({error})") from None

    def pids(self) -> tuple[int, ...]:
        """The ids of the processes that are alive."""
        return tuple(slot.process.pid for slot in self._slots if slot.process is not None and slot.process.alive)

    def _out(self) -> Path:
        if self._folder is None:
            raise RuntimeError("the deriving processes are not started; await start() first")
        return self._folder / str(next(self._numbers))

    async def _own(self, started: asyncio.Event) -> None:
        try:
            async with asyncio.TaskGroup() as starting:
                for slot in self._slots:
                    starting.create_task(self._fill(slot))
            async with asyncio.TaskGroup() as self._group:
                started.set()
                await self._closing.wait()
                for task in self._tasks:
                    task.cancel()
        finally:
            started.set()
            for slot in self._slots:
                await self._empty(slot)

    async def _run(self, job: Examine | Derive) -> Reply:
        await self._turns.acquire()
        if self._closing.is_set() or self._group is None:
            self._turns.release()
            raise Unavailable("the deriving processes are being shut down; try again")
        run = _Run(job)
        task = self._group.create_task(self._work(self._free.pop(), run))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        try:
            await run.done.wait()
        except BaseException:
            self._leave(run)
            raise
        if run.error is not None:
            raise run.error
        if run.reply is None:
            raise Unavailable("the deriving processes are being shut down; try again")
        return run.reply

    def _leave(self, run: _Run) -> None:
        run.left = True
        if run.done.is_set():
            self._forget(run)
        elif run.clock is not None and not run.clock.expired():
            until = asyncio.get_running_loop().time() + self._grace_seconds
            run.clock.reschedule(min(run.clock.when() or until, until))

    async def _work(self, slot: _Slot, run: _Run) -> None:
        """Run one job on *slot*'s process, whatever becomes of it, and give the slot back fit for the next one."""
        try:
            run.reply = await self._attempt(slot, run)
        except Exception as error:  # noqa: BLE001  raised to the asker, for here it would end everybody's work
            run.error = error
        finally:
            run.done.set()
            if run.left or run.reply is None:
                self._forget(run)
            try:
                # Replaced now, not when the next job waits for it.
                if not self._closing.is_set():
                    await self._fill(slot)
            finally:
                self._free.append(slot)
                self._turns.release()

    async def _attempt(self, slot: _Slot, run: _Run) -> Reply:
        death = ""
        for _ in range(_ATTEMPTS):
            await self._fill(slot)
            if run.left:
                break
            process = slot.process
            if process is None:
                raise DerivationFailed(f"no deriving process can be started: {self.about.get('failure')}")
            try:
                reply = await self._call(slot, process, run)
            except Died as error:
                death = str(error)
                self.counts.died += 1
                structlog.get_logger().warning("deriving process died", how=death, job=type(run.job).__name__)
                await self._empty(slot)
                self._forget(run)
                continue
            return self._judge(reply, run)
        if isinstance(run.job, Examine):
            raise Undecodable(f"decoding this image ends the decoder, {_ATTEMPTS} times of {_ATTEMPTS} ({death})")
        raise DerivationFailed(f"the derivation ended its process, {_ATTEMPTS} times of {_ATTEMPTS} ({death})")

    async def _call(self, slot: _Slot, process: DerivingProcess, run: _Run) -> Reply:
        try:
            async with asyncio.timeout(self._limits.seconds) as run.clock:
                return await process.call(run.job)
        except TimeoutError:
            # Out of time, or left by its asker and out of grace: nobody knows when it would end.
            await self._kill(slot)
            raise TooSlow(f"not done within {self._limits.seconds:g} s (DERIVPROXY_MAX_SECONDS)") from None
        except asyncio.CancelledError:
            await self._kill(slot)
            raise
        finally:
            run.clock = None

    def _judge(self, reply: Reply, run: _Run) -> Reply:
        error = unpack_error(reply.values)
        if error is not None:
            raise error
        if "unexpected" in reply.values:
            said = str(reply.values["unexpected"])
            structlog.get_logger().error("deriving process failed", job=type(run.job).__name__, error=said)
            if isinstance(run.job, Examine):
                raise Undecodable(f"the decoder stumbles over this image ({said})")
            raise DerivationFailed(f"the derivation stumbled ({said})")
        return reply

    async def _fill(self, slot: _Slot) -> None:
        """See to it that *slot* has a living process; without one, ``about['failure']`` says why."""
        if slot.process is not None:
            if slot.process.alive:
                return
            self.counts.died += 1
            await self._empty(slot)
        try:
            slot.process = await DerivingProcess.start(self._limits)
        except Died as error:
            self.about["failure"] = str(error)
            return
        self.counts.started += 1
        self.about = slot.process.about

    async def _kill(self, slot: _Slot) -> None:
        self.counts.killed += 1
        await self._empty(slot)

    async def _empty(self, slot: _Slot) -> None:
        process, slot.process = slot.process, None
        if process is not None:
            await process.end()

    def _forget(self, run: _Run) -> None:
        """Remove what a job nobody wants left behind."""
        if isinstance(run.job, Derive):
            with suppress(OSError):
                run.job.out.unlink()
