"""What is counted, for Prometheus: all processes of the machine as one.

One process counts in memory. Several share a folder, in which prometheus_client keeps one file a process; whichever is
asked answers with the sum. For that the folder must be in ``PROMETHEUS_MULTIPROC_DIR`` before prometheus_client is
imported (the library decides on import), and be empty when the first process starts.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Literal

import anyio
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
    multiprocess,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


_DERIVATION_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_STORE_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)

Tier = Literal["memory", "disk"]


class Metrics:
    """The counters of one process. *shared* is the folder of the machine's processes, ``None`` where there is one.

    Every method costs a microsecond or two: the children of a label set are looked up once and kept. Label values come
    from closed sets (routes, statuses, formats), so their number is bounded.
    """

    def __init__(self, shared: Path | None = None) -> None:
        if shared is not None and os.environ.get("PROMETHEUS_MULTIPROC_DIR") != str(shared):
            raise ValueError(
                f"PROMETHEUS_MULTIPROC_DIR is {os.environ.get('PROMETHEUS_MULTIPROC_DIR')!r}, not {str(shared)!r}: "
                "set it before prometheus_client is imported"
            )
        disable_created_metrics()  # type: ignore[no-untyped-call]
        registry = CollectorRegistry()
        self._registry = registry
        self._shared = shared
        self._requests = Counter(
            "derivproxy_requests", "Requests answered.", ("route", "status", "cache"), registry=registry
        )
        self._derivations = Counter(
            "derivproxy_derivations",
            "Derivations started, by how they ended.",
            ("format", "outcome"),
            registry=registry,
        )
        self._derivation_seconds = Histogram(
            "derivproxy_derivation_seconds",
            "Seconds from a granted slot to the encoded bytes.",
            registry=registry,
            buckets=_DERIVATION_BUCKETS,
        )
        self._store_seconds = Histogram(
            "derivproxy_store_seconds",
            "Seconds an operation of the store took.",
            ("operation", "outcome"),
            registry=registry,
            buckets=_STORE_BUCKETS,
        )
        # A process that is gone holds nothing any more: only the living are summed.
        self._queue_depth = Gauge(
            "derivproxy_queue_depth",
            "Derivations waiting for a slot or running.",
            registry=registry,
            multiprocess_mode="livesum",
        )
        self._hot_tier_bytes = Gauge(
            "derivproxy_hot_tier_bytes",
            "Bytes kept in front of the store.",
            ("tier",),
            registry=registry,
            multiprocess_mode="livesum",
        )
        self._revision = Gauge(
            "derivproxy_revision",
            "The revision of the metadata that is visible.",
            registry=registry,
            multiprocess_mode="livemax",
        )
        self._request_children: dict[tuple[str, int, str], Counter] = {}
        self._derivation_children: dict[tuple[str, str], Counter] = {}
        self._store_children: dict[tuple[str, str], Histogram] = {}
        self._samplers: list[Callable[[], None]] = []

    def request(self, route: str, status: int, cache: str) -> None:
        """Count one answered request. *cache* says where an image came from, else it is empty."""
        key = (route, status, cache)
        child = self._request_children.get(key)
        if child is None:
            child = self._request_children[key] = self._requests.labels(route, str(status), cache)
        child.inc()

    def derivation(self, format: str, outcome: str, seconds: float) -> None:  # noqa: A002 - the label's name
        """Count a derivation that was started, when it ended: *outcome* is ``ok``, ``cancelled`` or a fault's code."""
        key = (format, outcome)
        child = self._derivation_children.get(key)
        if child is None:
            child = self._derivation_children[key] = self._derivations.labels(format, outcome)
        child.inc()
        self._derivation_seconds.observe(seconds)

    def store(self, operation: str, outcome: str, seconds: float) -> None:
        """Count one operation of the store: *outcome* is ``ok``, ``missing`` or a fault's code."""
        key = (operation, outcome)
        child = self._store_children.get(key)
        if child is None:
            child = self._store_children[key] = self._store_seconds.labels(operation, outcome)
        child.observe(seconds)

    def watch_queue(self, depth: Callable[[], int]) -> None:
        """Sample the depth of the queue from now on."""
        self._samplers.append(lambda: self._queue_depth.set(depth()))

    def watch_tier(self, tier: Tier, size_bytes: Callable[[], int]) -> None:
        """Sample the bytes in a *tier* of this process from now on."""
        child = self._hot_tier_bytes.labels(tier)
        self._samplers.append(lambda: child.set(size_bytes()))

    def revision(self, number: int) -> None:
        """The revision that is visible now."""
        self._revision.set(number)

    def sample(self) -> None:
        """Read every watched value once."""
        for sampler in self._samplers:
            sampler()

    async def sample_forever(self, every_seconds: float = 1.0) -> None:
        """Sample until cancelled: what other processes show of this one is as old as that. One alone needs it not."""
        while True:
            self.sample()
            await anyio.sleep(every_seconds)

    def exposition(self) -> bytes:
        """All metrics of the machine in Prometheus' text format."""
        self.sample()
        if self._shared is None:
            return generate_latest(self._registry)
        registry = CollectorRegistry()
        multiprocess.MultiProcessCollector(registry, path=str(self._shared))  # type: ignore[no-untyped-call]
        return generate_latest(registry)


def process_ended(pid: int, shared: Path) -> None:
    """Take what process *pid* showed as its own (queue, tiers) out of the sum; what it counted stays."""
    multiprocess.mark_process_dead(pid, path=str(shared))  # type: ignore[no-untyped-call]
