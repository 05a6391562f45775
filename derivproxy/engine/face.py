"""The engine's face: what HTTP workers ask of it, over the Unix socket in DATA.

    POST   /run/{name}                    the derivative, made once however many ask
    POST   /images                        add what a worker has received into the spool
    DELETE /images/{ident}                take it away
    DELETE /images/{ident}/derivatives    purge
    POST   /images/{ident}/recover        look for an image that the metadata does not know
    GET    /purged/{worker}/{number}      the idents purged after that number, as soon as there are any
    GET    /alive

The socket is for this user alone, so nobody is asked who they are. Nothing here is part of the interface: both ends are
always of one version, started by one command.
"""

from __future__ import annotations

from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import anyio
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, Router

import grammar
from derivproxy.domain.errors import BadRequest, Fault
from derivproxy.engine.faults import MEDIA_TYPE, STATUS, pack
from derivproxy.engine.wire import answer_headers, pack_image, unpack_upload
from grammar import Derivative

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterable, Sequence
    from contextlib import AbstractAsyncContextManager

    from starlette.requests import Request
    from starlette.types import ASGIApp, Message, Receive, Scope, Send
    from structlog.typing import FilteringBoundLogger

    from derivproxy.delivery.answers import Answer
    from derivproxy.domain.images import Image
    from derivproxy.engine.purges import Purges
    from derivproxy.updates import Added, Spooled

CHUNK_BYTES = 1024 * 1024


class Runs(Protocol):
    """Makes derivatives: ``delivery.Runs``."""

    def run(self, name: Derivative) -> AbstractAsyncContextManager[Answer]:
        """The derivative, good while the context is open."""
        ...


class Updates(Protocol):
    """The write path: ``updates.Updates``."""

    async def add(self, spooled: Spooled, *, title: str, tags: Sequence[str], path: str) -> Added:
        """Put an upload in."""
        ...

    async def remove(self, ident: str) -> int:
        """Take an image away."""
        ...

    async def purge(self, ident: str) -> int:
        """Forget its derivatives."""
        ...

    async def recover(self, ident: str) -> Image:
        """Look for it in the store."""
        ...


def engine_face(*, runs: Runs, updates: Updates, purges: Purges, log: FilteringBoundLogger) -> ASGIApp:
    """The face as an ASGI callable. *log* hears of what nobody expected."""
    handlers = _Handlers(updates, purges)
    routes = [
        Route("/run/{name}", _RunRoute(runs), methods=["POST"]),
        Route("/images", handlers.add, methods=["POST"]),
        Route("/images/{ident}", handlers.remove, methods=["DELETE"]),
        Route("/images/{ident}/derivatives", handlers.purge, methods=["DELETE"]),
        Route("/images/{ident}/recover", handlers.recover, methods=["POST"]),
        Route("/purged/{worker}/{number}", handlers.purged),
        Route("/alive", handlers.alive),
    ]
    router = Router(routes, redirect_slashes=False)

    async def face(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await router(scope, receive, send)
            return
        started = False

        async def sending(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await router(scope, receive, sending)
        except Fault as fault:
            if started:
                raise  # the answer is cut, which the worker sees
            await Response(pack(fault), STATUS, media_type=MEDIA_TYPE)(scope, receive, send)
        except Exception:
            if started:
                raise
            log.exception("unexpected error in the engine", path=scope["path"][:300])
            unknown = Fault("something went wrong in the engine; its log has more")
            await Response(pack(unknown), STATUS, media_type=MEDIA_TYPE)(scope, receive, send)

    return face


class _RunRoute:
    """``POST /run/{name}``. A worker that hangs up does not wait any more, and its asker's share in the run ends."""

    def __init__(self, runs: Runs) -> None:
        self._runs = runs

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        name = grammar.parse(scope["path_params"]["name"])
        if not isinstance(name, Derivative):
            raise BadRequest(f"{name} is a base; only derivatives are run")
        failures: list[Exception] = []
        answered = False

        async def watch() -> None:
            while (await receive())["type"] != "http.disconnect":
                pass
            if not answered:
                group.cancel_scope.cancel()

        async with anyio.create_task_group() as group:
            group.start_soon(watch)
            try:
                async with self._runs.run(name) as answer:
                    headers = [(key.encode(), value.encode()) for key, value in answer_headers(answer).items()]
                    await send({"type": "http.response.start", "status": 200, "headers": headers})
                    async with aclosing(_chunks(answer.body)) as chunks:
                        async for chunk in chunks:
                            await send({"type": "http.response.body", "body": chunk, "more_body": True})
                    answered = True
                    await send({"type": "http.response.body", "body": b""})
            except Exception as error:  # noqa: BLE001 - raised again below, outside of the group that would wrap it
                failures.append(error)
            group.cancel_scope.cancel()
        if failures:
            raise failures[0]


class _Handlers:
    """Everything else: short, and done to its end whether or not the worker still waits."""

    def __init__(self, updates: Updates, purges: Purges) -> None:
        self._updates = updates
        self._purges = purges

    async def add(self, request: Request) -> Response:
        spooled, said = unpack_upload(await request.json())
        added = await self._updates.add(spooled, **said)
        return JSONResponse({"image": pack_image(added.image), "created": added.created})

    async def remove(self, request: Request) -> Response:
        return JSONResponse(await self._updates.remove(request.path_params["ident"]))

    async def purge(self, request: Request) -> Response:
        return JSONResponse(await self._updates.purge(request.path_params["ident"]))

    async def recover(self, request: Request) -> Response:
        return JSONResponse(pack_image(await self._updates.recover(request.path_params["ident"])))

    async def purged(self, request: Request) -> Response:
        try:
            latest, idents = await self._purges.after(request.path_params["worker"], int(request.path_params["number"]))
        except LookupError as error:
            raise BadRequest(str(error)) from None
        return JSONResponse({"latest": latest, "idents": idents})

    async def alive(self, _: Request) -> Response:
        return JSONResponse({"alive": True})


async def _chunks(body: bytes | Path | AsyncIterable[bytes]) -> AsyncGenerator[bytes]:
    if isinstance(body, bytes):
        yield body
    elif isinstance(body, Path):
        async with await anyio.open_file(body, "rb") as file:
            while chunk := await file.read(CHUNK_BYTES):
                yield chunk
    else:
        async for chunk in body:
            yield chunk
