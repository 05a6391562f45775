"""A store against a dict: whatever is done in whatever order, the two say the same."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import anyio.from_thread
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule

from derivproxy.stores import ObjectExists, ObjectMissing
from derivproxy.testing.reading import whole

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from contextlib import AbstractContextManager

    from derivproxy.stores import Store

    Opener = Callable[[], Store]

_IDENTS = ["0123456789abcdef" * 4, "0123456789abcdef" * 3 + "fedcba9876543210", "f" * 64]
_KEYS = st.one_of(
    st.sampled_from(_IDENTS),
    st.builds(
        lambda ident, rest: ident + rest, st.sampled_from(_IDENTS), st.sampled_from(["-x.jpg", "~512", "-9x.png"])
    ),
    # No key of these is a folder of another.
    st.builds("{}/{}".format, st.sampled_from(["l", "l-", "l.l"]), st.sampled_from(["1", "1-", "10", "2"])),
    st.sampled_from(["format", "l0", "0123", "013"]),
)
_BODIES = st.one_of(st.binary(max_size=40), st.sampled_from([b"x" * 1_048_576, b"y" * 1_048_577]))
_METADATA = st.dictionaries(st.sampled_from(["dv", "md5", "width"]), st.sampled_from(["1", "two", "3 3"]), max_size=3)
_TYPES = st.sampled_from(["image/jpeg", "image/webp;dv=2", "application/octet-stream"])


def store_machine(place: Callable[[], AbstractContextManager[Opener]]) -> type[RuleBasedStateMachine]:  # noqa: C901 -- one class, made for one store
    """A state machine over what *place* makes: each run enters it anew for a function that opens one empty container.

    For stores that are ``prompt``. Its ``TestCase`` is what pytest collects.
    """

    class StoreMachine(RuleBasedStateMachine):
        """Puts, creates, deletes, reads, lists and reopens; ``model`` is what should be there."""

        keys = Bundle("keys")

        def __init__(self) -> None:
            super().__init__()
            self.model: dict[str, tuple[bytes, str, dict[str, str]]] = {}
            self._portal_context = anyio.from_thread.start_blocking_portal("asyncio")
            self._portal = self._portal_context.__enter__()
            self._place = place()
            self._open = self._place.__enter__()
            self.store = self.run(self._opening)

        def run(self, deed: Callable[..., Awaitable[Any]], *arguments: Any) -> Any:  # noqa: ANN401
            """Run *deed* in the event loop."""
            return self._portal.call(deed, *arguments)

        async def _opening(self) -> Store:
            return self._open()

        @initialize(target=keys, key=_KEYS)
        def begin(self, key: str) -> str:
            return key

        @rule(target=keys, key=_KEYS)
        def think_of(self, key: str) -> str:
            return key

        @rule(key=keys, body=_BODIES, content_type=_TYPES, metadata=_METADATA, create=st.booleans())
        def put(self, key: str, body: bytes, content_type: str, metadata: dict[str, str], *, create: bool) -> None:
            async def deed() -> bool:
                try:
                    await self.store.put(key, body, content_type=content_type, metadata=metadata, create=create)
                except ObjectExists:
                    return False
                return True

            kept = self.run(deed)
            assert kept == (not create or key not in self.model)
            if kept:
                self.model[key] = (body, content_type, metadata)

        @rule(some=st.lists(_KEYS, min_size=2, max_size=8, unique=True))
        def fill(self, some: list[str]) -> None:
            for key in some:
                self.put(key=key, body=b"filled", content_type="image/gif", metadata={}, create=False)

        @rule(key=keys)
        def delete(self, key: str) -> None:
            self.run(self.store.delete, key)
            self.model.pop(key, None)

        @rule(key=keys)
        def use(self, key: str) -> None:
            self.run(self.store.note_use, key)

        @rule(key=keys, ends=st.tuples(st.integers(0, 50), st.integers(0, 50)))
        def read(self, key: str, ends: tuple[int, int]) -> None:
            start, stop = min(ends), max(ends)

            async def deed() -> Any:  # noqa: ANN401
                try:
                    return await whole(self.store, key, start, stop)
                except ObjectMissing:
                    return None

            self._compare(key, self.run(deed), start, stop)

        @rule(
            prefix=st.one_of(st.just(""), _KEYS, st.builds(lambda key, n: key[:n], _KEYS, st.integers(0, 70))),
            after=_KEYS,
        )
        def list_part(self, prefix: str, after: str) -> None:
            expected = sorted(key for key in self.model if key.startswith(prefix) and key > after)
            assert self._names(prefix, after) == expected

        @rule()
        def reopen(self) -> None:
            self.run(self.store.close)
            self.store = self.run(self._opening)

        @invariant()
        def holds_what_was_put(self) -> None:
            assert self._names("", "") == sorted(self.model)
            for key in self.model:
                self._compare(key, self.run(whole, self.store, key), 0, None)

        def _names(self, prefix: str, after: str) -> list[str]:
            async def deed() -> list[str]:
                return [entry.key async for entry in self.store.list(prefix=prefix, after=after)]

            found: list[str] = self.run(deed)
            return found

        def _compare(self, key: str, found: Any, start: int, stop: int | None) -> None:  # noqa: ANN401
            if key not in self.model:
                assert found is None
                return
            body, content_type, metadata = self.model[key]
            stat, data = found
            assert data == body[start:stop]
            assert (stat.content_type, dict(stat.metadata), stat.size) == (content_type, metadata, len(body))
            assert stat.md5 == hashlib.md5(body, usedforsecurity=False).hexdigest()

        def teardown(self) -> None:
            try:
                self.run(self.store.close)
            finally:
                self._place.__exit__(None, None, None)
                self._portal_context.__exit__(None, None, None)

    return StoreMachine
