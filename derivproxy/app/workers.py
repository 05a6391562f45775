"""Several processes that answer HTTP beside one engine: started together, replaced when they die, ended with it."""

from __future__ import annotations

import asyncio
import ctypes
import multiprocessing
import os
import signal
from typing import TYPE_CHECKING

import anyio
import structlog

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable
    from multiprocessing.process import BaseProcess

_PR_SET_PDEATHSIG = 1
_SOON_SECONDS = 0.2
_LATEST_SECONDS = 10.0


class Workers:
    """Runs *target(number, sock)* in *count* processes, each with the same listening socket.

    A worker that dies is started again, at once the first time and later and later while it dies young. *ended* is
    told the pid of each that is gone.
    """

    def __init__(
        self,
        target: Callable[[int, socket.socket], None],
        sock: socket.socket,
        *,
        count: int,
        ended: Callable[[int], None],
    ) -> None:
        # Spawned, not forked: a fork would copy the engine's threads' locks and its connections.
        self._context = multiprocessing.get_context("spawn")
        self._target = target
        self._sock = sock
        self._count = count
        self._ended = ended
        self._living: dict[int, BaseProcess] = {}
        self._log = structlog.get_logger().bind(part="workers")

    async def run(self) -> None:
        """Keep the workers running until cancelled."""
        async with asyncio.TaskGroup() as group:
            for number in range(self._count):
                group.create_task(self._keep(number))

    async def stop(self, within_seconds: float) -> None:
        """Ask all to end, and end those that do not *within_seconds*."""
        for process in self._living.values():
            if process.is_alive():
                process.terminate()
        with anyio.move_on_after(within_seconds):
            for process in self._living.values():
                await _gone(process)
        for process in self._living.values():
            if process.is_alive():
                self._log.warning("worker killed: it did not end in time", pid=process.pid)
                process.kill()
            process.join()

    async def _keep(self, number: int) -> None:
        pause = 0.0
        while True:
            await anyio.sleep(pause)
            started = anyio.current_time()
            process = self._context.Process(
                target=_begin, args=(os.getpid(), self._target, number, self._sock), name=f"worker-{number}"
            )
            process.start()
            self._living[number] = process
            await _gone(process)
            if process.pid is not None:
                self._ended(process.pid)
            self._log.warning("worker died, another is started", number=number, pid=process.pid, code=process.exitcode)
            young = anyio.current_time() - started < _LATEST_SECONDS
            pause = min(max(pause * 2, _SOON_SECONDS), _LATEST_SECONDS) if young else 0.0


async def _gone(process: BaseProcess) -> None:
    loop = asyncio.get_running_loop()
    gone = asyncio.Event()
    loop.add_reader(process.sentinel, gone.set)
    try:
        await gone.wait()
    finally:
        loop.remove_reader(process.sentinel)
    process.join()


def _begin(engine: int, target: Callable[[int, socket.socket], None], number: int, sock: socket.socket) -> None:
    die_with_parent(engine)
    # ^C in a terminal reaches every process of the group; the engine decides when its workers end.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    target(number, sock)


def die_with_parent(parent: int) -> None:
    """Have the kernel kill this process when *parent* dies, however it dies. Linux; elsewhere nothing happens."""
    try:
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    except (OSError, AttributeError):
        return
    if os.getppid() != parent:  # it died before it could be noticed
        os._exit(1)
