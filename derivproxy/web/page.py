"""``GET /``: the public images as pictures, with the markup to copy. It never holds a secret."""

from __future__ import annotations

import base64
import hashlib
import re
from html import escape
from importlib.resources import files
from string import Template
from typing import TYPE_CHECKING, Protocol
from urllib.parse import quote

from starlette.responses import Response

from derivproxy.domain.errors import BadRequest
from derivproxy.domain.status import State
from derivproxy.web.api import parameters

if TYPE_CHECKING:
    from starlette.requests import Request

    from derivproxy.domain.images import Image
    from derivproxy.web.needs import Catalogue

PAGE_IMAGES = 24
_IDENT = re.compile(r"[0-9a-f]{64}")
# Host = uri-host [ ":" port ] (RFC 9110, 7.2), as far as it can stand in an address without a second thought
_HOST = re.compile(r"[A-Za-z0-9.-]+(?::[0-9]{1,5})?|\[[0-9A-Fa-f:.]+\](?::[0-9]{1,5})?")
_ORIGIN = re.compile(r"https?://[^/?#]+")


class Markup(Protocol):
    """Writes the ``<picture>`` element of an image; every address begins with *prefix*."""

    def __call__(self, image: Image, prefix: str) -> str:
        """The markup."""
        ...


class Page:
    """The page. *token_path* is said to who wants to add images; *public_url* is what addresses begin with."""

    def __init__(self, *, catalogue: Catalogue, markup: Markup, public_url: str, token_path: str) -> None:
        folder = files("derivproxy.web") / "pages"
        self._catalogue = catalogue
        self._markup = markup
        self._public_url = public_url
        self._token_path = token_path
        self._style = (folder / "page.css").read_text("utf-8")
        self._script = (folder / "page.js").read_text("utf-8")
        self._page = Template((folder / "page.html").read_text("utf-8"))
        self._figure = Template((folder / "figure.html").read_text("utf-8"))
        self._drop = Template((folder / "drop.html").read_text("utf-8"))
        origin = _ORIGIN.match(public_url)
        self._policy = "; ".join(
            (
                "default-src 'none'",
                f"img-src 'self' {origin[0]}" if origin else "img-src 'self'",
                f"style-src '{_hash(self._style)}'",
                f"script-src '{_hash(self._script)}'",
                "connect-src 'self'",
                "base-uri 'none'",
                "form-action 'none'",
                "frame-ancestors 'none'",
            )
        )

    async def show(self, request: Request) -> Response:
        """``GET /?after=CURSOR``: a page of images, newest first. ``?only=IDENT``: that one alone."""
        query = parameters(request, single=("after", "only"))
        only = query.one("only")
        root = request.scope["derivproxy"].root_path
        after: str | None = None
        images: list[Image] = []
        if only:
            if not _IDENT.fullmatch(only):
                raise BadRequest(f"only={only[:40]!r} is no ident: 64 lower-case hex digits")
            if self._catalogue.status(only).state is State.LIVE:
                images = [await self._catalogue.image(only)]
        else:
            page = await self._catalogue.images(
                tag=None, path=None, after=query.one("after") or None, limit=PAGE_IMAGES, private=False
            )
            images, after = list(page.images), page.next
        document = self._page.substitute(
            style=self._style,
            script=self._script,
            summary="Any size and format of these, by name. The markup under each picture can be pasted anywhere.",
            drop=self._drop.substitute(root=escape(root), where=self._where()),
            figures="\n".join(self._show(image, request, root) for image in images)
            or '<p id="none">No images yet.</p>',
            links=_links(root, after, first=not query.one("after") and not only),
        )
        headers = {
            "content-security-policy": self._policy,
            "cache-control": "no-store",
            "x-content-type-options": "nosniff",
            "referrer-policy": "no-referrer",
        }
        return Response(document, media_type="text/html", headers=headers)

    def _show(self, image: Image, request: Request, root: str) -> str:
        facts = image.facts
        said = f"{facts.width}\u00d7{facts.height} · {facts.media_type} · {_size(facts.bytes)}"
        pages = f" · {facts.pages} {'frames' if facts.animated else 'pages'}" if facts.pages > 1 else ""
        return self._figure.substitute(
            ident=image.ident,
            picture=self._markup(image, self._public_url or root),
            markup=escape(self._markup(image, self._public_url or _origin(request) + root)),
            title=escape(image.title or f"{image.ident[:12]}…"),
            facts=escape(said + pages),
            name=image.ident,
        )

    def _where(self) -> str:
        if not self._token_path:
            return "It is the server's DERIVPROXY_TOKEN."
        return f"On the server: <code>{escape(self._token_path)}</code>."


def _origin(request: Request) -> str:
    """Where the reader found this page, so that the markup works where it is pasted; empty where unclear."""
    host = request.headers.get("host", "")
    return f"{request.scope['scheme']}://{host}" if _HOST.fullmatch(host) else ""


def _links(root: str, after: str | None, *, first: bool) -> str:
    links = [] if first else [f'<a href="{escape(root)}/">Newest</a>']
    if after is not None:
        links.append(f'<a href="{escape(root)}/?after={quote(after, safe="")}" rel="next">Older</a>')
    return " ".join(links)


def _size(count: int) -> str:
    if count < 1000:  # noqa: PLR2004 - where kB begin
        return f"{count} B"
    return f"{count / 1e3:.0f} kB" if count < 1e6 else f"{count / 1e6:.1f} MB"  # noqa: PLR2004 - and MB


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")
