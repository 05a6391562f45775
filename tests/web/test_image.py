from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import httpx
import pytest

from derivproxy.delivery.answers import Found
from derivproxy.domain.errors import CannotEncode, CropOutside, Overloaded, StoreUnavailable
from derivproxy.domain.images import Visibility
from derivproxy.domain.policy import Bases, Policy, SizePolicy, sign
from derivproxy.web import Caching
from tests.web.service import BEARER, NOW, Service
from tests.web.stand_ins import answer, make_image

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

IMAGE = make_image(b"\xff\xd8 a photo")
IDENT = IMAGE.ident
NAME = f"{IDENT}-300x.jpg"
DATA = bytes(range(256)) * 4
YEAR = "public, max-age=31536000, immutable"
KEY = b"k" * 32


def service(**values: object) -> Service:
    made = Service(**values)  # type: ignore[arg-type]
    made.catalogue.put(IMAGE)
    made.delivery.memory[NAME] = answer(DATA)
    return made


async def test_a_hit_is_answered_whole_with_everything_a_cache_needs() -> None:
    it = service()
    async with it.client() as client:
        got = await client.get(f"/{NAME}")
    assert (got.status_code, got.content) == (200, DATA)
    assert got.headers["content-type"] == "image/jpeg"
    assert got.headers["content-length"] == str(len(DATA))
    assert got.headers["cache-control"] == YEAR
    assert got.headers["cache-tag"] == IDENT
    assert got.headers["cache-status"] == "derivproxy; hit; detail=memory"
    assert got.headers["accept-ranges"] == "bytes"
    assert got.headers["x-content-type-options"] == "nosniff"
    assert got.headers["access-control-allow-origin"] == "*"
    assert got.headers["cross-origin-resource-policy"] == "cross-origin"
    assert got.headers["timing-allow-origin"] == "*"
    assert got.headers["x-request-id"] == "made-id"
    assert "vary" not in got.headers
    assert it.delivery.asked == []
    assert it.counters.counted == [("name", 200, "memory")]


async def test_the_same_headers_are_given_twice_and_to_head() -> None:
    it = service()
    async with it.client() as client:
        first = await client.get(f"/{NAME}")
        again = await client.get(f"/{NAME}")
        head = await client.head(f"/{NAME}")
    assert first.headers == again.headers == head.headers
    assert head.content == b""


async def test_other_bytes_under_the_same_name_get_their_own_headers() -> None:
    it = service()
    async with it.client() as client:
        first = await client.get(f"/{NAME}")
        it.delivery.memory[NAME] = answer(DATA + b"!", version=2, media_type="image/png")
        second = await client.get(f"/{NAME}")
    assert second.headers["content-type"] == "image/png"
    assert second.headers["content-length"] == str(len(DATA) + 1)
    assert first.headers["etag"] != second.headers["etag"]


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (Found.DISK, "derivproxy; hit; detail=disk"),
        (Found.STORE, "derivproxy; hit; detail=store"),
        (Found.DERIVED, "derivproxy; fwd=uri-miss; detail=derived"),
        (Found.SHARED, "derivproxy; fwd=uri-miss; collapsed; detail=shared"),
    ],
)
async def test_cache_status_tells_where_it_came_from(found: Found, said: str) -> None:
    it = service()
    it.delivery.memory.clear()
    it.delivery.cold[NAME] = answer(DATA, found=found)
    async with it.client() as client:
        got = await client.get(f"/{NAME}")
    assert got.headers["cache-status"] == said
    assert it.counters.counted == [("name", 200, found.value)]
    assert it.delivery.open_answers == 0


@pytest.mark.parametrize(
    "spelling", [NAME.upper(), f"{IDENT}-0300x.jpeg", f"{IDENT}-300x-q80.jpg", f"{IDENT}-150x@2x.jpg"]
)
async def test_another_spelling_is_sent_to_the_one_name(spelling: str) -> None:
    it = service()
    async with it.client() as client:
        got = await client.get(f"/{spelling}?e=5&utm=x&s=abc")
    assert got.status_code == 308
    assert got.headers["location"] == f"/{NAME}?e=5&s=abc"
    assert got.headers["cache-control"] == "public, max-age=86400"
    assert got.content == b""


async def test_a_redirect_begins_with_the_public_url_or_the_prefix() -> None:
    async with service(public_url="https://img.example").client() as client:
        assert (await client.get(f"/{NAME.upper()}")).headers["location"] == f"https://img.example/{NAME}"
    async with service().client(root_path="/pics") as client:
        assert (await client.get(f"/pics/{NAME.upper()}")).headers["location"] == f"/pics/{NAME}"
        assert (await client.get(f"/pics/{NAME}")).status_code == 200


