from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import replace
from html.parser import HTMLParser

from derivproxy.domain.images import Visibility
from tests.web.service import TOKEN, Service
from tests.web.stand_ins import make_image


class Reader(HTMLParser):
    """Elements in order, with their attributes; texts of styles, scripts and textareas."""

    def __init__(self, document: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {}
        self._inside = ""
        self.feed(document)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._inside = tag

    def handle_endtag(self, tag: str) -> None:  # noqa: ARG002 - the parser's own signature
        self._inside = ""

    def handle_data(self, data: str) -> None:
        self.texts.setdefault(self._inside, []).append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.elements if name == tag]


async def test_the_page_shows_public_images_with_markup_to_copy() -> None:
    it = Service()
    shown = it.catalogue.put(make_image(b"\xff\xd8 1", title='<b>"Red" & bird</b>'))
    hidden = it.catalogue.put(replace(make_image(b"\xff\xd8 2"), visibility=Visibility.PRIVATE))
    async with it.client() as client:
        got = await client.get("/")
        alone = await client.get(f"/?only={shown.ident}")
        none = await client.get(f"/?only={hidden.ident}")
    page = Reader(got.text)
    assert [attrs["src"] for attrs in page.all("img")] == [f"/{shown.ident}-640x.jpg"]
    assert page.texts["h2"] == ['<b>"Red" & bird</b>']
    assert f'src="http://images.test/{shown.ident}-640x.jpg"' in page.texts["textarea"][0]
    assert hidden.ident not in got.text
    assert hidden.ident not in none.text
    assert len(Reader(alone.text).all("figure")) == 1
    assert page.all("b") == []


async def test_the_page_lets_nothing_in_from_elsewhere_and_runs_only_its_own_script() -> None:
    it = Service(public_url="https://img.example/base")
    async with it.client() as client:
        got = await client.get("/")
    page = Reader(got.text)
    policy = got.headers["content-security-policy"]

    def hashed(text: str) -> str:
        return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"

    assert policy.startswith("default-src 'none'; img-src 'self' https://img.example;")
    assert f"script-src {hashed(''.join(page.texts['script']))}" in policy
    assert f"style-src {hashed(''.join(page.texts['style']))}" in policy
    assert "unsafe" not in policy
    assert all("src" not in attrs for attrs in page.all("script"))
    assert page.all("link") == []
    assert not re.search(r" (on[a-z]+|style)=", got.text.partition("</head>")[2].partition("<script>")[0])
    assert got.headers["cache-control"] == "no-store"


async def test_the_page_says_where_the_token_is_and_never_what_it_is() -> None:
    async with Service().client() as client:
        got = await client.get("/", headers={"authorization": f"Bearer {TOKEN}"})
    assert "/data/token" in got.text
    assert TOKEN not in got.text


async def test_every_control_has_a_name_and_every_id_is_given_once() -> None:
    it = Service()
    for number in range(3):
        it.catalogue.put(make_image(b"\xff\xd8 %d" % number))
    async with it.client() as client:
        page = Reader((await client.get("/")).text)
    ids = [attrs["id"] for _, attrs in page.elements if "id" in attrs]
    assert len(ids) == len(set(ids))
    labelled = {attrs["for"] for attrs in page.all("label")}
    assert all(attrs.get("aria-label") or attrs["id"] in labelled for attrs in page.all("input") + page.all("textarea"))
    assert page.all("html")[0]["lang"] == "en"


async def test_the_page_walks_through_all_images() -> None:
    it = Service()
    for number in range(30):
        it.catalogue.put(make_image(b"\xff\xd8 %d" % number))
    async with it.client(root_path="/pics") as client:
        first = Reader((await client.get("/pics/")).text)
        [link] = [attrs["href"] for attrs in first.all("a") if attrs.get("rel") == "next"]
        assert link is not None
        second = Reader((await client.get(link)).text)
    assert link.startswith("/pics/?after=")
    assert (len(first.all("figure")), len(second.all("figure"))) == (24, 6)
    assert [attrs for attrs in second.all("a") if attrs.get("rel") == "next"] == []


async def test_a_host_that_is_no_host_gets_into_nothing() -> None:
    it = Service()
    it.catalogue.put(make_image(b"\xff\xd8 1"))
    async with it.client() as client:
        got = await client.get("/", headers={"host": 'x"><script>alert(1)</script>'})
    assert "alert(1)" not in got.text


async def test_without_the_page_there_is_nothing_at_the_root() -> None:
    async with Service(page=False).client() as client:
        got = await client.get("/")
    assert (got.status_code, got.json()["code"]) == (404, "not-found")
