"""The page at ``/`` in a real Chromium, over a real server."""

from __future__ import annotations

import io
import re
import shutil
import time
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

from tests.app.server import SAMPLES, Server, running

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-sync",
)
HOSTILE = '<script>document.title="taken"</script><img src=x onerror=document.title="taken">"\'&'

pytestmark = [
    pytest.mark.browser,
    pytest.mark.timeout(120),
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine (Debian: apt-get install chromium)"),
]


def drawn(number: int, side: int = 60) -> bytes:
    """A picture unlike that of any other *number*."""
    out = io.BytesIO()
    Image.new("RGB", (side, side), (number * 7 % 256, number * 13 % 256, number % 256)).save(out, "PNG")
    return out.getvalue()


def moving() -> bytes:
    out = io.BytesIO()
    frames = [Image.new("RGB", (400, 300), colour) for colour in ("red", "green", "blue")]
    frames[0].save(out, "GIF", save_all=True, append_images=frames[1:], duration=200, loop=0)
    return out.getvalue()


class Tab:
    """A page of the browser, and all that went wrong in it."""

    def __init__(self, page: Any) -> None:  # noqa: ANN401  Playwright is not in the lock
        self.page = page
        self.wrong: list[str] = []
        page.on("pageerror", lambda error: self.wrong.append(str(error)))
        page.on("console", self._hear)

    def _hear(self, message: Any) -> None:  # noqa: ANN401
        # A refused request is said on the console too; the tests that provoke one look at the page instead.
        if message.type in {"error", "warning"} and "Failed to load resource" not in message.text:
            self.wrong.append(message.text)

    def open(self, address: str) -> None:
        self.page.goto(address)
        self.settle()

    def settle(self) -> None:
        """Look at every picture, for they are lazy, and wait until it is there or has failed."""
        for picture in self.page.query_selector_all("img"):
            picture.scroll_into_view_if_needed()
        self.wait_for("[...document.images].every(i => i.currentSrc && i.complete)")
        self.page.evaluate("scrollTo(0, 0)")

    def wait_for(self, expression: str) -> None:
        """Wait until *expression* is true. Asked from outside: the page's policy forbids Playwright's own polling."""
        deadline = time.monotonic() + 15
        while not self.page.evaluate(expression):
            assert time.monotonic() < deadline, f"never true: {expression}"
            self.page.wait_for_timeout(20)

    def pictures(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.page.evaluate(
            "[...document.images].map(i => ({src: i.currentSrc, width: i.naturalWidth, shown: i.clientWidth,"
            " high: i.clientHeight}))"
        )
        return found

    def say_token(self, token: str) -> None:
        self.page.wait_for_selector("dialog[open]")
        self.page.fill("#token", token)
        self.page.keyboard.press("Enter")


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    reason = "playwright is not installed (it is not in the lock: pip install playwright)"
    api = pytest.importorskip("playwright.sync_api", reason=reason)
    with api.sync_playwright() as playwright:
        home = tmp_path_factory.mktemp("profile")
        context = playwright.chromium.launch_persistent_context(
            home, executable_path=CHROMIUM, args=list(FLAGS), viewport={"width": 1280, "height": 900}
        )
        context.set_default_timeout(15_000)
        yield context
        context.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running(tmp_path_factory.mktemp("page") / "data") as started:
        yield started


@pytest.fixture
def tab(browser: Any) -> Iterator[Tab]:  # noqa: ANN401
    page = browser.new_page()
    yield (opened := Tab(page))
    page.close()
    assert opened.wrong == []


def test_the_page_tells_what_to_do_then_takes_a_dropped_picture_and_shows_it(tab: Tab, server: Server) -> None:
    tab.open(server.url)
    assert tab.page.inner_text("main") == "No images yet."
    token = (server.data / "token").read_text().strip()
    encoded = ",".join(str(byte) for byte in (SAMPLES / "hubble.jpg").read_bytes())
    tab.page.evaluate(
        """bytes => {
            const data = new DataTransfer();
            data.items.add(new File([new Uint8Array(bytes.split(","))], "Deep field <b>.jpg"));
            document.body.dispatchEvent(new DragEvent("drop", {dataTransfer: data, bubbles: true, cancelable: true}));
        }""",
        encoded,
    )
    tab.page.wait_for_selector("dialog[open]")
    assert str(server.data / "token") in tab.page.inner_text("dialog")
    tab.say_token("wrong")
    tab.page.wait_for_selector("#refused:not([hidden])")
    assert "token" in tab.page.inner_text("#refused")
    tab.say_token(token)
    tab.page.wait_for_selector("figure")
    tab.settle()
    assert tab.page.inner_text("#news") == "Deep field <b>.jpg: added"
    assert tab.page.inner_text("h2") == "Deep field <b>.jpg"
    (picture,) = tab.pictures()
    assert picture["src"].endswith("-640x.avif")
    assert picture["width"] >= picture["shown"] > 300
    assert "No images yet" not in tab.page.inner_text("main")
    # The tab keeps the token: the second file is added without a question; one that is no image is named.
    tab.page.set_input_files(
        "#files",
        [
            {"name": "dot.png", "mimeType": "image/png", "buffer": drawn(1)},
            {"name": "notes.txt", "mimeType": "text/plain", "buffer": b"no image at all"},
        ],
    )
    tab.page.wait_for_selector("#news .wrong")
    assert re.fullmatch(r"notes\.txt: .*JPEG, PNG.*\ndot\.png: added\nDeep.*", tab.page.inner_text("#news"))
    assert tab.page.query_selector("dialog[open]") is None


def test_an_upload_shows_how_far_it_is(tab: Tab, server: Server) -> None:
    tab.open(server.url)
    token = (server.data / "token").read_text().strip()
    tab.page.evaluate("token => sessionStorage.setItem('derivproxy-token', token)", token)
    network = tab.page.context.new_cdp_session(tab.page)
    network.send(
        "Network.emulateNetworkConditions",
        {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": 200_000},
    )
    noise = Image.effect_noise((500, 500), 90)
    out = io.BytesIO()
    noise.save(out, "PNG")
    tab.page.set_input_files("#files", [{"name": "n.png", "mimeType": "image/png", "buffer": out.getvalue()}])
    tab.wait_for("(b => b && b.value > .1 && b.value < .95)(document.querySelector('progress'))")
    tab.page.wait_for_selector("text=n.png: added")


def test_who_does_not_know_the_token_adds_nothing(tab: Tab, server: Server) -> None:
    tab.open(server.url)
    before = server.metric("derivproxy_revision")
    tab.page.set_input_files("#files", [{"name": "a.png", "mimeType": "image/png", "buffer": drawn(99)}])
    tab.page.wait_for_selector("dialog[open]")
    tab.page.keyboard.press("Escape")
    tab.page.wait_for_selector("dialog[open]", state="detached")
    assert tab.page.inner_text("#news") == ""
    assert server.metric("derivproxy_revision") == before


def test_markup_is_copied_and_works_on_another_page(tab: Tab, server: Server) -> None:
    server.put((SAMPLES / "astronaut.png").read_bytes(), title=HOSTILE)
    tab.page.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=server.url)
    tab.open(server.url)
    assert tab.page.title() == "derivproxy: images"
    assert tab.page.inner_text("h2") == HOSTILE
    tab.page.click("summary")
    tab.page.click("button[data-copy]")
    tab.page.wait_for_selector("text=Copied")
    markup = tab.page.evaluate("navigator.clipboard.readText()")
    assert markup.startswith("<picture>")
    tab.page.set_content(f"<!doctype html><body>{markup}</body>")
    tab.settle()
    (picture,) = tab.pictures()
    assert picture["src"].startswith(server.url)
    assert picture["width"] > 0
    assert tab.page.title() == ""


@pytest.mark.parametrize(("without", "ending"), [(["avif"], ".webp"), (["avif", "webp"], ".jpg")])
def test_a_browser_that_lacks_a_format_gets_the_next_one(
    tab: Tab, server: Server, without: list[str], ending: str
) -> None:
    server.put((SAMPLES / "astronaut.png").read_bytes())
    session = tab.page.context.new_cdp_session(tab.page)
    session.send("Emulation.setDisabledImageTypes", {"imageTypes": without})
    tab.open(server.url)
    for picture in tab.pictures():
        assert picture["src"].endswith(ending)
        assert picture["width"] > 0


def test_moving_pictures_move_and_small_ones_are_not_blown_up(tab: Tab, server: Server) -> None:
    moves = server.put(moving()).json()["ident"]
    small = server.put(drawn(5)).json()["ident"]
    tab.open(server.url)
    by_ident = {picture["src"].rpartition("/")[2][:64]: picture for picture in tab.pictures()}
    assert by_ident[moves]["src"].endswith(".webp")
    with Image.open(io.BytesIO(server.get(by_ident[moves]["src"].rpartition("/")[2]).content)) as webp:
        assert getattr(webp, "n_frames", 1) == 3
    assert (by_ident[small]["shown"], by_ident[small]["high"]) == (60, 60)


def test_everything_can_be_reached_by_keyboard(tab: Tab, server: Server) -> None:
    server.put(drawn(5))
    tab.open(server.url)
    where = "(e => e.id || e.textContent)(document.activeElement)"
    seen = []
    for _ in range(2):
        tab.page.keyboard.press("Tab")
        seen.append(tab.page.evaluate(where))
    assert seen == ["files", "Markup to copy"]
    tab.page.keyboard.press("Enter")
    for _ in range(2):
        tab.page.keyboard.press("Tab")
    assert tab.page.evaluate(where) == "Copy"
    tab.page.keyboard.press("Enter")
    tab.page.wait_for_selector("text=Copied")
    assert tab.page.evaluate(where) == "Copied"


@pytest.mark.parametrize("width", [320, 390, 1280])
def test_nothing_is_wider_than_the_screen(tab: Tab, server: Server, width: int) -> None:
    server.put(drawn(6), title="w" * 150)
    tab.page.set_viewport_size({"width": width, "height": 800})
    tab.open(server.url)
    assert tab.page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_dark_scheme_is_followed(tab: Tab, server: Server) -> None:
    tab.page.emulate_media(color_scheme="dark")
    tab.open(server.url)
    colour = tab.page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert max(int(number) for number in re.findall(r"\d+", colour)[:3]) < 60


def test_all_images_are_reached_page_by_page(tab: Tab, tmp_path: Path) -> None:
    with running(tmp_path / "data") as server:
        wanted = {server.put(drawn(number)).json()["ident"] for number in range(30)}
        tab.page.goto(server.url)
        seen: list[str] = []
        while True:
            seen += tab.page.evaluate("[...document.querySelectorAll('figure')].map(f => f.id.slice(2))")
            if tab.page.query_selector("a[rel=next]") is None:
                break
            tab.page.click("a[rel=next]")
            tab.page.wait_for_load_state("domcontentloaded")
        assert len(seen) == 30
        assert set(seen) == wanted
        tab.page.click("text=Newest")
        assert tab.page.evaluate("document.querySelector('figure').id.slice(2)") == seen[0]


@pytest.mark.parametrize(
    "settings",
    [
        {"DERIVPROXY_SIZES": "300x.*"},
        {"DERIVPROXY_SIZES": "320x.webp 64x64-cover-smart.*"},
        {"DERIVPROXY_SIZES": "64x64-cover-smart.*"},
        {"DERIVPROXY_SIZES": "x64-lossless.*"},
        {"DERIVPROXY_SIGNING_KEYS": "00112233445566778899aabbccddeeff"},
    ],
    ids=lambda value: next(iter(value.values())),
)
def test_where_sizes_are_closed_the_page_shows_what_is_allowed(
    tab: Tab, tmp_path: Path, settings: dict[str, str]
) -> None:
    with running(tmp_path / "data", **settings) as server:
        server.put((SAMPLES / "astronaut.png").read_bytes())
        tab.open(server.url)
        assert [picture["width"] > 0 for picture in tab.pictures()] == [True]


def test_markup_and_pictures_begin_with_the_public_url(tab: Tab, server: Server, tmp_path: Path) -> None:
    # The address a front would have: the same server under its other name.
    with running(tmp_path / "data", DERIVPROXY_PUBLIC_URL=f"http://localhost:{server.port}") as other:
        ident = other.put((SAMPLES / "astronaut.png").read_bytes()).json()["ident"]
        server.put((SAMPLES / "astronaut.png").read_bytes())
        tab.open(other.url)
        (picture,) = tab.pictures()
        assert picture["src"].startswith(f"http://localhost:{server.port}/{ident}")
        assert picture["width"] > 0
        assert f'src="http://localhost:{server.port}/{ident}' in tab.page.input_value("textarea")
