"""The making of derivatives, in the one process of the machine that does it."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import anyio

from derivproxy.delivery.answers import Answer, Found
from derivproxy.delivery.coalescing import Coalescer
from derivproxy.delivery.cost import expected_bytes
from derivproxy.domain.errors import Fault, StoreUnavailable
from derivproxy.hot_tier.files import LocalFile
from derivproxy.hot_tier.held import Held
from derivproxy.hot_tier.threads import to_the_end

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path
    from types import TracebackType
    from typing import Self

    from structlog.typing import FilteringBoundLogger

    from derivproxy.delivery.admission import Admission
    from derivproxy.delivery.bases import Bases
    from derivproxy.delivery.failures import Failures
    from derivproxy.delivery.kept import Kept
    from derivproxy.delivery.needs import Check, Counters, Deriver, FactsOf
    from derivproxy.delivery.write_back import WriteBack
    from derivproxy.derive.results import Derived
    from derivproxy.domain.images import Facts
    from derivproxy.hot_tier.tier import HotTier
    from grammar.names import Derivative

RECENT_SECONDS = 60.0
_RECENT = 8192


@dataclass(frozen=True, slots=True, kw_only=True)
class _Made:
    held: Held
    found: Found


class Runs:
    """Makes each derivative once, however many ask. An async context manager: tasks run while it is open.

    Leaving it stops the runs and finishes writing back, within *drain_seconds*. Everything is counted: a run is started
    when its slot is granted, and *counters* hear of each that was, once, when it ends.
    """

    def __init__(
        self,
        *,
        tier: HotTier,
        kept: Kept,
        bases: Bases,
        deriver: Deriver,
        facts: FactsOf,
        check: Check,
        admission: Admission,
        failures: Failures,
        write_back: WriteBack,
        counters: Counters,
        version: int,
        log: FilteringBoundLogger,
        clock: Callable[[], float] = time.monotonic,
        drain_seconds: float = 10.0,
    ) -> None:
        self._tier = tier
        self._kept = kept
        self._bases = bases
        self._deriver = deriver
        self._facts = facts
        self._check = check
        self._admission = admission
        self._failures = failures
        self._write_back = write_back
        self._counters = counters
        self._version = version
        self._log = log
        self._clock = clock
        self._drain_seconds = drain_seconds
        self._recent: OrderedDict[str, float] = OrderedDict()
        self._stack = AsyncExitStack()
        self._group: asyncio.TaskGroup | None = None
        self._flights: Coalescer[_Made] | None = None
        self._sweeps: dict[str, asyncio.Task[None]] = {}

    async def __aenter__(self) -> Self:
        await self._stack.enter_async_context(self._write_back.running(drain_seconds=self._drain_seconds))
        self._group = await self._stack.enter_async_context(asyncio.TaskGroup())
        self._flights = Coalescer(self._group, lambda made: made.held.release())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._flights is not None:
            self._flights.stop()
        for sweep in self._sweeps.values():
            sweep.cancel()
        # The runs end first, so that what they still offer is written back. The groups are not told of the error: they
        # would wrap it. Shielded: also who is cancelled writes back, within the limit.
        with anyio.CancelScope(shield=True):
            await self._stack.aclose()

    @property
    def queue_depth(self) -> int:
        """Derivations waiting for a slot or running."""
        return self._admission.waiting + self._admission.working

    @asynccontextmanager
    async def run(self, name: Derivative) -> AsyncIterator[Answer]:
        """The derivative, made if need be; good while the context is open. Cancelling one asker stops no other.

        Raises ``UnknownImage``, every fault of the base, of the derivation and of its refusal, and ``Overloaded``.
        """
        if self._flights is None:
            raise RuntimeError("Runs is used outside of its context: enter it with `async with`")
        text = str(name)
        held = self._tier.remembered(text)
        if held is not None:
            yield _answer(_Made(held=held, found=Found.MEMORY), joined=False)
            return
        async with self._flights.share(text, lambda: self._make(name, text)) as (made, joined):
            yield _answer(made, joined=joined)

    async def purge(self, ident: str) -> int:
        """Delete every derivative of *ident* in every tier of this process and in the store; says how many objects.

        Runs under way go on for those who wait, but leave nothing behind. What another machine is writing at this
        moment is deleted by a second look, when the longest write could have ended; it takes with it what was made
        anew by then.
        """
        self._failures.drop(ident)
        self._bases.drop(ident)
        for text in [text for text in self._recent if text.startswith(ident)]:
            del self._recent[text]
        try:
            # Memory first, before anything is awaited: from here on no run that has begun can remember its result.
            await self._tier.drop(ident)
        finally:
            await self._write_back.settle(ident)
            deleted = await self._kept.drop(ident)
            self._look_again(ident)
        return deleted

    async def _make(self, name: Derivative, text: str) -> _Made:
        token = self._tier.begin()
        found = await self._made_a_moment_ago(name.ident, text, token)
        if found is not None:
            return found
        self._failures.check(name.ident, text)
        facts = await self._facts(name.ident)
        # What arithmetic can refuse is refused before anything is waited for or fetched.
        self._check(name.suffix, facts)
        try:
            held = await self._derive(name, facts)
        except Fault as fault:
            if self._tier.stands(name.ident, token):
                self._failures.note(name.ident, text, fault)
            raise
        try:
            held = await self._in_memory(held)
            self._remember(name.ident, text, held, token)
        except BaseException:
            held.release()
            raise
        return _Made(held=held, found=Found.DERIVED)

    async def _made_a_moment_ago(self, ident: str, text: str, token: int) -> _Made | None:
        """What a run has made since the asker looked: askers overtake the write back, and one another."""
        held = self._tier.remembered(text)
        if held is not None:
            return _Made(held=held, found=Found.MEMORY)
        held = self._write_back.pending(text)
        if held is not None:
            return _Made(held=held, found=Found.MEMORY)
        until = self._recent.get(text)
        if until is None or until < self._clock():
            return None
        held = await self._tier.on_disk(ident, text, token)
        if held is not None:
            return _Made(held=held, found=Found.DISK)
        held = await self._kept.whole(text)
        if held is None:
            return None
        self._tier.remember(ident, text, held, token)
        return _Made(held=held, found=Found.STORE)

    async def _derive(self, name: Derivative, facts: Facts) -> Held:
        async with self._admission.slot(expected_bytes(name.suffix, facts)):
            outcome = "cancelled"
            begun = self._clock()
            try:
                async with self._bases.local(name.ident, facts) as base:
                    derived = await self._deriver.derive(base, facts, name.suffix)
                    # No await between what the deriver gives and our hold of it: cancelled there, a file would stay.
                    held = _held(derived, self._version)
                outcome = "ok"
            except Fault as fault:
                outcome = fault.code
                raise
            except Exception:
                outcome = "error"
                raise
            finally:
                self._counters.derivation(name.suffix.format.value, outcome, self._clock() - begun)
        return held

    async def _in_memory(self, held: Held) -> Held:
        """The same with its bytes in memory, where memory keeps ones of this size. On failure the caller releases."""
        if isinstance(held.body, bytes) or held.size > self._tier.memory.entry_bytes:
            return held
        body = await to_the_end(_read, held.body.path, held.size)
        held.body.release()
        return Held(body=body, size=held.size, md5=held.md5, media_type=held.media_type, version=held.version)

    def _remember(self, ident: str, text: str, held: Held, token: int) -> None:
        if not self._tier.stands(ident, token):
            return
        self._tier.remember(ident, text, held, token)
        self._write_back.offer(ident, text, held, token)
        self._recent[text] = self._clock() + RECENT_SECONDS
        self._recent.move_to_end(text)
        if len(self._recent) > _RECENT:
            self._recent.popitem(last=False)

    def _look_again(self, ident: str) -> None:
        if self._group is None or ident in self._sweeps:
            return
        sweep = self._group.create_task(self._sweep(ident), name=f"second look at {ident}")
        self._sweeps[ident] = sweep
        sweep.add_done_callback(lambda _: self._sweeps.pop(ident, None))

    async def _sweep(self, ident: str) -> None:
        await asyncio.sleep(self._write_back.seconds)
        try:
            await self._kept.drop(ident)
        except Exception as error:  # noqa: BLE001 - reconcile deletes what is left; in the group it would end all runs
            self._log.warning("second look of a purge failed", ident=ident, error=str(error))


def _held(derived: Derived, version: int) -> Held:
    body = derived.body if isinstance(derived.body, bytes) else LocalFile.adopt(derived.body)
    return Held(body=body, size=derived.size, md5=derived.md5, media_type=derived.media_type, version=version)


def _read(path: Path, size: int) -> bytes:
    body = path.read_bytes()
    if len(body) != size:
        raise StoreUnavailable(f"a derived file has {len(body)} bytes of {size}; ask again")
    return body


def _answer(made: _Made, *, joined: bool) -> Answer:
    held = made.held
    found = Found.SHARED if joined and made.found is Found.DERIVED else made.found
    return Answer(
        body=held.body if isinstance(held.body, bytes) else held.body.path,
        size=held.size,
        md5=held.md5,
        media_type=held.media_type,
        version=held.version,
        found=found,
    )
