"""Every route of the service.

GET HEAD        /{name}                              image.py        names go past the router: see front.py
GET             /                                    page.py         where switched on
GET POST        /api/images                          api.py
GET DELETE      /api/images/{ident}                  api.py
DELETE          /api/images/{ident}/derivatives      api.py
GET             /healthz /readyz /metrics            operations.py
GET             /robots.txt /favicon.ico             operations.py
OPTIONS         everywhere                           front.py
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from starlette.routing import Route, Router

from derivproxy.web.front import Front
from derivproxy.web.problems import Problem, ProblemRaised

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import Receive, Scope, Send

    from derivproxy.web.api import ImagesApi
    from derivproxy.web.image import ImageRoute
    from derivproxy.web.needs import Counters, Log
    from derivproxy.web.operations import Operations
    from derivproxy.web.page import Page

ROUTED = ("/", "/api", "/healthz", "/readyz", "/metrics", "/robots.txt", "/favicon.ico")


def create_app(
    *,
    image: ImageRoute,
    api: ImagesApi,
    operations: Operations,
    page: Page | None,
    counters: Counters,
    log: Log,
    access: Log | None,
    new_id: Callable[[], str] = lambda: secrets.token_hex(8),
) -> Front:
    """The service as an ASGI callable.

    *page* is ``None`` where ``/`` is switched off, *access* where nobody is told of each request.
    """
    routes = [
        Route("/api/images", api.add, methods=["POST"], name="add"),
        Route("/api/images", api.listing, name="list"),
        Route("/api/images/{ident}", api.describe, name="describe"),
        Route("/api/images/{ident}", api.remove, methods=["DELETE"], name="remove"),
        Route("/api/images/{ident}/derivatives", api.purge, methods=["DELETE"], name="purge"),
        Route("/healthz", operations.alive, name="healthz"),
        Route("/readyz", operations.ready, name="readyz"),
        Route("/metrics", operations.metrics, name="metrics"),
        Route("/robots.txt", operations.robots, name="robots"),
        Route("/favicon.ico", operations.favicon, name="favicon"),
    ]
    if page is not None:
        routes.append(Route("/", page.show, name="page"))
    router = Router(routes, redirect_slashes=False, default=_nothing_here)
    return Front(image=image, router=router, routed=ROUTED, counters=counters, new_id=new_id, log=log, access=access)


async def _nothing_here(scope: Scope, _receive: Receive, _send: Send) -> None:
    path = scope["path"][:100]
    remedy = "the page is switched off here" if path == "/" else "docs/http.md lists the routes"
    raise ProblemRaised(Problem.of("not-found", f"nothing is at {path}; {remedy}"))
