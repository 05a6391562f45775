"""Walking a volume in the order of its keys, holding the names of one folder a level and nothing else.

Within a folder the order of keys is that of names with a slash after each folder's (``a-b`` < ``a/b`` < ``ab``). The
keys fanned out by ident and those at their own paths are two walks, each in order, merged.
"""

from __future__ import annotations

import heapq
import os
import stat
from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING

from derivproxy.stores.checks import KEY_BYTES, is_segment
from derivproxy.stores.filesystem.layout import IDENT_BYTES, begins_with_ident, is_fan_out

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from derivproxy.stores.filesystem.volume import Volume

_LEVELS = (2, 4, IDENT_BYTES)
_HEX = frozenset("0123456789abcdef")


@dataclass(frozen=True, slots=True)
class Listed:
    """A data file under *key*."""

    key: str
    path: str
    file: os.stat_result


def walk(volume: Volume, *, prefix: str = "", after: str = "") -> Iterator[Listed]:
    """The objects whose keys begin with *prefix* and sort after *after*, in order.

    Blocking. Raises ``StoreUnavailable`` where the volume vanished, also meanwhile: a listing that ends was whole. An
    ``OSError`` comes through.
    """
    volume.check()
    walker = _Walker(volume, prefix, after)
    yield from heapq.merge(walker.plain(volume.root, ""), walker.idents(volume.root, 0, ""), key=attrgetter("key"))
    volume.check()


@dataclass(frozen=True, slots=True)
class _Walker:
    volume: Volume
    prefix: str
    after: str

    def plain(self, folder: str, stem: str) -> Iterator[Listed]:
        """The objects below *folder*, all of whose keys begin with *stem*."""
        for name in self._names(folder, stem):
            if name.endswith("/"):
                yield from self.plain(f"{folder}/{name[:-1]}", stem + name)
            elif (listed := _look(stem + name, f"{folder}/{name}")) is not None:
                yield listed

    def idents(self, folder: str, level: int, stem: str) -> Iterator[Listed]:
        """The objects below *folder*, which holds the idents that begin with *stem*."""
        if level == len(_LEVELS):
            yield from self._of_ident(folder, stem)
            return
        for child in self._children(folder, level, stem):
            name = child if level + 1 == len(_LEVELS) else child[-2:]
            yield from self.idents(f"{folder}/{name}", level + 1, child)

    def _of_ident(self, folder: str, ident: str) -> Iterator[Listed]:
        for name in self._scan(folder, lambda name: name.startswith(ident) and self._wanted(name)):
            if name.endswith("/"):
                yield from self.plain(f"{folder}/{name[:-1]}", name)
            elif (listed := _look(name, f"{folder}/{name}")) is not None:
                yield listed

    def _names(self, folder: str, stem: str) -> list[str]:
        rest = self.prefix[len(stem) :] if self.prefix.startswith(stem) else ""
        head, slash, _ = rest.partition("/")
        if slash:
            # The prefix says which folder comes next: nothing here needs reading.
            ours = not stem and (is_fan_out(head) or begins_with_ident(head))
            return [head + "/"] if is_segment(head) and self._wanted(f"{stem}{head}/") and not ours else []
        if stem:
            return self._scan(folder, lambda name: self._wanted(stem + name))
        return self._scan(
            folder, lambda name: not is_fan_out(name.rstrip("/")) and not begins_with_ident(name) and self._wanted(name)
        )

    def _children(self, folder: str, level: int, stem: str) -> list[str]:
        length = _LEVELS[level]
        if len(self.prefix) >= length:
            child = self.prefix[:length]
            return [child] if child.startswith(stem) and _HEX.issuperset(child) and self._below(child) else []
        digits = "" if level + 1 == len(_LEVELS) else stem

        def keep(name: str) -> bool:
            child = digits + name[:-1]
            legal = name.endswith("/") and len(child) == length and _HEX.issuperset(child) and child.startswith(stem)
            return legal and self._below(child)

        return [digits + name[:-1] for name in self._scan(folder, keep)]

    def _wanted(self, name: str) -> bool:
        """Whether *name*, a key or a folder of keys with its slash, is or can hold what is asked for."""
        if len(name) > KEY_BYTES:
            return False
        return self._below(name) if name.endswith("/") else name.startswith(self.prefix) and name > self.after

    def _below(self, stem: str) -> bool:
        """Whether keys that begin with *stem* can begin with the prefix and sort after what was named last."""
        related = stem.startswith(self.prefix) or self.prefix.startswith(stem)
        return related and (stem > self.after or self.after.startswith(stem))

    def _scan(self, folder: str, keep: Callable[[str], bool]) -> list[str]:
        """The legal names in *folder* that *keep* wants, in order, folders with a slash behind them."""
        names = []
        try:
            with os.scandir(folder) as children:
                for child in children:
                    if is_segment(child.name):
                        name = child.name + "/" if child.is_dir() else child.name
                        if keep(name):
                            names.append(name)
        except (FileNotFoundError, NotADirectoryError):
            self.volume.check()
        names.sort()
        return names


def _look(key: str, path: str) -> Listed | None:
    try:
        file = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    return Listed(key, path, file) if stat.S_ISREG(file.st_mode) else None
