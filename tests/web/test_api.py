from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from derivproxy.domain.images import Visibility
from tests.web.service import BEARER, Service
from tests.web.stand_ins import make_image

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

PHOTO = b"\xff\xd8 a photo"
IDENT = hashlib.sha256(PHOTO).hexdigest()


async def test_an_image_is_added_once_and_told_of() -> None:
    it = Service()
    async with it.client() as client:
        first = await client.post("/api/images?title=Red+bird&tag=a&tag=b&path=birds", content=PHOTO, headers=BEARER)
        again = await client.post("/api/images", content=PHOTO, headers=BEARER)
        told = await client.get(first.headers["location"])
    assert (first.status_code, again.status_code) == (201, 200)
    document = first.json()
    assert document["ident"] == IDENT
    assert document["url"] == f"/{IDENT}"
    assert (document["width"], document["height"], document["media_type"]) == (400, 300, "image/jpeg")
    assert (document["bytes"], document["pages"], document["revision"]) == (len(PHOTO), 1, 1)
    assert (document["title"], document["tags"], document["path"]) == ("Red bird", ["a", "b"], "birds")
    assert told.json() == document
    assert first.headers["cache-control"] == "no-store"
    assert it.counters.counted == [("add", 201, ""), ("add", 200, ""), ("describe", 200, "")]


