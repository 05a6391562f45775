"""The service put together from stand-ins, and ways to talk to it: httpx, and raw sockets to a real Hypercorn."""

from __future__ import annotations

import asyncio
import socket
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

import httpx
from hypercorn.asyncio import serve
from hypercorn.config import Config

from derivproxy.domain.errors import UnknownImage
from derivproxy.domain.policy import Policy
from derivproxy.updates import Spool
from derivproxy.web import Caching, ImageRoute, ImagesApi, Metrics, Operations, Page, Token, create_app
from tests.web.stand_ins import Catalogue, Counters, Delivery, Log, Readiness, Updates

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from derivproxy.domain.images import Image
    from derivproxy.web.front import Front

TOKEN = "right-token"  # noqa: S105 - of a test
BEARER = {"Authorization": f"Bearer {TOKEN}"}
NOW = 1_800_000_000.0


@dataclass
class Service:
    spool_folder: ClassVar[Path]
    policy: Policy = field(default_factory=Policy)
    caching: Caching = field(default_factory=Caching)
    public_url: str = ""
    page: bool = True
    token: str | None = TOKEN
    file_bytes: int = 1_000_000
    lost: dict[str, Image] = field(default_factory=dict)
    catalogue: Catalogue = field(default_factory=Catalogue)
    delivery: Delivery = field(default_factory=Delivery)
    counters: Counters = field(default_factory=Counters)
    log: Log = field(default_factory=Log)
    access: Log = field(default_factory=Log)
    readiness: Readiness = field(default_factory=Readiness)
    looked_for: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.updates = Updates(self.catalogue)
        token = Token(self.token, remedy="it is in DATA/token")
        self.app = self._app(token)

    def _app(self, token: Token) -> Front:
        image = ImageRoute(
            catalogue=self.catalogue,
            delivery=self.delivery,
            recover=self._recover,
            policy=self.policy,
            token=token,
            caching=self.caching,
            version=1,
            public_url=self.public_url,
            clock=lambda: NOW,
        )
        api = ImagesApi(
            catalogue=self.catalogue,
            spool=Spool(self.spool_folder),
            updates=self.updates,
            token=token,
            file_bytes=self.file_bytes,
            public_url=self.public_url,
        )
        page = Page(
            catalogue=self.catalogue,
            markup=lambda image, prefix: f'<picture><img src="{prefix}/{image.ident}-640x.jpg" alt=""></picture>',
            public_url=self.public_url,
            token_path="/data/token",  # noqa: S106 - where it is, not what
        )
        return create_app(
            image=image,
            api=api,
            operations=Operations(readiness=self.readiness, catalogue=self.catalogue, metrics=Metrics(), version="1"),
            page=page if self.page else None,
            counters=self.counters,
            log=self.log,
            access=self.access,
            new_id=lambda: "made-id",
        )

    async def _recover(self, ident: str) -> Image:
        self.looked_for.append(ident)
        if ident not in self.lost:
            raise UnknownImage(f"no image {ident}")
        return self.catalogue.put(self.lost.pop(ident))

    def client(self, *, root_path: str = "") -> httpx.AsyncClient:
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False, root_path=root_path)
        return httpx.AsyncClient(transport=transport, base_url="http://images.test")


@asynccontextmanager
async def served(app: Front) -> AsyncIterator[tuple[str, int]]:
    """*app* on a free port of the loopback, by a real Hypercorn."""
    sock = socket.create_server(("127.0.0.1", 0))
    address = sock.getsockname()
    config = Config()
    config.bind = [f"fd://{sock.detach()}"]
    config.graceful_timeout = 0.2
    config.errorlog = None
    stop = asyncio.Event()
    task = asyncio.create_task(serve(app, config, shutdown_trigger=stop.wait, mode="asgi"))
    try:
        yield address
    finally:
        stop.set()
        await task


@asynccontextmanager
async def connected(address: tuple[str, int]) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection, closed in the end however it went."""
    reader, writer = await asyncio.open_connection(*address)
    try:
        yield reader, writer
    finally:
        await hang_up(writer)


async def hang_up(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with suppress(ConnectionError):
        await writer.wait_closed()


async def say(address: tuple[str, int], request: bytes, *, seconds: float = 5.0) -> bytes:
    """Everything the server says to *request* until it closes the connection."""
    async with connected(address) as (reader, writer):
        writer.write(request)
        await writer.drain()
        return await asyncio.wait_for(reader.read(), seconds)


def get(path: bytes, *headers: bytes, method: bytes = b"GET") -> bytes:
    lines = [method + b" " + path + b" HTTP/1.1", b"host: images.test", b"connection: close", *headers]
    return b"\r\n".join(lines) + b"\r\n\r\n"


def status_of(said: bytes) -> int:
    return int(said.split(b" ", 2)[1])
