"""Who is introduced to whom. Every part gets what it needs through its constructor, and only here.

Reading   what each process has that answers HTTP or derives: metadata, store, tiers
Engine    what there is once a machine: the deriving processes, runs, write back, updates
"""

from __future__ import annotations

import time
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import structlog

from derivproxy.app.metered import MeteredStore
from derivproxy.delivery import Admission, Bases, Failures, Kept, Runs, WriteBack, WriteBackLimits
from derivproxy.derive.pool import Deriver
from derivproxy.domain.derivation import DERIVATION_VERSION
from derivproxy.domain.geometry import permit, plan
from derivproxy.domain.status import State
from derivproxy.engine import Purges
from derivproxy.hot_tier import Digests, HotTier, MemoryTier
from derivproxy.metadata import Metadata
from derivproxy.stores import open_store
from derivproxy.updates import Absences, Updates

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from structlog.typing import FilteringBoundLogger

    from derivproxy.app.data import DataFolder
    from derivproxy.config import Settings
    from derivproxy.domain.images import Facts
    from derivproxy.domain.status import Status
    from derivproxy.stores import Evicting, Store
    from derivproxy.web import Metrics
    from grammar import Suffix

_KNOWN = 4096
BASES_BUDGET_BYTES = 4 * 2**30
"""Verified copies of bases of a store that is not on this machine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What every process has that answers HTTP or derives."""

    settings: Settings
    metadata: Metadata
    store: Store
    digests: Digests
    tier: HotTier
    kept: Kept
    bases: Bases
    spool: Path
    metrics: Metrics
    log: FilteringBoundLogger
    known: dict[str, Facts] = field(default_factory=dict)

    async def facts(self, ident: str) -> Facts:
        """The facts of a live image. Raises ``UnknownImage``."""
        known = self.known.get(ident)
        # The facts of an ident are those of its bytes and never change; whether it is live may.
        if known is not None and self.metadata.status(ident).state in (State.LIVE, State.PRIVATE):
            return known
        facts = (await self.metadata.image(ident)).facts
        if len(self.known) >= _KNOWN:
            self.known.pop(next(iter(self.known)))
        self.known[ident] = facts
        return facts

    async def status(self, ident: str) -> Status:
        """What *ident* is now."""
        return self.metadata.status(ident)


@asynccontextmanager
async def reading(
    settings: Settings, data: DataFolder, metrics: Metrics, *, part: str, engine: bool
) -> AsyncIterator[Reading]:
    """Open what *part* of the machine reads with. Only the *engine* writes metadata and the disk tier."""
    log: FilteringBoundLogger = structlog.get_logger().bind(part=part)
    spool = data.spool / part
    spool.mkdir(exist_ok=True)
    digests = Digests()
    async with AsyncExitStack() as stack:
        store = MeteredStore(open_store(settings.store, "images"), metrics)
        stack.push_async_callback(store.close)
        metadata = await stack.enter_async_context(await Metadata.open(data.database, write=engine))
        disk: Kept | None = None
        disk_store: Evicting | None = None
        if settings.disk_tier_bytes:
            near: Any = open_store(data.disk_tier.absolute().as_uri(), "tier", durable=False)
            stack.push_async_callback(near.close)
            disk = Kept(near, version=DERIVATION_VERSION, digests=digests, spool=spool, log=log)
            disk_store = near
        tier = HotTier(
            MemoryTier(settings.memory_tier_bytes),
            log=log,
            disk=disk,
            disk_budget_bytes=settings.disk_tier_bytes,
            evict=disk_store.evict if disk_store is not None and engine else None,
        )
        folder = data.bases / part
        folder.mkdir(exist_ok=True)
        bases = Bases(store, folder=folder, budget_bytes=BASES_BUDGET_BYTES, digests=digests, log=log)
        await bases.start()
        metrics.watch_tier("memory", lambda: tier.memory.bytes)
        yield Reading(
            settings=settings,
            metadata=metadata,
            store=store,
            digests=digests,
            tier=tier,
            kept=Kept(store, version=DERIVATION_VERSION, digests=digests, spool=spool, log=log),
            bases=bases,
            spool=spool,
            metrics=metrics,
            log=log,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """What there is once a machine."""

    reading: Reading
    deriver: Deriver
    runs: Runs
    updates: Updates
    purges: Purges


@asynccontextmanager
async def engine(read: Reading) -> AsyncIterator[Engine]:
    """Start the deriving processes, and all that stands on them."""
    settings, log = read.settings, read.log
    expires_in = settings.derivative_expiry_seconds or None

    def check(suffix: Suffix, facts: Facts) -> None:
        permit(plan(suffix, facts), settings.limits)

    write_back = WriteBack(
        read.kept, read.tier, status=read.status, log=log, limits=WriteBackLimits(expires_in=expires_in)
    )
    async with Deriver(processes=settings.processes, limits=settings.limits, spool=read.spool) as deriver:
        runs = Runs(
            tier=read.tier,
            kept=read.kept,
            bases=read.bases,
            deriver=deriver,
            facts=read.facts,
            check=check,
            admission=Admission(slots=settings.slots, queue=settings.queue),
            failures=Failures(time.monotonic),
            write_back=write_back,
            counters=read.metrics,
            version=DERIVATION_VERSION,
            log=log,
            drain_seconds=settings.graceful_seconds,
        )
        read.metrics.watch_queue(lambda: runs.queue_depth)
        purges = Purges(runs.purge, clock=time.monotonic)
        async with runs:
            updates = Updates(
                store=read.store,
                metadata=read.metadata,
                examiner=deriver,
                purge=purges.purge,
                trust=read.bases.trust,
                absences=Absences(time.monotonic),
                clock=time.time,
            )
            yield Engine(
                reading=read,
                deriver=deriver,
                runs=runs,
                updates=updates,
                purges=purges,
            )
