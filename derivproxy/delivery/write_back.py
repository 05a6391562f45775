"""What was derived goes to the store after it was answered: bounded, best effort, never after a removal."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from derivproxy.domain.status import State

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from structlog.typing import FilteringBoundLogger

    from derivproxy.delivery.kept import Kept
    from derivproxy.delivery.needs import StatusOf
    from derivproxy.hot_tier.held import Held
    from derivproxy.hot_tier.tier import HotTier


@dataclass(slots=True, eq=False)
class _Item:
    ident: str
    name: str
    held: Held
    token: int
    done: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def bytes(self) -> int:
        return self.held.size if isinstance(self.held.body, bytes) else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteBackLimits:
    """How much may wait, how many are written at once, how long one may take, and when the store may forget it."""

    writers: int = 4
    items: int = 512
    bytes: int = 64 * 1024 * 1024
    """Of results in memory; large ones wait in files without a name."""
    seconds: float = 30.0
    expires_in: float | None = None
    """Seconds after which a stored derivative may be forgotten by the store itself; ``None``: never."""


class WriteBack:
    """A bounded queue of results on their way to the store and the disk tier.

    Just before a result is put, the status of its image is asked: what is removed, blocked or unknown is not put, and
    private images stay off the disk. What fails is counted, logged and forgotten: it can be made again.
    """

    def __init__(
        self, kept: Kept, tier: HotTier, *, status: StatusOf, log: FilteringBoundLogger, limits: WriteBackLimits
    ) -> None:
        self._kept = kept
        self._tier = tier
        self._status = status
        self._log = log
        self._limits = limits
        self._queue: asyncio.Queue[_Item] = asyncio.Queue()
        self._pending: dict[str, _Item] = {}
        self._items: set[_Item] = set()
        self._writing: set[_Item] = set()
        self._bytes = 0
        self.written = 0
        """Results put into the store."""
        self.dropped = 0
        """Results not put: no room in the queue, the image gone, or no time left at the end."""
        self.failed = 0
        """Results that the store did not take."""

    @property
    def waiting(self) -> int:
        """How many results are not yet written."""
        return len(self._items)

    @property
    def waiting_bytes(self) -> int:
        """The bytes in memory that wait."""
        return self._bytes

    @property
    def seconds(self) -> float:
        """The longest that one write can take."""
        return self._limits.seconds

    def offer(self, ident: str, name: str, held: Held, token: int) -> bool:
        """Take a hold of *held* and write it soon; says whether there was room."""
        item = _Item(ident, name, held, token)
        if len(self._items) >= self._limits.items or self._bytes + item.bytes > self._limits.bytes:
            self.dropped += 1
            return False
        held.hold()
        self._items.add(item)
        self._bytes += item.bytes
        self._pending[name] = item
        self._queue.put_nowait(item)
        return True

    def pending(self, name: str) -> Held | None:
        """The result under *name* that is still on its way, with a hold for the caller."""
        item = self._pending.get(name)
        return item.held.hold() if item is not None and self._tier.stands(item.ident, item.token) else None

    async def settle(self, ident: str) -> None:
        """Return when nothing of *ident*, which was dropped before, is being written any more.

        What still waits for a writer is not waited for: when its turn comes it is too old to be put.
        """
        for item in [item for item in self._writing if item.ident == ident]:
            await item.done.wait()

    @asynccontextmanager
    async def running(self, *, drain_seconds: float) -> AsyncIterator[None]:
        """Write while the context is open; then finish what waits, within *drain_seconds*, and let go of the rest."""
        async with asyncio.TaskGroup() as group:
            writers = [group.create_task(self._write_forever()) for _ in range(self._limits.writers)]
            try:
                yield
            finally:
                with suppress(TimeoutError):
                    async with asyncio.timeout(drain_seconds):
                        await self._queue.join()
                for writer in writers:
                    writer.cancel()
        if self._items:
            self._log.warning("derivatives not written back, they will be made again", number=len(self._items))
            self.dropped += len(self._items)
            for item in list(self._items):
                self._finish(item)

    async def _write_forever(self) -> None:
        while True:
            item = await self._queue.get()
            self._writing.add(item)
            try:
                async with asyncio.timeout(self._limits.seconds):
                    await self._write(item)
            except Exception as error:  # noqa: BLE001 - the answer was given; what is not kept is made again
                self.failed += 1
                what = str(error) or f"not done within {self._limits.seconds:g} s"
                self._log.warning("derivative not written back", name=item.name, error=what)
            self._finish(item)
            self._queue.task_done()

    async def _write(self, item: _Item) -> None:
        state = (await self._status(item.ident)).state
        # Asked after the status: whoever removes changes the status first and drops then, so one of the two shows it.
        if state not in (State.LIVE, State.PRIVATE) or not self._tier.stands(item.ident, item.token):
            self.dropped += 1
            return
        if state is State.LIVE:
            await self._tier.keep(item.ident, item.name, item.held, item.token)
        await self._kept.keep(item.name, item.held, expires_in=self._limits.expires_in)
        self.written += 1

    def _finish(self, item: _Item) -> None:
        self._items.discard(item)
        self._writing.discard(item)
        self._bytes -= item.bytes
        if self._pending.get(item.name) is item:
            del self._pending[item.name]
        item.done.set()
        item.held.release()
