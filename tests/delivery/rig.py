"""The read path put together, with a store, a deriver and metadata that a test can steer."""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from derivproxy.delivery import (
    Admission,
    Bases,
    Delivery,
    Failures,
    Kept,
    Runs,
    WriteBack,
    WriteBackLimits,
)
from derivproxy.derive.results import Derived
from derivproxy.domain.errors import UnknownImage
from derivproxy.domain.geometry import plan
from derivproxy.domain.images import Facts
from derivproxy.domain.status import State, Status
from derivproxy.hot_tier import Digests, HotTier, MemoryTier
from grammar.names import Derivative, Format, Suffix
from tests.delivery.stores import MemoryStore

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from derivproxy.delivery.answers import Answer
    from derivproxy.delivery.needs import Run
    from derivproxy.hot_tier.tier import Disk

VERSION = 3
MIB = 1024 * 1024
PICTURE = b"the bytes of a photo" * 500
IDENT = hashlib.sha256(PICTURE).hexdigest()
OTHER = b"another photo altogether" * 500
OTHER_IDENT = hashlib.sha256(OTHER).hexdigest()


def name(width: int = 300, ident: str = IDENT) -> Derivative:
    return Derivative(ident, Suffix(format=Format.WEBP, width=width))


def facts_of(body: bytes) -> Facts:
    md5 = hashlib.md5(body, usedforsecurity=False).hexdigest()
    return Facts(media_type="image/jpeg", bytes=len(body), md5=md5, width=4000, height=3000)


async def body_of(answer: Answer) -> bytes:
    if isinstance(answer.body, bytes):
        return answer.body
    if hasattr(answer.body, "read_bytes"):
        return answer.body.read_bytes()
    return b"".join([chunk async for chunk in answer.body])


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


