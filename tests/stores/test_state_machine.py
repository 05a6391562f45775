"""The state machine for providers turns red where a store breaks its promise."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from derivproxy.stores.filesystem import FilesystemStore
from derivproxy.testing import store_machine

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from derivproxy.stores import Entry, ObjectStat


class ForgetsMetadata(FilesystemStore):
    async def put(self, key: str, *body: Any, **said: Any) -> ObjectStat:  # noqa: ANN401
        if await self.path(key):
            said["metadata"] = {}
        return await super().put(key, *body, **said)


class ListsByFolder(FilesystemStore):
    async def list(self, *, prefix: str = "", after: str = "") -> AsyncIterator[Entry]:
        entries = [entry async for entry in super().list(prefix=prefix, after=after)]
        for entry in sorted(entries, key=lambda entry: entry.key.split("/")):
            yield entry


class ListsTheLastAgain(FilesystemStore):
    async def list(self, *, prefix: str = "", after: str = "") -> AsyncIterator[Entry]:
        async for entry in super().list(prefix=prefix):
            if entry.key >= after:
                yield entry


class CreatesAlways(FilesystemStore):
    async def put(self, key: str, *body: Any, **said: Any) -> ObjectStat:  # noqa: ANN401
        return await super().put(key, *body, **{**said, "create": False})


@pytest.mark.parametrize("broken", [ForgetsMetadata, ListsByFolder, ListsTheLastAgain, CreatesAlways])
def test_a_broken_store_is_found_out(broken: type[FilesystemStore]) -> None:
    @contextmanager
    def place() -> Iterator[Callable[[], FilesystemStore]]:
        with tempfile.TemporaryDirectory() as folder:
            yield lambda: broken(Path(folder), durable=False)

    few = settings(
        max_examples=150,
        stateful_step_count=25,
        deadline=None,
        phases=[Phase.generate],
        derandomize=True,
        database=None,
        report_multiple_bugs=False,
        suppress_health_check=(),
    )
    with pytest.raises(AssertionError):
        run_state_machine_as_test(store_machine(place), settings=few)
