"""What the web room is given by others, through its constructors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractAsyncContextManager

    from derivproxy.delivery.answers import Answer
    from derivproxy.domain.images import Image
    from derivproxy.domain.status import Status
    from derivproxy.updates import Spooled
    from grammar import Derivative


class Listed(Protocol):
    """One page of a listing; *next* asks for the one that follows, ``None`` at the end."""

    @property
    def images(self) -> Sequence[Image]:
        """The images of this page."""
        ...

    @property
    def next(self) -> str | None:
        """The cursor of the next page."""
        ...


class Catalogue(Protocol):
    """The metadata, for reading."""

    def status(self, ident: str) -> Status:
        """What *ident* is at this instant, in microseconds: it is asked for every request."""
        ...

    async def image(self, ident: str) -> Image:
        """The live image, public or private. Raises ``UnknownImage``, ``Removed``."""
        ...

    async def images(
        self, *, tag: str | None, path: str | None, after: str | None, limit: int, private: bool
    ) -> Listed:
        """Live images, newest first; private ones only with *private*. Raises ``BadRequest`` for what is no cursor."""
        ...

    async def revision(self) -> int:
        """The revision that is visible."""
        ...


class Delivery(Protocol):
    """The read path."""

    def remembered(self, name: str) -> Answer | None:
        """The derivative where it is in memory: without waiting."""
        ...

    def derivative(
        self, name: Derivative, *, ranged: bool = False, private: bool = False
    ) -> AbstractAsyncContextManager[Answer]:
        """The derivative, found or made; good while the context is open. Leaving it early gives the work up."""
        ...

    def base(self, ident: str, *, ranged: bool = False) -> AbstractAsyncContextManager[Answer]:
        """The base; with *ranged* as bytes or a file, which can be read from any place."""
        ...


class Added(Protocol):
    """What became of an upload."""

    @property
    def image(self) -> Image:
        """The image as it is kept."""
        ...

    @property
    def created(self) -> bool:
        """Whether it was not live before."""
        ...


class Updates(Protocol):
    """The write path: ``updates.Updates`` in the engine, elsewhere a client over its socket."""

    async def add(self, spooled: Spooled, *, title: str, tags: Sequence[str], path: str) -> Added:
        """Put an upload in; durable and visible when it returns. Raises the ``Refused`` of what is no image."""
        ...

    async def remove(self, ident: str) -> int:
        """Take the image away: the revision in which it is gone. Raises ``UnknownImage``, ``Removed``."""
        ...

    async def purge(self, ident: str) -> int:
        """Forget every derivative of the image in every tier: how many. Raises ``UnknownImage``."""
        ...


class Recover(Protocol):
    """Looks in the store for an image that the metadata does not know."""

    async def __call__(self, ident: str) -> object:
        """The metadata knows it now. Raises ``UnknownImage``, at once for what was not there a moment ago."""
        ...


class Counters(Protocol):
    """Where requests are counted."""

    def request(self, route: str, status: int, cache: str) -> None:
        """Count one answered request."""
        ...


class Log(Protocol):
    """Where events go: structlog's bound logger, or anything like it."""

    def info(self, event: str, **values: object) -> object:
        """One event."""
        ...

    def warning(self, event: str, **values: object) -> object:
        """One event that somebody should see."""
        ...

    def exception(self, event: str, **values: object) -> object:
        """One event with the exception being handled."""
        ...