@pytest.mark.parametrize(
    "headers",
    [{}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic right-token"}, {"Authorization": "Bearer"}],
)
async def test_nobody_writes_without_the_token(headers: dict[str, str]) -> None:
    it = Service()
    async with it.client() as client:
        for method, path in [
            ("POST", "/api/images"),
            ("DELETE", f"/api/images/{IDENT}"),
            ("DELETE", f"/api/images/{IDENT}/derivatives"),
        ]:
            got = await client.request(method, path, content=PHOTO, headers=headers)
            assert (got.status_code, got.json()["code"]) == (401, "unauthorised")
            assert got.headers["www-authenticate"] == "Bearer"
            assert "DATA/token" in got.json()["detail"]
    assert it.updates.received == 0
    assert it.catalogue.changes == 0
    assert it.updates.purged == []


async def test_a_server_without_a_token_takes_nothing_from_anybody() -> None:
    async with Service(token=None).client() as client:
        for said in ("Bearer ", "Bearer None", "Bearer x"):
            assert (await client.post("/api/images", content=PHOTO, headers={"Authorization": said})).status_code == 401


async def test_too_many_bytes_are_refused_by_what_is_announced_and_by_what_comes() -> None:
    it = Service(file_bytes=100)
    big = b"\xff\xd8" + b"x" * 99

    async def unannounced() -> AsyncIterator[bytes]:
        yield big

    async with it.client() as client:
        announced = await client.post("/api/images", content=big, headers=BEARER)
        assert it.updates.received == 0
        streamed = await client.post("/api/images", content=unannounced(), headers=BEARER)
        fits = await client.post("/api/images", content=big[:100], headers=BEARER)
    assert (announced.status_code, streamed.status_code, fits.status_code) == (413, 413, 201)
    assert "101 bytes" in announced.json()["detail"]


async def test_what_is_no_image_is_refused() -> None:
    async with Service().client() as client:
        text = await client.post("/api/images", content=b"hello", headers=BEARER)
        nothing = await client.post("/api/images", content=b"", headers=BEARER)
    assert (text.status_code, text.json()["code"]) == (415, "unsupported-media")
    assert (nothing.status_code, nothing.json()["code"]) == (400, "bad-request")


@pytest.mark.parametrize(
    ("method", "path", "named"),
    [
        ("POST", "/api/images?titel=x", "titel"),
        ("POST", "/api/images?title=x&title=y", "title"),
        ("GET", "/api/images?tags=x", "tags"),
        ("GET", "/api/images?limit=0", "limit=0"),
        ("GET", "/api/images?limit=1001", "limit=1001"),
        ("GET", "/api/images?limit=%D9%A1", "limit"),
        ("GET", f"/api/images/{IDENT}?x=1", "x"),
        ("GET", "/api/images/ABC", "ABC"),
        ("DELETE", f"/api/images/{IDENT.upper()}", IDENT.upper()),
    ],
)
async def test_what_says_nothing_is_named(method: str, path: str, named: str) -> None:
    async with Service().client() as client:
        got = await client.request(method, path, headers=BEARER)
    assert (got.status_code, got.json()["code"]) == (400, "bad-request")
    assert named in got.json()["detail"]


async def test_a_listing_walks_in_pages_and_filters() -> None:
    it = Service()
    for number in range(5):
        it.catalogue.put(make_image(b"\xff\xd8 %d" % number, tags=("odd",) if number % 2 else (), path="p"))
    async with it.client() as client:
        seen: list[str] = []
        after = ""
        while True:
            page = (await client.get(f"/api/images?limit=2{after}")).json()
            seen += [image["ident"] for image in page["images"]]
            if page["next"] is None:
                break
            after = f"&after={page['next']}"
        odd = (await client.get("/api/images?tag=odd&path=p")).json()
    assert len(seen) == len(set(seen)) == 5
    assert len(odd["images"]) == 2


async def test_private_images_are_told_of_to_the_token_alone() -> None:
    it = Service()
    image = it.catalogue.put(replace(make_image(PHOTO), visibility=Visibility.PRIVATE))
    async with it.client() as client:
        assert (await client.get("/api/images")).json()["images"] == []
        assert len((await client.get("/api/images", headers=BEARER)).json()["images"]) == 1
        assert (await client.get(f"/api/images/{image.ident}")).status_code == 401
        assert (await client.get(f"/api/images/{image.ident}", headers=BEARER)).json()["visibility"] == "private"


async def test_an_image_is_removed_and_stays_so() -> None:
    it = Service()
    it.catalogue.put(make_image(PHOTO))
    async with it.client() as client:
        gone = await client.delete(f"/api/images/{IDENT}", headers=BEARER)
        again = await client.delete(f"/api/images/{IDENT}", headers=BEARER)
        told = await client.get(f"/api/images/{IDENT}")
        unknown = await client.get(f"/api/images/{'0' * 64}")
        purged = await client.delete(f"/api/images/{IDENT}/derivatives", headers=BEARER)
    assert (gone.status_code, gone.json()) == (200, {"revision": 2})
    assert (again.status_code, told.status_code, unknown.status_code) == (410, 410, 404)
    assert purged.json() == {"deleted": 3}


async def test_routes_that_are_not_there_say_so() -> None:
    async with Service().client() as client:
        nothing = await client.get("/api/nothing")
        wrong = await client.put("/api/images", headers=BEARER)
        asked = await client.options("/api/images")
        slash = await client.get("/api/images/")
    assert (nothing.status_code, nothing.json()["code"]) == (404, "not-found")
    assert (wrong.status_code, wrong.json()["code"]) == (405, "method-not-allowed")
    assert "POST" in wrong.headers["allow"]
    assert (asked.status_code, slash.status_code) == (204, 404)
    # what lists images is not for the pages of other sites
    assert all("access-control-allow-origin" not in got.headers for got in (nothing, wrong, asked))


async def test_a_path_of_several_routes_tells_the_methods_of_all() -> None:
    async with Service().client() as client:
        for path, methods in {
            "/api/images": "GET, HEAD, OPTIONS, POST",
            f"/api/images/{IDENT}": "DELETE, GET, HEAD, OPTIONS",
            f"/api/images/{IDENT}/derivatives": "DELETE, OPTIONS",
            "/healthz": "GET, HEAD, OPTIONS",
        }.items():
            wrong, asked = await client.put(path), await client.options(path)
            assert (wrong.status_code, wrong.headers["allow"]) == (405, methods)
            assert methods in wrong.json()["detail"]
            assert (asked.status_code, asked.headers["allow"]) == (204, methods)


async def test_health_readiness_metrics_and_what_browsers_ask_for() -> None:
    it = Service()
    async with it.client() as client:
        assert (await client.get("/healthz")).json()["status"] == "alive"
        assert (await client.get("/readyz")).json()["status"] == "ready"
        it.readiness.now = False
        assert ((lost := await client.get("/readyz")).status_code, lost.json()["status"]) == (200, "degraded")
        it.readiness.store_was_reached = False
        starting = await client.get("/readyz")
        metrics = await client.get("/metrics")
        assert (await client.head("/healthz")).content == b""
        assert (await client.get("/favicon.ico")).status_code == 204
        assert "Disallow: /api/" in (robots := await client.get("/robots.txt")).text
    assert all(got.headers["x-content-type-options"] == "nosniff" for got in (lost, starting, metrics, robots))
    assert (starting.status_code, starting.headers["retry-after"]) == (503, "1")
    assert "derivproxy_revision 0.0" in metrics.text
    assert metrics.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"


@pytest.mark.parametrize("announced", ["abc", "-1", "9" * 5000])
async def test_a_length_that_is_none_is_refused(announced: str) -> None:
    it = Service()
    async with it.client() as client:
        got = await client.post("/api/images", content=PHOTO, headers={**BEARER, "content-length": announced})
    assert (got.status_code, got.json()["code"]) == (400, "bad-request")
    assert it.updates.received == 0
