"""The web room on the real rooms below it: metadata, store, spool, updates, delivery. Only decoding is stood in for."""

from __future__ import annotations

import hashlib
import time
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import anyio
import httpx
import structlog

from derivproxy.delivery import Answer, Bases, Delivery, Found, Kept
from derivproxy.domain.derivation import DERIVATION_VERSION
from derivproxy.domain.errors import Undecodable
from derivproxy.domain.images import Facts
from derivproxy.domain.policy import Policy
from derivproxy.hot_tier import Digests, HotTier, MemoryTier
from derivproxy.metadata import Metadata
from derivproxy.stores import open_store
from derivproxy.updates import Absences, Spool, Updates
from derivproxy.web import Caching, ImageRoute, ImagesApi, Metrics, Operations, Page, Token, create_app
from tests.web.service import BEARER, TOKEN
from tests.web.stand_ins import Readiness, md5

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from derivproxy.domain.status import Status
    from grammar import Derivative

PHOTO = b"\xff\xd8 a photo " * 300_000
IDENT = hashlib.sha256(PHOTO).hexdigest()
NAME = f"{IDENT}-300x.jpg"


class Examiner:
    """Takes for an image what begins like a JPEG."""

    async def examine(self, path: Path, *, md5: str) -> Facts:
        data = await anyio.Path(path).read_bytes()
        if not data.startswith(b"\xff\xd8"):
            raise Undecodable("these bytes are no JPEG")
        return Facts(media_type="image/jpeg", bytes=len(data), md5=md5, width=400, height=300)


@dataclass
class House:
    client: httpx.AsyncClient
    runs: list[str]
    metadata: Metadata
    folder: Path


@asynccontextmanager
async def house(folder: Path) -> AsyncIterator[House]:
    log = structlog.get_logger()
    runs: list[str] = []
    async with AsyncExitStack() as stack:
        store = open_store(f"file://{folder}/store", "images")
        stack.push_async_callback(store.close)
        local = folder / "local"
        for room in ("spool", "bases"):
            (local / room).mkdir(parents=True, exist_ok=True)
        metadata = await stack.enter_async_context(await Metadata.open(local / "metadata.sqlite", write=True))
        digests = Digests()
        tier = HotTier(MemoryTier(10_000_000), log=log)
        kept = Kept(store, version=DERIVATION_VERSION, digests=digests, spool=local / "spool", log=log)
        bases = Bases(store, folder=local / "bases", budget_bytes=10**9, digests=digests, log=log)
        await bases.start()

        async def facts(ident: str) -> Facts:
            return (await metadata.image(ident)).facts

        async def status(ident: str) -> Status:
            return metadata.status(ident)

        @asynccontextmanager
        async def run(name: Derivative) -> AsyncIterator[Answer]:
            runs.append(str(name))
            body = f"bytes of {name}".encode()
            yield Answer(
                body=body,
                size=len(body),
                md5=md5(body),
                media_type="image/jpeg",
                version=DERIVATION_VERSION,
                found=Found.DERIVED,
            )

        delivery = Delivery(
            tier=tier, kept=kept, bases=bases, run=run, facts=facts, status=status, spool=local / "spool", log=log
        )

        async def purge(ident: str) -> int:
            await delivery.drop(ident)
            return await kept.drop(ident)

        updates = Updates(
            store=store,
            metadata=metadata,
            examiner=Examiner(),
            purge=purge,
            trust=bases.trust,
            absences=Absences(time.monotonic),
            clock=time.time,
        )
        token = Token(TOKEN, remedy="ask")
        app = create_app(
            image=ImageRoute(
                catalogue=metadata,
                delivery=delivery,
                recover=updates.recover,
                policy=Policy(),
                token=token,
                caching=Caching(),
                version=DERIVATION_VERSION,
                public_url="",
                clock=time.time,
            ),
            api=ImagesApi(
                catalogue=metadata,
                spool=Spool(local / "spool"),
                updates=updates,
                token=token,
                file_bytes=10_000_000,
                public_url="",
            ),
            operations=Operations(readiness=Readiness(), catalogue=metadata, metrics=Metrics(), version="1"),
            page=Page(catalogue=metadata, markup=lambda image, _: image.ident, public_url="", token_path=""),
            counters=Metrics(),
            log=log,
            access=None,
        )
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://images.test") as client:
            yield House(client, runs, metadata, folder)
    assert list((folder / "local" / "spool").iterdir()) == []


async def test_an_image_goes_in_is_derived_once_and_goes_away(tmp_path: Path) -> None:
    async with house(tmp_path) as it:
        added = await it.client.post("/api/images?title=Bird&tag=a&path=x/y", content=PHOTO, headers=BEARER)
        assert (added.status_code, added.json()["ident"]) == (201, IDENT)
        first = await it.client.get(f"/{NAME}")
        again = await it.client.get(f"/{NAME}")
        assert (first.status_code, first.content) == (200, f"bytes of {NAME}".encode())
        assert first.headers["cache-status"].endswith("detail=derived")
        assert again.headers["cache-status"].endswith("detail=memory")
        assert it.runs == [NAME]
        assert (await it.client.get("/")).text.count("<figure") == 1
        listed = (await it.client.get("/api/images?tag=a&path=x")).json()
        assert [image["title"] for image in listed["images"]] == ["Bird"]
        gone = await it.client.delete(f"/api/images/{IDENT}", headers=BEARER)
        assert gone.json() == {"revision": 2}
        for path in (f"/{NAME}", f"/{IDENT}", f"/api/images/{IDENT}"):
            assert (await it.client.get(path, headers=BEARER)).status_code == 410
        assert (await it.client.get("/api/images")).json() == {"images": [], "next": None}
        back = await it.client.post("/api/images", content=PHOTO, headers=BEARER)
        assert back.status_code == 201
        assert (await it.client.get(f"/{NAME}")).status_code == 200
        assert "derivproxy_revision 3.0" in (await it.client.get("/metrics")).text


async def test_a_large_base_is_given_whole_and_in_parts(tmp_path: Path) -> None:
    async with house(tmp_path) as it:
        await it.client.post("/api/images", content=PHOTO, headers=BEARER)
        whole = await it.client.get(f"/{IDENT}", headers=BEARER)
        part = await it.client.get(f"/{IDENT}", headers={**BEARER, "range": "bytes=2000000-3500000"})
        assert whole.content == PHOTO
        assert (part.status_code, part.content) == (206, PHOTO[2_000_000:3_500_001])


async def test_a_lost_row_comes_back_from_the_store(tmp_path: Path) -> None:
    async with house(tmp_path) as it:
        await it.client.post("/api/images", content=PHOTO, headers=BEARER)
    for file in (tmp_path / "local").glob("metadata.sqlite*"):
        file.unlink()
    async with house(tmp_path) as it:
        assert (await it.client.get(f"/{'0' * 64}-300x.jpg")).status_code == 404
        assert (await it.client.get(f"/{NAME}")).status_code == 200
        assert (await it.client.get(f"/api/images/{IDENT}")).json()["width"] == 400


async def test_what_is_refused_leaves_nothing(tmp_path: Path) -> None:
    async with house(tmp_path) as it:
        for body, status in ((b"no image", 422), (b"\xff\xd8" + bytes(10_000_000), 413), (b"", 400)):
            assert (await it.client.post("/api/images", content=body, headers=BEARER)).status_code == status
        assert (await it.client.get("/api/images?after=junk")).status_code == 400
        assert (await it.client.get("/api/images")).json()["images"] == []
        assert await it.metadata.revision() == 0
