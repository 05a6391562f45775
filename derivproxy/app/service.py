"""The processes of a node: one that is engine and worker together, or an engine beside several workers."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from derivproxy.app.adding import add_files
from derivproxy.app.data import DataFolder
from derivproxy.app.doorway import delivery_of, doorway
from derivproxy.app.logs import set_up_logs
from derivproxy.app.readiness import Readiness
from derivproxy.app.rooms import Engine, Reading, engine, reading
from derivproxy.app.serving import listen_unix, serve_socket
from derivproxy.app.upkeep import keep_within_budget
from derivproxy.app.workers import Workers
from derivproxy.domain.errors import BadRequest, Fault
from derivproxy.engine import EngineClient, engine_face
from derivproxy.updates import Absences, Spool
from derivproxy.web import Metrics
from derivproxy.web.metrics import process_ended

if TYPE_CHECKING:
    import socket
    from collections.abc import AsyncIterator, Callable, Sequence
    from pathlib import Path

    from derivproxy.app.adding import Outcome
    from derivproxy.config import Settings
    from derivproxy.delivery import Delivery


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """What a process is started with. *token* is the one in force, set or made."""

    settings: Settings
    token: str | None

    @property
    def data(self) -> DataFolder:
        """Its DATA."""
        return DataFolder(self.settings.data)

    @property
    def shared_metrics(self) -> Path | None:
        """Where several workers count together; one counts in memory."""
        return self.data.metrics.absolute() if self.settings.workers > 1 else None


async def serve_node(
    node: Node,
    sock: socket.socket,
    *,
    files: Sequence[Path] = (),
    added: Callable[[Outcome], None] = lambda _: None,
    ready: Callable[[], None] = lambda: None,
) -> None:
    """Serve on a listening socket until SIGINT or SIGTERM, adding *files* meanwhile; DATA is locked by the caller.

    *ready* is called when requests are answered, *added* for each file. A second signal gives up waiting.
    """
    stopping = _on_signals()
    settings = node.settings
    serving = _serve_alone if settings.workers == 1 else _serve_beside
    async with (
        reading(settings, node.data, Metrics(node.shared_metrics), part="engine", engine=True) as read,
        engine(read) as made,
        asyncio.TaskGroup() as group,
    ):
        tasks = [
            group.create_task(keep_within_budget(read)),
            group.create_task(_add(read, made, files, added)),
            group.create_task(read.metrics.sample_forever()),
            group.create_task(Readiness(read.store, node.data.reached).until_reached()),
        ]
        try:
            await serving(node, read, made, sock, stopping=stopping, ready=ready)
        finally:
            for task in tasks:
                task.cancel()


async def _serve_alone(
    node: Node, read: Reading, made: Engine, sock: socket.socket, *, stopping: asyncio.Event, ready: Callable[[], None]
) -> None:
    app = doorway(
        read,
        node.data,
        delivery=delivery_of(read, made.runs.run),
        updates=made.updates,
        recover=made.updates.recover,
        token=node.token,
    )
    ready()
    await serve_socket(app, sock, graceful_seconds=node.settings.graceful_seconds, stop=stopping.wait)


async def _serve_beside(
    node: Node, read: Reading, made: Engine, sock: socket.socket, *, stopping: asyncio.Event, ready: Callable[[], None]
) -> None:
    shared = node.shared_metrics
    assert shared is not None  # noqa: S101 - there are several workers
    workers = Workers(_Worker(node), sock, count=node.settings.workers, ended=lambda pid: process_ended(pid, shared))
    face = engine_face(runs=made.runs, updates=made.updates, purges=made.purges, log=read.log)
    face_stops = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        serving = group.create_task(
            serve_socket(
                face, listen_unix(node.data.socket), graceful_seconds=1.0, stop=face_stops.wait, leave_seconds=0
            )
        )
        keeping = group.create_task(workers.run())
        ready()
        await stopping.wait()
        keeping.cancel()
        await asyncio.wait({keeping})
        # Else clients would be let in by the kernel, and answered by nobody.
        sock.close()
        # The workers first: the requests they finish may still need the engine.
        await workers.stop(node.settings.graceful_seconds + 2.0)
        await made.purges.stop()
        face_stops.set()
        await serving


class _Worker:
    """What runs in a worker process. It can be pickled."""

    def __init__(self, node: Node) -> None:
        self._node = node

    def __call__(self, number: int, sock: socket.socket) -> None:
        set_up_logs(self._node.settings.log_format, self._node.settings.log_level)
        run_loop(self._serve(number, sock))

    async def _serve(self, number: int, sock: socket.socket) -> None:
        stopping = _on_signals(interrupt=False)
        node = self._node
        async with (
            reading(
                node.settings, node.data, Metrics(node.shared_metrics), part=f"worker-{number}", engine=False
            ) as read,
            _client(node) as client,
            asyncio.TaskGroup() as group,
        ):
            delivery = delivery_of(read, client.run)
            tasks = [
                group.create_task(read.metrics.sample_forever()),
                group.create_task(_follow_purges(client, delivery, read, stopping)),
            ]
            app = doorway(read, node.data, delivery=delivery, updates=client, recover=client.recover, token=node.token)
            try:
                await serve_socket(app, sock, graceful_seconds=node.settings.graceful_seconds, stop=stopping.wait)
            finally:
                for task in tasks:
                    task.cancel()


async def _follow_purges(client: EngineClient, delivery: Delivery, read: Reading, stopping: asyncio.Event) -> None:
    """Forget in this worker what the engine purges."""
    worker, number = f"{os.getpid()}", -1
    while True:
        try:
            number, idents = await client.purged(worker, number)
        except BadRequest as fault:
            # What was missed cannot be known: a fresh worker remembers nothing wrong.
            read.log.warning("this worker ends, another begins: it missed purges", why=fault.detail)
            stopping.set()
            return
        except Fault:
            await asyncio.sleep(0.2)
            continue
        for ident in idents:
            try:
                await delivery.drop(ident)
            except Fault as fault:
                read.log.warning("not everything purged was forgotten", ident=ident, error=fault.detail)


@asynccontextmanager
async def _client(node: Node) -> AsyncIterator[EngineClient]:
    client = EngineClient(node.data.socket, absences=Absences(time.monotonic))
    try:
        yield client
    finally:
        await client.close()


async def _add(read: Reading, made: Engine, files: Sequence[Path], added: Callable[[Outcome], None]) -> None:
    spool = Spool(read.spool)
    async for outcome in add_files(files, spool=spool, updates=made.updates, limit=read.settings.limits.file_bytes):
        added(outcome)


def _on_signals(*, interrupt: bool = True) -> asyncio.Event:
    """An event set by SIGTERM (and SIGINT). A second SIGINT kills.

    Nothing half-done is visible after a kill, the other processes end with this one, and the next start tidies up.
    """
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()

    def stop() -> None:
        stopping.set()
        if interrupt:
            loop.remove_signal_handler(signal.SIGINT)
            signal.signal(signal.SIGINT, signal.SIG_DFL)

    loop.add_signal_handler(signal.SIGTERM, stop)
    if interrupt:
        loop.add_signal_handler(signal.SIGINT, stop)
    return stopping


def run_loop(main: Any) -> Any:  # noqa: ANN401  a coroutine and what it returns
    """``asyncio.run`` on uvloop where it exists."""
    try:
        import uvloop  # noqa: PLC0415  not on every platform
    except ImportError:
        return asyncio.run(main)
    return uvloop.run(main)