@pytest.mark.parametrize(
    "text",
    [
        "nonsense",
        f"{IDENT}~512",
        f"{IDENT}-300x.bmp",
        f"{NAME}/",
        f"x/{NAME}",
        f"%61{NAME[1:]}",
        f"{NAME}%0a",
        "%2f",
        "a" * 3000,
    ],
)
async def test_what_is_no_name_is_refused_with_the_place_and_what_fits_there(text: str) -> None:
    it = service()
    async with it.client() as client:
        got = await client.get(f"/{text}")
    problem = got.json()
    assert (got.status_code, problem["code"]) == (404, "bad-name")
    assert got.headers["content-type"] == "application/problem+json"
    assert got.headers["cache-control"] == "public, max-age=10"
    assert isinstance(problem["position"], int)
    assert problem["expected"]
    assert it.delivery.asked == []
    assert it.looked_for == []


@pytest.mark.parametrize(
    ("accept", "ending"),
    [
        ("image/avif,image/webp,*/*", "avif"),
        ("image/webp,*/*;q=0.8", "webp"),
        ("text/html", "jpg"),
        ("image/jxl,*/*", "jpg"),  # which this build does not write
    ],
)
async def test_auto_picks_the_format_and_says_which(accept: str, ending: str) -> None:
    it = service()
    real = f"{IDENT}-300x.{ending}"
    it.delivery.cold[real] = answer(DATA)
    it.delivery.memory.clear()
    async with it.client() as client:
        got = await client.get(f"/{IDENT}-300x.auto", headers={"accept": accept})
    assert got.status_code == 200
    assert got.headers["vary"] == "Accept"
    assert got.headers["content-location"] == real
    assert got.headers["cache-control"] == "public, max-age=3600"
    assert it.delivery.asked == [real]


async def test_what_auto_is_refused_for_one_format_is_not_kept_for_all() -> None:
    it = service()
    it.delivery.cold[f"{IDENT}-300x.webp"] = CannotEncode("a webp has sides of 16383 at most")
    async with it.client() as client:
        got = await client.get(f"/{IDENT}-300x.auto", headers={"accept": "image/webp"})
        named = await client.get(f"/{IDENT}-300x.webp")
    assert (got.status_code, got.headers["cache-control"], got.headers["vary"]) == (422, "public, max-age=10", "Accept")
    assert (named.status_code, "vary" in named.headers) == (422, False)


async def test_auto_of_a_base_with_alpha_falls_back_to_png() -> None:
    it = service()
    it.catalogue.put(replace(IMAGE, facts=replace(IMAGE.facts, alpha=True)))
    it.delivery.cold[f"{IDENT}-300x.png"] = answer(DATA, media_type="image/png")
    async with it.client() as client:
        got = await client.get(f"/{IDENT}-300x.auto", headers={"accept": "text/html"})
    assert got.headers["content-location"] == f"{IDENT}-300x.png"


async def test_the_format_picked_is_part_of_the_tag() -> None:
    it = service()
    for ending in ("webp", "avif"):
        it.delivery.cold[f"{IDENT}-300x.{ending}"] = answer(DATA)
    async with it.client() as client:
        webp = await client.get(f"/{IDENT}-300x.auto", headers={"accept": "image/webp"})
        avif = await client.get(
            f"/{IDENT}-300x.auto", headers={"accept": "image/avif", "if-none-match": webp.headers["etag"]}
        )
    assert avif.status_code == 200
    assert avif.headers["etag"] != webp.headers["etag"]


async def test_a_known_tag_is_answered_before_anything_is_looked_for() -> None:
    it = service()
    async with it.client() as client:
        tag = (await client.get(f"/{NAME}")).headers["etag"]
        it.delivery.memory.clear()
        got = await client.get(f"/{NAME}", headers={"if-none-match": f'"other", W/{tag}'})
    assert (got.status_code, got.content) == (304, b"")
    assert got.headers["etag"] == tag
    assert got.headers["cache-control"] == YEAR
    assert "content-length" not in got.headers
    assert it.delivery.asked == []


async def test_a_star_looks_first() -> None:
    it = service()
    it.delivery.memory.clear()
    it.delivery.cold[NAME] = CropOutside("the crop is outside")
    async with it.client() as client:
        assert (await client.get(f"/{NAME}", headers={"if-none-match": "*"})).status_code == 422
        it.delivery.cold[NAME] = answer(DATA)
        assert (await client.get(f"/{NAME}", headers={"if-none-match": "*"})).status_code == 304


