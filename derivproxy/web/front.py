"""The ASGI callable in front of everything: names go straight to the image route, the rest to the router.

Every request passes here once: it is given its id, its errors become problems, and it is counted and logged.
"""

from __future__ import annotations

import re
from time import perf_counter
from typing import TYPE_CHECKING
from urllib.parse import unquote

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.routing import Match, Route

from derivproxy.domain.errors import Fault
from derivproxy.web.exchange import ClientLeft, Exchange
from derivproxy.web.problems import Problem, ProblemRaised

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection

    from starlette.routing import Router

    from derivproxy.web.exchange import Receive, Scope, Send
    from derivproxy.web.needs import Counters, Log

_ID = re.compile(rb"[\x21-\x7e]{1,64}")
LEFT_STATUS = 499
"""In logs and counts alone: the client left before it had its answer."""


class Front:
    """The service as one ASGI callable. *routed* are the paths of the router beside ``/api``; all others are names.

    *new_id* makes request ids. *access* is where each request is told of, ``None`` for nowhere; *log* hears of errors.
    """

    def __init__(
        self,
        *,
        image: Callable[[Exchange], Awaitable[None]],
        router: Router,
        routed: Collection[str],
        counters: Counters,
        new_id: Callable[[], str],
        log: Log,
        access: Log | None,
    ) -> None:
        self._image = image
        self._router = router
        self._routes = [route for route in router.routes if isinstance(route, Route)]
        self._routed = frozenset(routed)
        self._counters = counters
        self._new_id = new_id
        self._log = log
        self._access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        if scope["type"] != "http":
            await _other_protocol(scope, receive, send)
            return
        started = perf_counter()
        exchange = Exchange(scope, receive, send)
        given = exchange.headers.get(b"x-request-id")
        exchange.request_id = given if given is not None and _ID.fullmatch(given) else self._new_id().encode("ascii")
        try:
            await self._serve(exchange)
        except Fault as fault:
            await self._fail(exchange, Problem.from_fault(fault), fault)
        except ProblemRaised as raised:
            await self._fail(exchange, raised.problem, None)
        except (ClientLeft, ClientDisconnect):
            exchange.status = LEFT_STATUS
        except Exception as error:  # noqa: BLE001 - whatever it is, the client gets an answer and the log the rest
            self._log.exception("unexpected error", path=exchange.path[:300], request_id=exchange.request_id.decode())
            problem = Problem.of(
                "internal", "something went wrong here; the log has more under this answer's X-Request-Id"
            )
            await self._fail(exchange, problem, error)
        finally:
            self._counters.request(exchange.route, exchange.status, exchange.cache)
            if self._access is not None:
                self._tell(exchange, perf_counter() - started)

    async def _serve(self, exchange: Exchange) -> None:
        path = exchange.path
        if path in self._routed or path.startswith("/api/"):
            await self._route(exchange)
        elif path.startswith("/"):
            await self._image(exchange)
        elif exchange.method == "OPTIONS":  # OPTIONS *: the server as a whole
            exchange.route = "server"
            await exchange.answer(204, [(b"allow", b"GET, HEAD, POST, DELETE, OPTIONS")])
        else:
            exchange.route = "server"
            raise ProblemRaised(
                Problem.of("bad-request", "the request target is neither a path nor a URL; send GET /NAME")
            )

    async def _route(self, exchange: Exchange) -> None:
        """Hand over to the router, which knows decoded paths below ``root_path`` only."""
        exchange.route = "other"
        raw = exchange.path.encode("latin-1")
        scope = {**exchange.scope, "path": unquote(exchange.path), "raw_path": raw, "root_path": "", "app": self}
        scope["derivproxy"] = exchange
        try:
            await self._router(scope, exchange.receive, exchange.relay)
        except HTTPException:  # the one that a router raises: the path is there, the method is not
            methods = ", ".join(sorted(self._methods(scope)))
            if exchange.method == "OPTIONS":
                await exchange.answer(204, [(b"allow", methods.encode("ascii"))])
                return
            detail = f"{exchange.method} on {exchange.path[:100]}; it answers {methods}"
            lines = [(b"allow", methods.encode("ascii"))]
            raise ProblemRaised(Problem.of("method-not-allowed", detail, headers=lines)) from None
        finally:
            route = scope.get("route")
            if route is not None:
                exchange.route = route.name

    def _methods(self, scope: Scope) -> set[str]:
        """What the path of *scope* answers: it may be the path of several routes."""
        here = [route for route in self._routes if route.matches(scope)[0] is not Match.NONE]
        return {"OPTIONS"}.union(*(route.methods or () for route in here))

    async def _fail(self, exchange: Exchange, problem: Problem, cause: Exception | None) -> None:
        """Answer with *problem*; where an answer has begun, cut it by raising: half an image must not look whole."""
        if problem.status >= 500:  # noqa: PLR2004 - where the server's own errors begin
            self._log.warning(
                problem.code,
                detail=problem.detail,
                path=exchange.path[:300],
                request_id=exchange.request_id.decode(),
                cut=exchange.started,
            )
        if exchange.started:
            raise cause if cause is not None else ProblemRaised(problem)
        body = problem.body()
        image = exchange.route == "name"
        guarded = exchange.guarded or b"authorization" in exchange.headers
        lines = problem.raw_headers(len(body), image=image, guarded=guarded)
        if image and exchange.path.endswith(".auto"):
            # What one format cannot hold, another may: no cache tells one asker what it told another.
            lines.append((b"vary", b"Accept"))
        try:
            await exchange.answer(problem.status, lines, body)
        except ClientLeft:
            exchange.status = LEFT_STATUS

    def _tell(self, exchange: Exchange, seconds: float) -> None:
        assert self._access is not None  # noqa: S101 - asked by the one caller
        client = exchange.scope.get("client")
        self._access.info(
            "request",
            method=exchange.method,
            path=exchange.path[:300],
            status=exchange.status,
            cache=exchange.cache,
            route=exchange.route,
            bytes=exchange.sent,
            ms=round(seconds * 1000, 2),
            client=client[0] if client else "",
            request_id=exchange.request_id.decode("ascii"),
        )


async def _other_protocol(scope: Scope, receive: Receive, send: Send) -> None:
    """Lifespan events are acknowledged (who composes the service starts and stops it); websockets are refused."""
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                await send({"type": "lifespan.startup.complete"})
            elif message["type"] == "lifespan.shutdown":
                await send({"type": "lifespan.shutdown.complete"})
                return
    elif scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": 1000})
