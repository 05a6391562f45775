"""The machine and the moment: what a reader needs to know before believing a figure."""

from __future__ import annotations

import os
import platform
from pathlib import Path

from harness.contestants import CORES
from harness.meters import machine_busy_seconds, own_cpu_seconds


def shape() -> dict[str, str | int]:
    """Cores, processor, memory, system."""
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "cores": CORES,
        "processor": model,
        "memory_gb": round(memory / 1e9),
        "system": f"{platform.system()} {platform.release().split('-')[0]}",
        "python": platform.python_version(),
    }


class Neighbours:
    """How much CPU others took meanwhile: everything the machine spent that was not of this process's tree."""

    def __init__(self, clock: float) -> None:
        self._start, self._busy, self._own = clock, machine_busy_seconds(), own_cpu_seconds()

    def share(self, clock: float) -> float:
        """Of all the CPU time there was since the start, from 0 to 1."""
        others = machine_busy_seconds() - self._busy - (own_cpu_seconds() - self._own)
        return max(0.0, others / ((clock - self._start) * CORES))