async def test_bytes_of_a_newer_version_have_their_own_tag_and_are_not_sent_twice() -> None:
    it = service()
    it.delivery.memory[NAME] = answer(DATA, version=9)
    async with it.client() as client:
        tag = (await client.get(f"/{NAME}")).headers["etag"]
        assert tag.endswith(';9"')
        assert (await client.get(f"/{NAME}", headers={"if-none-match": tag})).status_code == 304


async def test_if_match_holds_or_is_refused() -> None:
    async with service().client() as client:
        tag = (await client.get(f"/{NAME}")).headers["etag"]
        assert (await client.get(f"/{NAME}", headers={"if-match": tag})).status_code == 200
        got = await client.get(f"/{NAME}", headers={"if-match": '"other"'})
    assert (got.status_code, got.json()["code"]) == (412, "precondition-failed")


@pytest.mark.parametrize("kind", ["bytes", "file", "large file"])
async def test_ranges_of_bytes_and_files(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    it = service()
    if kind == "large file":
        monkeypatch.setattr("derivproxy.web.bodies.AT_ONCE_BYTES", 16)
        monkeypatch.setattr("derivproxy.web.bodies.CHUNK_BYTES", 10)
    if kind != "bytes":
        file = tmp_path / "kept"
        file.write_bytes(DATA)
        it.delivery.memory.clear()
        it.delivery.cold[NAME] = answer(file, size=len(DATA), found=Found.DISK)
    async with it.client() as client:
        whole = await client.get(f"/{NAME}")
        part = await client.get(f"/{NAME}", headers={"range": "bytes=5-300"})
        tail = await client.get(f"/{NAME}", headers={"range": "bytes=-40"})
        none = await client.get(f"/{NAME}", headers={"range": "bytes=5000-"})
        several = await client.get(f"/{NAME}", headers={"range": "bytes=0-1,4-5"})
        head = await client.head(f"/{NAME}", headers={"range": "bytes=0-1"})
    assert whole.content == DATA
    assert (part.status_code, part.content) == (206, DATA[5:301])
    assert part.headers["content-range"] == f"bytes 5-300/{len(DATA)}"
    assert part.headers["content-length"] == "296"
    assert tail.content == DATA[-40:]
    assert (none.status_code, none.headers["content-range"]) == (416, f"bytes */{len(DATA)}")
    assert none.json()["code"] == "range-not-satisfiable"
    assert (several.status_code, several.content) == (200, DATA)
    assert (head.status_code, head.headers["content-length"]) == (200, str(len(DATA)))


async def test_a_range_is_for_the_tag_it_was_begun_with() -> None:
    async with service().client() as client:
        tag = (await client.get(f"/{NAME}")).headers["etag"]
        for if_range, status in [
            (tag, 206),
            ('"other"', 200),
            (f"W/{tag}", 200),
            ("Sat, 21 Nov 2026 00:00:00 GMT", 200),
        ]:
            got = await client.get(f"/{NAME}", headers={"range": "bytes=0-3", "if-range": if_range})
            assert got.status_code == status, if_range


async def test_a_base_is_closed_and_with_the_token_an_attachment_nobody_else_keeps() -> None:
    it = service()
    it.delivery.bases[IDENT] = answer(DATA, version=0, found=Found.STORE)
    async with it.client() as client:
        closed = await client.get(f"/{IDENT}")
        got = await client.get(f"/{IDENT}", headers={**BEARER, "range": "bytes=0-3"})
    assert (closed.status_code, closed.json()["code"]) == (403, "not-allowed")
    assert closed.headers["cache-control"] == "no-store"
    assert (got.status_code, got.content) == (206, DATA[:4])
    assert got.headers["content-disposition"] == f'attachment; filename="{IDENT}.jpg"'
    assert got.headers["content-security-policy"] == "sandbox; default-src 'none'"
    assert got.headers["cache-control"] == "private, no-cache"
    assert "cache-tag" not in got.headers
    assert got.headers["cache-status"] == "derivproxy; fwd=uri-miss; detail=store"
    assert it.delivery.asked == [f"{IDENT} ranged"]


async def test_an_open_base_is_for_everybody() -> None:
    it = service(policy=Policy(bases=Bases.OPEN))
    it.delivery.bases[IDENT] = answer(DATA, version=0, found=Found.STORE)
    async with it.client() as client:
        got = await client.get(f"/{IDENT}")
        again = await client.get(f"/{IDENT}", headers={"if-none-match": got.headers["etag"]})
    assert got.headers["cache-control"] == YEAR
    assert again.status_code == 304


async def test_a_signature_opens_a_name_and_one_that_ends_keeps_it_from_shared_caches() -> None:
    it = service(policy=Policy(sizes=SizePolicy.parse(["none"]), keys=(KEY,)))
    ending = sign(NAME, KEY, int(NOW) + 60)
    async with it.client() as client:
        refused = await client.get(f"/{NAME}")
        lasting = await client.get(f"/{NAME}?{sign(NAME, KEY)}")
        signed = await client.get(f"/{NAME}?{ending}")
        late = await client.get(f"/{NAME}?{sign(NAME, KEY, int(NOW) - 1)}")
        known = await client.get(f"/{NAME}?{ending}", headers={"if-none-match": signed.headers["etag"]})
        unsigned = await client.get(f"/{NAME}", headers={"if-none-match": signed.headers["etag"]})
    assert (refused.status_code, late.status_code, unsigned.status_code) == (403, 403, 403)
    assert (lasting.status_code, lasting.headers["cache-control"]) == (200, YEAR)
    assert (signed.status_code, signed.headers["cache-control"]) == (200, "private, no-cache")
    assert (known.status_code, known.headers["cache-control"]) == (304, "private, no-cache")


async def test_a_private_image_needs_the_token_and_is_kept_by_nobody_else() -> None:
    it = service()
    async with it.client() as client:
        tag = (await client.get(f"/{NAME}")).headers["etag"]
        it.catalogue.put(replace(IMAGE, visibility=Visibility.PRIVATE))
        assert (await client.get(f"/{NAME}", headers={"if-none-match": tag})).status_code == 403
        got = await client.get(f"/{NAME}", headers=BEARER)
        it.delivery.memory.clear()
        it.delivery.cold[NAME] = answer(DATA)
        await client.get(f"/{NAME}", headers=BEARER)
    assert (got.status_code, got.headers["cache-control"]) == (200, "private, no-cache")
    assert it.delivery.asked == [f"{NAME} private"]


async def test_what_is_removed_or_blocked_is_not_even_confirmed() -> None:
    it = service()
    async with it.client() as client:
        tag = {"if-none-match": (await client.get(f"/{NAME}")).headers["etag"]}
        it.catalogue.blocked[IDENT] = 451
        blocked = await client.get(f"/{NAME}", headers=tag)
        it.catalogue.blocked.clear()
        await it.updates.remove(IDENT)
        gone = await client.get(f"/{NAME}", headers=tag)
    assert (blocked.status_code, blocked.json()["code"], blocked.json()["status"]) == (451, "blocked", 451)
    assert (gone.status_code, gone.json()["code"]) == (410, "removed")
    assert gone.headers["cache-control"] == "public, max-age=10"


async def test_an_unknown_image_is_looked_for_once_and_may_come_back() -> None:
    it = service()
    lost = make_image(b"\xff\xd8 lost")
    name = f"{lost.ident}-9x.jpg"
    it.delivery.cold[name] = answer(DATA)
    async with it.client() as client:
        missing = await client.get(f"/{name}")
        it.lost[lost.ident] = lost
        found = await client.get(f"/{name}")
    assert (missing.status_code, missing.json()["code"]) == (404, "unknown-image")
    assert found.status_code == 200
    assert it.looked_for == [lost.ident, lost.ident]


async def test_who_may_not_ask_does_not_make_the_store_look() -> None:
    it = service(policy=Policy(sizes=SizePolicy.parse(["none"]), keys=(KEY,)))
    async with it.client() as client:
        got = await client.get(f"/{'0' * 64}-300x.jpg")
    assert got.status_code == 403
    assert it.looked_for == []


@pytest.mark.parametrize(
    ("fault", "status", "caching"),
    [
        (CropOutside("outside"), 422, "public, max-age=10"),
        (Overloaded("full", retry_after=3), 503, "no-store"),
        (StoreUnavailable("away"), 503, "no-store"),
    ],
)
async def test_a_fault_is_a_clear_answer(fault: Exception, status: int, caching: str) -> None:
    it = service()
    it.delivery.memory.clear()
    it.delivery.cold[NAME] = fault  # type: ignore[assignment]
    async with it.client() as client:
        got = await client.get(f"/{NAME}")
        head = await client.head(f"/{NAME}")
    assert (got.status_code, got.headers["cache-control"]) == (status, caching)
    assert got.json()["detail"] == str(fault)
    assert ("retry-after" in got.headers) == (status == 503)
    assert (head.status_code, head.content) == (status, b"")
    assert head.headers["content-length"] == got.headers["content-length"]


async def test_what_nobody_expected_is_an_answer_without_the_inside() -> None:
    it = service()
    it.delivery.memory.clear()  # and so the stand-in raises KeyError
    async with it.client() as client:
        got = await client.get(f"/{NAME}")
    assert (got.status_code, got.json()["code"]) == (500, "internal")
    assert "KeyError" not in got.text
    assert it.log.events[0][0] == "unexpected error"


async def test_other_methods_are_told_what_is_allowed() -> None:
    async with service().client() as client:
        options = await client.options(f"/{NAME}")
        post = await client.post(f"/{NAME}", content=b"x")
    assert (options.status_code, options.headers["allow"]) == (204, "GET, HEAD, OPTIONS")
    assert "Range" in options.headers["access-control-allow-headers"]
    assert (post.status_code, post.headers["allow"]) == (405, "GET, HEAD, OPTIONS")
    assert post.json()["code"] == "method-not-allowed"


async def test_ages_are_settings_and_a_cdn_may_have_its_own() -> None:
    async with service(caching=Caching(max_age=60, cdn_max_age=7)).client() as client:
        got = await client.get(f"/{NAME}")
    assert got.headers["cache-control"] == "public, max-age=60, immutable"
    assert got.headers["cdn-cache-control"] == "public, max-age=7, immutable"


@pytest.mark.parametrize(
    ("given", "answered"), [("my-id_1", "my-id_1"), ("x" * 65, "made-id"), ("a b", "made-id"), ("", "made-id")]
)
async def test_a_request_id_is_taken_or_made_answered_and_logged(given: str, answered: str) -> None:
    it = service()
    async with it.client() as client:
        got = await client.get(f"/{NAME}?s=secret", headers={"x-request-id": given})
    assert got.headers["x-request-id"] == answered
    [(event, values)] = it.access.events
    assert event == "request"
    assert values["request_id"] == answered
    assert (values["status"], values["cache"], values["bytes"], values["method"]) == (200, "memory", len(DATA), "GET")
    assert "secret" not in json.dumps(values)


async def test_more_names_than_are_kept_ready_are_answered_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("derivproxy.web.image._READY", 2)
    it = service()
    async with it.client() as client:
        for side in (1, 2, 3, 1):
            name = f"{IDENT}-{side}x.jpg"
            it.delivery.memory[name] = answer(b"%d" % side)
            assert (await client.get(f"/{name}")).content == b"%d" % side


async def test_auto_of_an_image_that_comes_back_knows_its_alpha() -> None:
    it = service()
    lost = make_image(b"\xff\xd8 lost")
    it.lost[lost.ident] = replace(lost, facts=replace(lost.facts, alpha=True))
    it.delivery.cold[f"{lost.ident}-9x.png"] = answer(DATA)
    async with it.client() as client:
        got = await client.get(f"/{lost.ident}-9x.auto")
    assert (got.status_code, it.looked_for) == (200, [lost.ident])
    assert got.headers["content-location"] == f"{lost.ident}-9x.png"


async def test_an_error_in_the_middle_reaches_the_server_so_that_it_cuts_the_answer() -> None:
    it = service()

    async def damaged() -> AsyncIterator[bytes]:
        yield DATA
        raise StoreUnavailable("broke off")

    it.delivery.memory.clear()
    it.delivery.cold[NAME] = answer(damaged(), size=5000)
    transport = httpx.ASGITransport(it.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://images.test") as client:
        with pytest.raises(StoreUnavailable):
            await client.get(f"/{NAME}")
    assert it.log.events[-1][0] == "store-unavailable"
    assert it.log.events[-1][1]["cut"] is True


async def test_auto_of_what_moves_gets_a_format_that_moves() -> None:
    it = service()
    it.catalogue.put(replace(IMAGE, facts=replace(IMAGE.facts, animated=True, pages=9)))
    it.delivery.cold[f"{IDENT}-300x.webp"] = answer(DATA)
    async with it.client() as client:
        got = await client.get(f"/{IDENT}-300x.auto", headers={"accept": "image/avif,image/webp"})
    assert got.headers["content-location"] == f"{IDENT}-300x.webp"


async def test_another_spelling_of_a_wish_is_sent_to_the_one() -> None:
    async with service().client() as client:
        got = await client.get(f"/{IDENT}-0300X.auto?s=abc")
    assert (got.status_code, got.headers["location"]) == (308, f"/{IDENT}-300x.auto?s=abc")


@pytest.mark.parametrize("text", [f"{IDENT}-x300x.auto", f"{IDENT}-300x.autoo", ".auto"])
async def test_a_wish_that_is_none_is_refused(text: str) -> None:
    it = service()
    async with it.client() as client:
        got = await client.get(f"/{text}")
    assert (got.status_code, got.json()["code"]) == (404, "bad-name")
    assert it.looked_for == []
