"""What a tree of processes costs, as the kernel counts it: CPU time from ``stat``, memory from ``smaps_rollup``."""

from __future__ import annotations

import os
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

PROC = Path("/proc")
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


def _fields(pid: int) -> list[str]:
    # The command's name may hold blanks and brackets; the fields begin after the last bracket.
    return (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()


def tree(roots: Sequence[int]) -> list[int]:
    """List *roots* and every living descendant of them."""
    children: dict[int, list[int]] = {}
    for entry in PROC.iterdir():
        if entry.name.isdigit():
            try:
                parent = int(_fields(int(entry.name))[1])
            except (FileNotFoundError, ProcessLookupError):
                continue
            children.setdefault(parent, []).append(int(entry.name))
    found = list(roots)
    for pid in found:
        found.extend(children.get(pid, ()))
    return found


def cpu_seconds(roots: Sequence[int]) -> float:
    """User and system time of the tree so far, with that of children which have ended and were waited for."""
    ticks = 0
    for pid in tree(roots):
        try:
            ticks += sum(int(field) for field in _fields(pid)[11:15])
        except (FileNotFoundError, ProcessLookupError):
            continue
    return ticks / TICKS_PER_SECOND


def settled_cpu_seconds(roots: Sequence[int], *, quiet_seconds: float = 0.06, at_most_seconds: float = 3.0) -> float:
    """Wait until the tree has nothing left to do (work after the answer is paid for too), then read its CPU time."""
    deadline = time.monotonic() + at_most_seconds
    before = cpu_seconds(roots)
    while time.monotonic() < deadline:
        time.sleep(quiet_seconds)
        now = cpu_seconds(roots)
        if now - before <= 1 / TICKS_PER_SECOND:
            return now
        before = now
    return before


def pss_bytes(roots: Sequence[int]) -> int:
    """Memory of the tree: shared pages count by their share, so that forked processes are not counted twice."""
    total = 0
    for pid in tree(roots):
        try:
            lines = (PROC / str(pid) / "smaps_rollup").read_text().splitlines()
        except (FileNotFoundError, ProcessLookupError):
            continue
        total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) * 1024
    return total


@dataclass(slots=True)
class Peak:
    """The highest memory seen so far."""

    pss_bytes: int = 0
    samples: int = 0


@contextmanager
def watching_memory(roots: Sequence[int], *, every_seconds: float = 0.05) -> Iterator[Peak]:
    """Sample the tree's memory while the block runs."""
    peak, stop = Peak(), threading.Event()

    def watch() -> None:
        while not stop.is_set():
            peak.pss_bytes = max(peak.pss_bytes, pss_bytes(roots))
            peak.samples += 1
            stop.wait(every_seconds)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield peak
    finally:
        stop.set()
        watcher.join()


def machine_busy_seconds() -> float:
    """CPU time that all processes of the machine have used, and what its host took away, since it started."""
    user, nice, system, _, _, irq, softirq, steal = (PROC / "stat").read_text().split("\n", 1)[0].split()[1:9]
    return sum(map(int, (user, nice, system, irq, softirq, steal))) / TICKS_PER_SECOND


def own_cpu_seconds() -> float:
    """CPU time of this process and of all it started, as far as they live or were waited for."""
    return cpu_seconds([os.getpid()])
