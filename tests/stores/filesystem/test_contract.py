"""The filesystem provider keeps the contract, in all its ways of running."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from derivproxy.stores import Evicting, Store, open_store
from derivproxy.stores.filesystem import FilesystemStore
from derivproxy.testing import StoreContract, store_machine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class TestFilesystem(StoreContract):
    @pytest.fixture
    def factory(self, tmp_path: Path) -> Callable[[], Store]:
        return partial(open_store, f"file://{tmp_path}/store", "images")


class TestFilesystemThatMayBeLost(StoreContract):
    @pytest.fixture
    def factory(self, tmp_path: Path) -> Callable[[], Store]:
        return partial(FilesystemStore, tmp_path / "tier", durable=False, threads=1)


def test_the_store_can_be_kept_within_a_budget(tmp_path: Path) -> None:
    assert isinstance(FilesystemStore(tmp_path / "images"), Evicting)


@contextmanager
def place() -> Iterator[Callable[[], Store]]:
    with tempfile.TemporaryDirectory() as folder:
        yield partial(FilesystemStore, Path(folder) / "images", durable=False)


TestMachine = store_machine(place).TestCase
TestMachine.settings = settings(max_examples=25, stateful_step_count=25, deadline=None)
