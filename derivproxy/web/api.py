"""``/api/images``: adding, listing, describing and removing images."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import anyio
from starlette.responses import Response

from derivproxy.domain.errors import BadRequest, TooLarge
from derivproxy.domain.status import State
from derivproxy.web.problems import Problem, ProblemRaised

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection, Mapping

    from starlette.requests import Request

    from derivproxy.domain.images import Image
    from derivproxy.updates import Spool
    from derivproxy.web.needs import Catalogue, Updates
    from derivproxy.web.tokens import Token

_IDENT = re.compile(r"[0-9a-f]{64}")
_LIMIT = re.compile(r"[1-9][0-9]{0,2}|1000")
_LENGTH = re.compile(r"[0-9]{1,19}", re.ASCII)
DEFAULT_LIMIT = 100
MOST_LIMIT = 1000
STALL_SECONDS = 30.0
"""How long an upload may be silent: whoever says no more must not keep a connection and a file for ever."""


class Json(Response):
    """A JSON document that nobody keeps."""

    media_type = "application/json"

    def __init__(
        self, content: Mapping[str, Any], status_code: int = 200, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(
            json.dumps(content, ensure_ascii=False).encode("utf-8", "backslashreplace") + b"\n",
            status_code,
            {"cache-control": "no-store", "x-content-type-options": "nosniff", **(headers or {})},
        )


class ImagesApi:
    """The handlers. *file_bytes* is the largest upload; *public_url* what addresses begin with, empty for the root."""

    def __init__(
        self,
        *,
        catalogue: Catalogue,
        spool: Spool,
        updates: Updates,
        token: Token,
        file_bytes: int,
        public_url: str,
    ) -> None:
        self._catalogue = catalogue
        self._spool = spool
        self._updates = updates
        self._token = token
        self._file_bytes = file_bytes
        self._public_url = public_url

    async def add(self, request: Request) -> Response:
        """``POST /api/images``: the body is the image. What can be refused is refused before a byte of it is read."""
        self._require_token(request)
        query = parameters(request, single=("title", "path"), repeated=("tag",))
        announced = request.headers.get("content-length")
        if announced == "0":
            raise _empty()
        if announced is not None and not _LENGTH.fullmatch(announced):
            raise BadRequest(f"Content-Length: {announced[:40]} is no number of bytes")
        if announced is not None and int(announced) > self._file_bytes:
            raise TooLarge(
                f"{announced} bytes; a file has {self._file_bytes} at most: send a smaller one, or raise "
                "DERIVPROXY_MAX_FILE_BYTES"
            )
        async with self._spool.receive(_body(request), limit=self._file_bytes) as spooled:
            if spooled.bytes == 0:
                raise _empty()
            added = await self._updates.add(
                spooled, title=query.one("title"), tags=query.all("tag"), path=query.one("path")
            )
        document = self._document(request, added.image)
        return Json(
            document,
            201 if added.created else 200,
            {"location": f"{self._root(request)}/api/images/{added.image.ident}"},
        )

    async def listing(self, request: Request) -> Response:
        """``GET /api/images``: live images, page by page; the private ones for who bears the token."""
        query = parameters(request, single=("tag", "path", "after", "limit"))
        limit = query.one("limit") or str(DEFAULT_LIMIT)
        if not _LIMIT.fullmatch(limit):
            raise BadRequest(f"limit={limit[:40]} is no number from 1 to {MOST_LIMIT}")
        page = await self._catalogue.images(
            tag=query.one("tag") or None,
            path=query.one("path") or None,
            after=query.one("after") or None,
            limit=int(limit),
            private=self._token.borne(_authorization(request)),
        )
        return Json({"images": [self._document(request, image) for image in page.images], "next": page.next})

    async def describe(self, request: Request) -> Response:
        """``GET /api/images/{ident}``: what is known of the image."""
        parameters(request)
        ident = _ident(request)
        status = self._catalogue.status(ident)
        if status.state is State.BLOCKED:
            raise ProblemRaised(Problem.of("blocked", f"{ident} is blocked on this server", status=status.answer))
        if status.state is State.PRIVATE:
            self._require_token(request)
        return Json(self._document(request, await self._catalogue.image(ident)))

    async def remove(self, request: Request) -> Response:
        """``DELETE /api/images/{ident}``: its names answer 410 from here on."""
        self._require_token(request)
        parameters(request)
        return Json({"revision": await self._updates.remove(_ident(request))})

    async def purge(self, request: Request) -> Response:
        """``DELETE /api/images/{ident}/derivatives``: forget what was derived; it is made anew when asked for."""
        self._require_token(request)
        parameters(request)
        return Json({"deleted": await self._updates.purge(_ident(request))})

    def _require_token(self, request: Request) -> None:
        self._token.require(_authorization(request))

    def _root(self, request: Request) -> str:
        return self._public_url or request.scope["derivproxy"].root_path

    def _document(self, request: Request, image: Image) -> dict[str, object]:
        facts = image.facts
        return {
            "ident": image.ident,
            "url": f"{self._root(request)}/{image.ident}",
            "title": image.title,
            "path": image.path,
            "tags": list(image.tags),
            "visibility": image.visibility.value,
            "width": facts.width,
            "height": facts.height,
            "media_type": facts.media_type,
            "bytes": facts.bytes,
            "pages": facts.pages,
            "animated": facts.animated,
            "alpha": facts.alpha,
            "added": image.added,
            "revision": image.revision,
        }


class Parameters:
    """The query of a request, all of it known."""

    def __init__(self, given: Mapping[str, list[str]]) -> None:
        self._given = given

    def one(self, name: str) -> str:
        """The value of *name*, empty where it is not given."""
        return self._given.get(name, [""])[0]

    def all(self, name: str) -> tuple[str, ...]:
        """Every value of *name*."""
        return tuple(self._given.get(name, ()))


def parameters(request: Request, *, single: Collection[str] = (), repeated: Collection[str] = ()) -> Parameters:
    """The query. Raises ``BadRequest`` naming a parameter that is unknown here, or given twice and not *repeated*."""
    given: dict[str, list[str]] = {}
    for name, value in request.query_params.multi_items():
        if name not in single and name not in repeated:
            known = ", ".join(sorted([*single, *repeated])) or "none"
            raise BadRequest(f"unknown parameter {name[:40]!r}; this route knows {known}")
        if name in given and name not in repeated:
            raise BadRequest(f"parameter {name!r} is given twice; give it once")
        given.setdefault(name, []).append(value)
    return Parameters(given)


async def _body(request: Request) -> AsyncIterator[bytes]:
    chunks = request.stream()
    while True:
        with anyio.move_on_after(STALL_SECONDS) as silence:
            chunk = await anext(chunks, None)
        if silence.cancelled_caught:
            detail = f"nothing of the body came for {STALL_SECONDS:g} seconds; send it again, without such a pause"
            raise ProblemRaised(Problem.of("upload-stalled", detail))
        if chunk is None:
            return
        if chunk:
            yield chunk


def _empty() -> BadRequest:
    return BadRequest("the body is empty; send the bytes of one image (curl --data-binary @photo.jpg)")


def _authorization(request: Request) -> bytes | None:
    field = request.headers.get("authorization")
    return None if field is None else field.encode("latin-1")


def _ident(request: Request) -> str:
    ident: str = request.path_params["ident"]
    if not _IDENT.fullmatch(ident):
        raise BadRequest(f"{ident[:80]!r} is no ident: 64 lower-case hex digits, the SHA-256 of the image's bytes")
    return ident
