"""What stands in for the rooms below, in memory and honest: they keep the promises that web relies on."""

from __future__ import annotations

import asyncio
import hashlib
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from derivproxy.delivery.answers import Answer, Found
from derivproxy.domain.errors import Fault, Removed, UnknownImage, UnsupportedMedia
from derivproxy.domain.images import Facts, Image, Visibility
from derivproxy.domain.status import State, Status
from derivproxy.updates import Added

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, AsyncIterator, Sequence
    from pathlib import Path

    from derivproxy.updates import Spooled
    from grammar import Derivative


def md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def make_image(data: bytes, **values: Any) -> Image:  # noqa: ANN401 - any of its fields
    facts = Facts(media_type="image/jpeg", bytes=len(data), md5=md5(data), width=400, height=300)
    return Image(ident=hashlib.sha256(data).hexdigest(), facts=values.pop("facts", facts), **values)


@dataclass
class Listing:
    images: Sequence[Image]
    next: str | None


class Catalogue:
    def __init__(self) -> None:
        self.live: dict[str, Image] = {}
        self.removed: set[str] = set()
        self.blocked: dict[str, int] = {}
        self.changes = 0

    def put(self, image: Image) -> Image:
        self.changes += 1
        self.live[image.ident] = replace(image, revision=self.changes)
        self.removed.discard(image.ident)
        return self.live[image.ident]

    def status(self, ident: str) -> Status:
        if ident in self.blocked:
            return Status(State.BLOCKED, self.blocked[ident])
        if ident in self.live:
            private = self.live[ident].visibility is Visibility.PRIVATE
            return Status(State.PRIVATE if private else State.LIVE)
        return Status(State.REMOVED if ident in self.removed else State.UNKNOWN)

    async def image(self, ident: str) -> Image:
        if ident in self.removed:
            raise Removed(f"{ident} was removed")
        if ident not in self.live:
            raise UnknownImage(f"no image {ident}")
        return self.live[ident]

    async def revision(self) -> int:
        return self.changes

    async def images(
        self, *, tag: str | None, path: str | None, after: str | None, limit: int, private: bool
    ) -> Listing:
        found = sorted(self.live.values(), key=lambda image: -image.revision)
        found = [image for image in found if private or image.visibility is Visibility.PUBLIC]
        found = [
            image for image in found if (tag is None or tag in image.tags) and (path is None or path == image.path)
        ]
        start = int(after) if after else 0
        more = str(start + limit) if len(found) > start + limit else None
        return Listing(found[start : start + limit], more)


@dataclass
class Delivery:
    """Answers what it is told to; counts what it was asked."""

    memory: dict[str, Answer] = field(default_factory=dict)
    cold: dict[str, Answer | Fault] = field(default_factory=dict)
    bases: dict[str, Answer] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    hang: bool = False
    waiting: asyncio.Event = field(default_factory=asyncio.Event)
    cancelled: asyncio.Event = field(default_factory=asyncio.Event)
    open_answers: int = 0

    def remembered(self, name: str) -> Answer | None:
        return self.memory.get(name)

    @asynccontextmanager
    async def derivative(
        self, name: Derivative, *, ranged: bool = False, private: bool = False
    ) -> AsyncIterator[Answer]:
        self.asked.append(f"{name}{' ranged' * ranged}{' private' * private}")
        if self.hang:
            self.waiting.set()
            try:
                await asyncio.sleep(3600)
            finally:
                self.cancelled.set()
        answer = self.cold[str(name)]
        if isinstance(answer, Fault):
            raise answer
        async with self._open():
            yield answer

    @asynccontextmanager
    async def base(self, ident: str, *, ranged: bool = False) -> AsyncIterator[Answer]:
        self.asked.append(f"{ident}{' ranged' * ranged}")
        async with self._open():
            yield self.bases[ident]

    @asynccontextmanager
    async def _open(self) -> AsyncIterator[None]:
        self.open_answers += 1
        try:
            yield
        finally:
            self.open_answers -= 1


def answer(
    body: bytes | Path | AsyncIterable[bytes],
    *,
    size: int | None = None,
    version: int = 1,
    found: Found = Found.MEMORY,
    media_type: str = "image/jpeg",
) -> Answer:
    size = len(body) if size is None and isinstance(body, bytes) else size or 0
    digest = md5(body) if isinstance(body, bytes) else "0" * 32
    return Answer(body=body, size=size, md5=digest, media_type=media_type, version=version, found=found)


@dataclass
class Updates:
    catalogue: Catalogue
    purged: list[str] = field(default_factory=list)
    received: int = 0

    async def add(self, spooled: Spooled, *, title: str, tags: Sequence[str], path: str) -> Added:
        self.received += spooled.bytes
        data = spooled.path.read_bytes()
        if not data.startswith(b"\xff\xd8"):
            raise UnsupportedMedia("these bytes are no image that is read here; send JPEG")
        there = self.catalogue.live.get(spooled.ident)
        if there is not None:
            return Added(there, created=False)
        image = make_image(data, title=title, path=path, tags=tuple(tags), added=1.0)
        return Added(self.catalogue.put(image), created=True)

    async def remove(self, ident: str) -> int:
        if ident in self.catalogue.removed:
            raise Removed(f"{ident} was removed already")
        if ident not in self.catalogue.live:
            raise UnknownImage(f"no image {ident}")
        del self.catalogue.live[ident]
        self.catalogue.removed.add(ident)
        self.catalogue.changes += 1
        return self.catalogue.changes

    async def purge(self, ident: str) -> int:
        self.purged.append(ident)
        return 3


@dataclass
class Counters:
    counted: list[tuple[str, int, str]] = field(default_factory=list)

    def request(self, route: str, status: int, cache: str) -> None:
        self.counted.append((route, status, cache))


@dataclass
class Log:
    events: list[tuple[str, dict[str, object]]] = field(default_factory=list)

    def info(self, event: str, **values: object) -> None:
        self.events.append((event, values))

    warning = exception = info


@dataclass
class Readiness:
    store_was_reached: bool = True
    now: bool = True

    async def store_answers(self) -> bool:
        return self.now
