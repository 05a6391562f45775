"""Keeping a volume within a budget, by two walks in constant memory.

The first walk adds up the evictable bytes by how long ago they were used, in steps of 2 %. That says how old is too
old: the second walk takes what is older, and of the step at the border as much as is needed.

Everything here is a generator that yields now and then, so that a thread does a bounded piece of it at a time.
"""

from __future__ import annotations

import math
import os
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from derivproxy.stores.checks import is_key
from derivproxy.stores.filesystem.drafts import clean_drafts
from derivproxy.stores.filesystem.layout import key_at, sidecar_owner
from derivproxy.stores.filesystem.listing import walk
from derivproxy.stores.interface import Evicted, Usage

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from derivproxy.stores.filesystem.listing import Listed
    from derivproxy.stores.filesystem.objects import Objects
    from derivproxy.stores.filesystem.sidecar import Generation

_PIECE = 500
_LOW_WATER = 0.9
_STEPS_PER_DOUBLING = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Evictor:
    """Takes away what can be made again, as *evictable* says of its key."""

    objects: Objects
    evictable: Callable[[str], bool]
    clock_ns: Callable[[], int]

    def usage(self) -> Generator[None, None, Usage]:
        """Add up what is there."""
        objects = size = evictable_objects = evictable_bytes = 0
        for number, one in enumerate(walk(self.objects.volume)):
            objects, size = objects + 1, size + one.file.st_size
            if self.evictable(one.key):
                evictable_objects, evictable_bytes = evictable_objects + 1, evictable_bytes + one.file.st_size
            if number % _PIECE == 0:
                yield
        return Usage(objects=objects, bytes=size, evictable_objects=evictable_objects, evictable_bytes=evictable_bytes)

    def evict(self, budget_bytes: int, older_than: float) -> Generator[None, None, Evicted]:
        """See ``interface.Evicting.evict``. Does nothing while another process evicts here."""
        if budget_bytes < 0:
            raise ValueError(f"a budget of {budget_bytes} bytes: it takes 0 or more")
        with self.objects.volume.sole("evict") as sole:
            now_ns = self.clock_ns()
            held: Counter[int] = Counter()
            for one in self._evictable():
                if one is None:
                    yield
                    continue
                held[_step(one.file, now_ns)] += one.file.st_size
            total = held.total()
            surplus = total - int(budget_bytes * _LOW_WATER) if total > budget_bytes else 0
            if not sole or surplus == 0:
                return Evicted(left_bytes=total)
            objects = size = at_border = 0
            border = _border(held, surplus)
            wanted_at_border = surplus - sum(held[step] for step in held if step > border)
            youngest_ns = now_ns - int(older_than * 1e9)
            for one in self._evictable():
                if one is None:
                    yield
                    continue
                step = _step(one.file, now_ns)
                # Beyond the border all goes, at the border until enough is gone.
                enough = step < border or (step == border and at_border >= wanted_at_border)
                if enough or _last_use_ns(one.file) > youngest_ns:
                    continue
                if self.objects.remove(one.key, only_if=_unused_since(one.file), durable=False):
                    objects, size = objects + 1, size + one.file.st_size
                    at_border += one.file.st_size if step == border else 0
            return Evicted(objects=objects, bytes=size, left_bytes=total - size)

    def sweep(self) -> Generator[None, None, int]:
        """Take away objects that expired, descriptions without bytes, drafts of dead writers, empty folders."""
        clean_drafts(self.objects.volume)
        self.objects.volume.check()
        expired = 0
        for number, key in enumerate(self._described(self.objects.volume.root)):
            expired += self.objects.remove(key, only_if=self._is_expired)
            if number % _PIECE == 0:
                yield
        return expired

    def _is_expired(self, _file: os.stat_result, description: Generation | None) -> bool:
        return description is not None and description.expired(self.clock_ns())

    def _evictable(self) -> Iterator[Listed | None]:
        """The evictable objects, and ``None`` now and then: time to pause."""
        for number, one in enumerate(walk(self.objects.volume)):
            if self.evictable(one.key):
                yield one
            if number % _PIECE == 0:
                yield None

    def _described(self, folder: str) -> Iterator[str]:
        """The keys that have a sidecar in *folder* or below and may have to go."""
        root = self.objects.volume.root
        try:
            with os.scandir(folder) as found:
                children = {child.name: child.is_dir() for child in found}
        except (FileNotFoundError, NotADirectoryError):
            return
        for name, is_folder in children.items():
            if is_folder and not name.startswith("."):
                yield from self._described(f"{folder}/{name}")
            elif (owner := sidecar_owner(name)) is not None:
                key = key_at(f"{folder}/{owner}"[len(root) + 1 :])
                if is_key(key) and self.objects.place(key).data == f"{folder}/{owner}":
                    yield key
        if not children:
            self.objects.volume.drop_folders(folder)


def _last_use_ns(file: os.stat_result) -> int:
    # A file read where access times are not kept was used when it was written, at least.
    return max(file.st_atime_ns, file.st_mtime_ns)


def _unused_since(seen: os.stat_result) -> Callable[[os.stat_result, Generation | None], bool]:
    def unused(file: os.stat_result, _description: Generation | None) -> bool:
        return file.st_ino == seen.st_ino and _last_use_ns(file) == _last_use_ns(seen)

    return unused


def _step(file: os.stat_result, now_ns: int) -> int:
    """How long ago the file was used; a larger number is longer ago."""
    seconds = max(0, now_ns - _last_use_ns(file)) / 1e9
    return int(math.log2(1 + seconds) * _STEPS_PER_DOUBLING)


def _border(held: Counter[int], surplus: int) -> int:
    """The youngest step from which anything has to go so that *surplus* bytes go, oldest first."""
    gone = 0
    for step in sorted(held, reverse=True):
        gone += held[step]
        if gone >= surplus:
            return step
    return 0
