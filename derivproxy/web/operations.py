"""What whoever runs the service asks: alive, ready, counts; and what browsers and robots ask of every site."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from starlette.responses import Response

from derivproxy.web.api import Json

if TYPE_CHECKING:
    from starlette.requests import Request

    from derivproxy.web.metrics import Metrics
    from derivproxy.web.needs import Catalogue

_NOSNIFF = {"x-content-type-options": "nosniff"}
ROBOTS = b"User-agent: *\nDisallow: /api/\nDisallow: /metrics\n"


class Readiness(Protocol):
    """Whether reads are right."""

    @property
    def store_was_reached(self) -> bool:
        """The store has answered at least once since the start."""
        ...

    async def store_answers(self) -> bool:
        """The store answers now (asked at most every few seconds)."""
        ...


class Operations:
    """The handlers. *version* is the service's."""

    def __init__(self, *, readiness: Readiness, catalogue: Catalogue, metrics: Metrics, version: str) -> None:
        self._readiness = readiness
        self._catalogue = catalogue
        self._metrics = metrics
        self._version = version

    async def alive(self, _: Request) -> Response:
        """``GET /healthz``: this process answers."""
        return Json({"status": "alive", "version": self._version})

    async def ready(self, _: Request) -> Response:
        """``GET /readyz``: the store was reached once. One lost later is told but no 503: hits are still answered."""
        answers = await self._readiness.store_answers()
        if not self._readiness.store_was_reached:
            return Json({"status": "starting", "store": "not reached yet"}, 503, {"retry-after": "1"})
        return Json(
            {"status": "ready" if answers else "degraded", "store": "answers" if answers else "does not answer"}
        )

    async def metrics(self, _: Request) -> Response:
        """``GET /metrics``: all processes of the machine as one."""
        headers = {"content-type": "text/plain; version=0.0.4; charset=utf-8", "cache-control": "no-store", **_NOSNIFF}
        self._metrics.revision(await self._catalogue.revision())
        return Response(self._metrics.exposition(), headers=headers)

    async def robots(self, _: Request) -> Response:
        """``GET /robots.txt``: images may be indexed, the interface need not be."""
        return Response(ROBOTS, media_type="text/plain", headers={"cache-control": "public, max-age=86400", **_NOSNIFF})

    async def favicon(self, _: Request) -> Response:
        """``GET /favicon.ico``: there is none, which browsers need to be told once a day at most."""
        return Response(status_code=204, headers={"cache-control": "public, max-age=86400"})
