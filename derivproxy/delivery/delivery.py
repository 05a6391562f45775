"""The read path, one flow: hot tier, store, derive once, remember."""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from derivproxy.delivery.answers import Answer, Found
from derivproxy.delivery.kept import Flow
from derivproxy.delivery.streams import Checked, spooled
from derivproxy.domain.errors import Fault, StoreUnavailable
from derivproxy.domain.status import State
from derivproxy.hot_tier.files import LocalFile
from derivproxy.hot_tier.held import Held

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, AsyncIterator

    from structlog.typing import FilteringBoundLogger

    from derivproxy.delivery.bases import Bases
    from derivproxy.delivery.kept import Kept
    from derivproxy.delivery.needs import FactsOf, Run, StatusOf
    from derivproxy.hot_tier.tier import HotTier
    from grammar.names import Derivative

_COLLECTED_AT_ONCE = 4


class Delivery:
    """Finds the bytes of a name, in every process that answers HTTP.

    What memory will keep of a stream is collected on the way, of a few streams at once at most. The image's status, the
    policy and conditional requests are the caller's, and come before. *spool* is the folder for what must be whole;
    *expires_in* is what a stored derivative that is used gets anew.
    """

    def __init__(
        self,
        *,
        tier: HotTier,
        kept: Kept,
        bases: Bases,
        run: Run,
        facts: FactsOf,
        status: StatusOf,
        spool: Path,
        log: FilteringBoundLogger,
        expires_in: float | None = None,
    ) -> None:
        self._tier = tier
        self._kept = kept
        self._bases = bases
        self._run = run
        self._facts = facts
        self._status = status
        self._spool = spool
        self._log = log
        self._expires_in = expires_in
        self._collecting: dict[str, int] = {}

    def remembered(self, name: str) -> Answer | None:
        """What memory has under a canonical name, without waiting: the hot path."""
        held = self._tier.remembered(name)
        return _answer(held, Found.MEMORY) if held is not None else None

    @asynccontextmanager
    async def derivative(
        self, name: Derivative, *, ranged: bool = False, private: bool = False
    ) -> AsyncIterator[Answer]:
        """The bytes of *name*, good while the context is open. With *ranged* they are bytes or a file, never a stream.

        *private* images are not looked for on disk; whatever is not live and public is not kept there.
        Raises ``StoreUnavailable`` where the store cannot be asked, which says nothing of what is there; and what
        :class:`Run` raises.
        """
        text = str(name)
        # Taken before anything is looked for: what is dropped from here on must not be remembered.
        token = self._tier.begin()
        answer = self.remembered(text)
        if answer is not None:
            yield answer
            return
        async with AsyncExitStack() as stack:
            if not private:
                held = await self._tier.on_disk(name.ident, text, token)
                if held is not None:
                    stack.callback(held.release)
                    yield _answer(held, Found.DISK)
                    await self._tier.used(text)
                    return
            found = await stack.enter_async_context(self._kept.find(text))
            where = Found.STORE
            if found is None:
                made = await stack.enter_async_context(self._run(name))
                if isinstance(made.body, Path):
                    yield made
                    return
                found, where = _made(made, made.body), made.found
            if isinstance(found, Flow):
                self._collect(stack, text, found)
                found = await self._ranged(stack, found) if ranged else found
            if isinstance(found, Held):
                found = self._remembered(name.ident, text, found, token)
            yield _answer(found, where)
            # The asker is served: what follows costs nobody time, and is left out where the asker left early.
            self._collected(found, name.ident, text, token)
            if where is Found.STORE:
                await self._used(found, name.ident, text, token, private=private)

    @asynccontextmanager
    async def base(self, ident: str, *, ranged: bool = False) -> AsyncIterator[Answer]:
        """The base itself, a verified file or checked while it streams; with *ranged* a file.

        Raises ``UnknownImage``, ``BaseMissing``, ``BaseDamaged``, ``StoreUnavailable``.
        """
        facts = await self._facts(ident)
        async with self._bases.find(ident, facts, ranged=ranged) as found:
            yield Answer(
                body=found if isinstance(found, Checked) else found.path,
                size=facts.bytes,
                md5=facts.md5,
                media_type=facts.media_type,
                version=0,
                found=Found.STORE,
            )

    async def drop(self, ident: str) -> None:
        """Forget everything of *ident* in this process: it was removed, blocked, made private or purged."""
        self._bases.drop(ident)
        await self._tier.drop(ident)

    def _collect(self, stack: AsyncExitStack, text: str, flow: Flow) -> None:
        """Collect *flow* on its way where memory will keep it: each name once, and a few at a time."""
        entry_bytes = self._tier.memory.entry_bytes
        under_way = sum(self._collecting.values())
        if (
            text in self._collecting
            or flow.size > entry_bytes
            or under_way + flow.size > _COLLECTED_AT_ONCE * entry_bytes
        ):
            return
        flow.body.collect()
        self._collecting[text] = flow.size
        stack.callback(self._collecting.pop, text)

    async def _ranged(self, stack: AsyncExitStack, flow: Flow) -> Held:
        file = await spooled(flow.body, self._spool)
        stack.callback(file.release)
        return Held(body=file, size=flow.size, md5=flow.md5, media_type=flow.media_type, version=flow.version)

    def _remembered(self, ident: str, text: str, held: Held, token: int) -> Held:
        """*held*, or what memory has of it already: many who asked at once do not hold their own copies each."""
        kept = self._tier.remembered(text)
        if kept is not None and kept.md5 == held.md5:
            return kept
        if kept is None:
            self._tier.remember(ident, text, held, token)
        return held

    def _collected(self, found: Held | Flow, ident: str, text: str, token: int) -> None:
        body = found.body.collected if isinstance(found, Flow) else None
        if body is not None:
            held = Held(body=body, size=found.size, md5=found.md5, media_type=found.media_type, version=found.version)
            self._tier.remember(ident, text, held, token)

    async def _used(self, found: Held | Flow, ident: str, text: str, token: int, *, private: bool) -> None:
        held = found if isinstance(found, Held) else self._tier.remembered(text)
        try:
            if not private and held is not None and (await self._status(ident)).state is State.LIVE:
                await self._tier.keep(ident, text, held, token)
            await self._kept.note_use(text, expires_in=self._expires_in)
        except Fault as fault:
            self._log.debug("use of a stored derivative not noted", name=text, error=fault.detail)


def _made(made: Answer, body: bytes | AsyncIterable[bytes]) -> Held | Flow:
    """What a run answered, made in this process (bytes) or in another (bytes or a stream of them)."""
    if isinstance(body, bytes):
        return Held(body=body, size=made.size, md5=made.md5, media_type=made.media_type, version=made.version)
    flow = Checked(body, size=made.size, algorithm="md5", digest=made.md5, wrong=_cut)
    return Flow(body=flow, size=made.size, md5=made.md5, media_type=made.media_type, version=made.version)


def _cut(what: str) -> StoreUnavailable:
    return StoreUnavailable(f"the deriving process gave {what}; ask again")


def _answer(found: Held | Flow, where: Found) -> Answer:
    body: bytes | Path | AsyncIterable[bytes]
    body = found.body.path if isinstance(found.body, LocalFile) else found.body
    return Answer(
        body=body, size=found.size, md5=found.md5, media_type=found.media_type, version=found.version, found=where
    )