async def until(condition: Callable[[], object], seconds: float = 5.0) -> None:
    """Wait for what nobody announces."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - the things watched have no event
            await asyncio.sleep(0)


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class FakeDeriver:
    """Stands in at the wire to the deriving processes: counts, waits when told to, fails when told to."""

    def __init__(self, spool: Path) -> None:
        self.started: Counter[str] = Counter()
        self.at_work: Counter[str] = Counter()
        self.most: Counter[str] = Counter()
        self.cancelled = 0
        self.bytes = 2000
        self.error: BaseException | None = None
        self.open = asyncio.Event()
        self.open.set()
        self.begun = asyncio.Event()
        self.slow_to_die = 0.0
        self.into_file = False
        self._spool = spool

    def made(self, base: bytes, suffix: Suffix) -> bytes:
        seed = hashlib.sha256(base + str(suffix).encode()).digest()
        return (seed * (self.bytes // 32 + 1))[: self.bytes]

    async def derive(self, path: Path, facts: Facts, suffix: Suffix) -> Derived:
        assert facts.bytes == path.stat().st_size  # noqa: ASYNC240 - as above
        key = str(suffix)
        self.started[key] += 1
        self.at_work[key] += 1
        self.most[key] = max(self.most[key], self.at_work[key])
        self.begun.set()
        try:
            await self.open.wait()
            await asyncio.sleep(0)
            if self.error is not None:
                raise self.error
        except asyncio.CancelledError:
            self.cancelled += 1
            if self.slow_to_die:
                await asyncio.sleep(self.slow_to_die)
            raise
        finally:
            self.at_work[key] -= 1
        body = self.made(path.read_bytes(), suffix)  # noqa: ASYNC240 - as above
        out: bytes | Path = body
        if self.into_file:
            out = self._spool / f"out{sum(self.started.values())}"
            out.write_bytes(body)
        md5 = hashlib.md5(body, usedforsecurity=False).hexdigest()
        return Derived(body=out, size=len(body), md5=md5, media_type="image/webp", width=300, height=225)


@dataclass
class Counted:
    runs: Counter[tuple[str, str]] = field(default_factory=Counter)

    def derivation(self, format: str, outcome: str, seconds: float) -> None:  # noqa: A002 - the protocol's word
        assert seconds >= 0
        self.runs[format, outcome] += 1


@dataclass
class Rig:
    """Everything there is, by name. *status* is what the metadata says of each ident."""

    store: MemoryStore
    deriver: FakeDeriver
    clock: Clock
    counted: Counted
    status: dict[str, Status]
    images: dict[str, Facts]
    folder: Path
    digests: Digests = field(default_factory=Digests)
    log: structlog.typing.FilteringBoundLogger = field(default_factory=structlog.get_logger)
    memory: MemoryTier = field(default_factory=lambda: MemoryTier(16 * MIB))
    tier: HotTier = None  # type: ignore[assignment]
    kept: Kept = None  # type: ignore[assignment]
    bases: Bases = None  # type: ignore[assignment]
    admission: Admission = None  # type: ignore[assignment]
    failures: Failures = None  # type: ignore[assignment]
    write_back: WriteBack = None  # type: ignore[assignment]
    runs: Runs = None  # type: ignore[assignment]
    delivery: Delivery = None  # type: ignore[assignment]

    async def facts(self, ident: str) -> Facts:
        if ident not in self.images:
            raise UnknownImage(f"no image {ident}")
        return self.images[ident]

    async def state(self, ident: str) -> Status:
        return self.status.get(ident, Status(State.UNKNOWN))

    async def get(self, wanted: Derivative | None = None, *, ranged: bool = False) -> bytes:
        async with self.delivery.derivative(wanted or name(), ranged=ranged) as answer:
            return await body_of(answer)

    async def written(self) -> None:
        """Wait until nothing is on its way to the store."""
        await until(lambda: not self.write_back.waiting)

    def second_process(self, run: Run | None = None) -> Delivery:
        """The read path of another HTTP worker: a memory of its own, the same store, the same runs unless *run*."""
        return Delivery(
            tier=HotTier(MemoryTier(16 * MIB), log=self.log),
            kept=self.kept,
            bases=self.bases,
            run=run or self.runs.run,
            facts=self.facts,
            status=self.state,
            spool=self.folder / "spool",
            log=self.log,
        )


async def no_eviction(budget_bytes: int) -> None:
    """For disks that have room for all that a test writes."""


@asynccontextmanager
async def rigged(
    folder: Path,
    *,
    store: MemoryStore | None = None,
    disk: Callable[[Rig], Disk] | None = None,
    disk_bytes: int = 64 * MIB,
    evict: Callable[[int], Awaitable[object]] | None = None,
    slots: int = 4,
    queue: int = 1000,
    memory_bytes: int = 16 * MIB,
    bases_bytes: int = 64 * MIB,
    limits: WriteBackLimits | None = None,
    drain_seconds: float = 2.0,
) -> AsyncIterator[Rig]:
    store = store or MemoryStore()
    spool = folder / "spool"
    spool.mkdir()
    rig = Rig(
        store=store,
        deriver=FakeDeriver(spool),
        clock=Clock(),
        counted=Counted(),
        status={IDENT: Status(State.LIVE), OTHER_IDENT: Status(State.LIVE)},
        images={IDENT: facts_of(PICTURE), OTHER_IDENT: facts_of(OTHER)},
        folder=folder,
        memory=MemoryTier(memory_bytes),
    )
    for ident, body in ((IDENT, PICTURE), (OTHER_IDENT, OTHER)):
        await store.put(ident, body, metadata=rig.images[ident].to_metadata())
    log = rig.log
    rig.kept = Kept(store, version=VERSION, digests=rig.digests, spool=spool, log=log)
    rig.tier = HotTier(
        rig.memory,
        log=log,
        disk=disk(rig) if disk is not None else None,
        disk_budget_bytes=disk_bytes,
        evict=evict or no_eviction,
    )
    rig.bases = Bases(store, folder=folder / "bases", budget_bytes=bases_bytes, digests=rig.digests, log=log)
    await rig.bases.start()
    rig.admission = Admission(slots=slots, queue=queue)
    rig.failures = Failures(rig.clock)
    limits = limits or WriteBackLimits(seconds=0.5)
    rig.write_back = WriteBack(rig.kept, rig.tier, status=rig.state, log=log, limits=limits)
    rig.runs = Runs(
        tier=rig.tier,
        kept=rig.kept,
        bases=rig.bases,
        deriver=rig.deriver,
        facts=rig.facts,
        check=plan,
        admission=rig.admission,
        failures=rig.failures,
        write_back=rig.write_back,
        counters=rig.counted,
        version=VERSION,
        log=log,
        clock=rig.clock,
        drain_seconds=drain_seconds,
    )
    rig.delivery = Delivery(
        tier=rig.tier,
        kept=rig.kept,
        bases=rig.bases,
        run=rig.runs.run,
        facts=rig.facts,
        status=rig.state,
        spool=spool,
        log=log,
    )
    async with rig.runs:
        yield rig
