"""What takes part: bare pyvips, and servers that are asked over HTTP on loopback."""

from __future__ import annotations

import http.client
import itertools
import os
import sys
from abc import ABC, abstractmethod
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.children import Child, load_generator
from harness.meters import cpu_seconds, settled_cpu_seconds

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from concurrent.futures import Future

    from harness.encoding import Encoders
    from harness.works import Work

CORES = len(os.sched_getaffinity(0))
# libvips as every server here wants it; a contestant that has its own opinion says so in its own settings.
LIBVIPS = {"VIPS_CONCURRENCY": "1", "MALLOC_ARENA_MAX": "2", "VIPS_WARNING": "0"}
# Box heights begin above every photo's: a taller box changes the name and nothing else, so each request is new work
# of exactly the same size.
FIRST_BOX_HEIGHT = 7_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """What one turn of requests cost a contestant."""

    requests: int
    elapsed_seconds: float
    cpu_seconds: float
    latencies_seconds: Sequence[float] = ()
    client_cpu_seconds: float = 0.0

    @property
    def cpu_ms(self) -> float:
        """CPU time of a request, in milliseconds."""
        return 1e3 * self.cpu_seconds / self.requests

    @property
    def per_second(self) -> float:
        """Requests a second."""
        return self.requests / self.elapsed_seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where contestants find the photos, leave their files and their logs; which encoder options hold."""

    photos: Path
    scratch: Path
    encoders: Encoders


class Contestant(ABC):
    """Something that derives. ``name`` is its column, ``version`` what it says of itself."""

    name: str
    version: str
    children: list[Child]

    @property
    def pids(self) -> list[int]:
        """The roots of its processes."""
        return [child.pid for child in self.children]

    def can(self, work: Work) -> bool:  # noqa: ARG002
        """Whether it takes part in *work*."""
        return True

    @abstractmethod
    def cold(self, work: Work, count: int, connections: int) -> Turn:
        """Derive *count* times, nothing remembered from before."""

    @abstractmethod
    def one(self, work: Work) -> bytes:
        """The bytes of one derivative."""

    def stop(self) -> None:
        """End it."""
        for child in self.children:
            child.stop()


class Bare(Contestant):
    """pyvips in one process, a thread for each core."""

    def __init__(self, place: Place, *, shrink: int = 0) -> None:
        self.name = f"bare-s{shrink}" if shrink else "bare"
        self._place, self._shrink = place, shrink
        program = Path(__file__).with_name("bare.py")
        log = place.scratch / f"{self.name}.log"
        self._child = Child([sys.executable, program], log=log, env=LIBVIPS, talks=True)
        self.children = [self._child]
        self.version = f"libvips {self._child.ask({'version': True})['version']}"

    def can(self, work: Work) -> bool:
        """A forced shrink on load is for JPEG, and only where that much is left to scale."""
        return not self._shrink or (work.photo.file.endswith(".jpg") and work.photo.width >= self._shrink * work.width)

    def _job(self, work: Work) -> dict[str, Any]:
        return {
            "photo": str(self._place.photos / work.photo.file),
            "width": work.width,
            "height": work.height,
            "suffix": work.suffix,
            "save": self._place.encoders.save_options(work.suffix),
            "shrink": self._shrink,
        }

    def cold(self, work: Work, count: int, connections: int) -> Turn:
        before = cpu_seconds(self.pids)
        said = self._child.ask({**self._job(work), "count": count, "threads": min(connections, CORES)})
        used = cpu_seconds(self.pids) - before
        return Turn(requests=count, elapsed_seconds=said["elapsed_seconds"], cpu_seconds=used)

    def one(self, work: Work) -> bytes:
        return bytes.fromhex(self._child.ask({**self._job(work), "keep": True})["body"])


class Server(Contestant):
    """A program that answers over HTTP; a subclass starts it and spells its paths."""

    def __init__(self, place: Place, log_name: str) -> None:
        self.place = place
        self.log = place.scratch / f"{log_name}.log"
        self.children = []
        self.ports: list[int] = []
        self._load = load_generator(place.scratch / f"{log_name}-load.log")
        self._boxes = itertools.count(FIRST_BOX_HEIGHT)

    def start(self, command: Sequence[str | Path], port: int, env: Mapping[str, str] | None = None) -> Child:
        """Start a process of it, which listens on *port*."""
        child = Child(command, log=self.log, env=env)
        self.children.append(child)
        self.ports.append(port)
        try:
            child.wait_for_port(port)
        except RuntimeError:
            self.stop()
            raise
        return child

    @abstractmethod
    def path(self, work: Work, box_height: int) -> str:
        """Where it serves *work*; *box_height* makes the path new and changes nothing of the work."""

    def new_paths(self, work: Work, count: int) -> list[str]:
        """Paths that nobody asked for before."""
        return [self.path(work, next(self._boxes)) for _ in range(count)]

    def ask(self, paths: Sequence[str], *, count: int, connections: int, **more: float) -> Turn:
        """Have the load generator ask, and read what that cost the server. Anything but 200 is an error."""
        before = cpu_seconds(self.pids)
        turn = self._asked(self._load, self._job(paths, count, connections, **more))
        used = settled_cpu_seconds(self.pids) - before
        return replace(turn, cpu_seconds=used)

    @contextmanager
    def asked_meanwhile(
        self, paths: Sequence[str], *, count: int, connections: int, limit_seconds: float
    ) -> Iterator[Future[Turn]]:
        """Have a second load generator ask while the block runs; its turn knows nothing of CPU."""
        job = self._job(paths, count, connections, limit_seconds=limit_seconds)
        load = load_generator(self.log)
        try:
            with ThreadPoolExecutor(1) as waiting:
                yield waiting.submit(self._asked, load, job)
        finally:
            load.stop()

    def _job(self, paths: Sequence[str], count: int, connections: int, **more: float) -> dict[str, Any]:
        asked = {"host": "127.0.0.1", "ports": self.ports, "paths": paths, "count": count, "connections": connections}
        return {**asked, **more}

    def _asked(self, load: Child, job: dict[str, Any]) -> Turn:
        said = load.ask(job)
        answered = said["statuses"].get("200", 0)
        if answered != sum(said["statuses"].values()) or (said["unanswered"] and "limit_seconds" not in job):
            raise RuntimeError(
                f"{self.name}: {said['statuses']}, {said['unanswered']} unanswered; the first that failed, of "
                f"{job['paths'][0]} and the like:\n{said['first_error']}\n{self.last_words()}"
            )
        return Turn(
            requests=answered,
            elapsed_seconds=said["elapsed_seconds"],
            cpu_seconds=0.0,
            latencies_seconds=said["latencies_seconds"],
            client_cpu_seconds=said["client_cpu_seconds"],
        )

    def last_words(self) -> str:
        """The end of its log."""
        return self.log.read_text(errors="replace")[-2000:] if self.log.exists() else ""

    def cold(self, work: Work, count: int, connections: int) -> Turn:
        return self.ask(self.new_paths(work, count), count=count, connections=connections)

    def get(self, path: str) -> bytes:
        """One answer's body; an error unless it is 200."""
        connection = http.client.HTTPConnection("127.0.0.1", self.ports[0], timeout=60)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            body = answer.read()
        finally:
            connection.close()
        if answer.status != 200:
            raise RuntimeError(f"{self.name}: {path}: {answer.status} {body[:500]!r}\n{self.last_words()}")
        return body

    def one(self, work: Work) -> bytes:
        return self.get(self.new_paths(work, 1)[0])

    def stop(self) -> None:
        self._load.stop()
        super().stop()
