"""One request and its answer, between an ASGI server and the routes.

Theory of operation. Two things servers leave to the application are done here, once for all routes:

* *A body nobody read.* A route may answer before it read what is being uploaded (no token, too large, a GET with a
  body). A server's queue of unread pieces is short, and with Hypercorn an answer that ends while that queue is full
  waits for ever. So the answer goes out whole, then a bounded part of the rest is read and thrown away (closing at once
  would reset the connection, and the client might never see the answer), and the last event is sent while the queue is
  emptied.
* *A client that left.* Hypercorn does not cancel the application then, and sending raises nothing: whoever works long
  for an answer does it :meth:`Exchange.while_connected`.
"""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any, TypeVar

import anyio

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Awaitable, Callable, MutableMapping

    from derivproxy.web.problems import RawHeaders

    Scope = MutableMapping[str, Any]
    Message = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[Message]]
    Send = Callable[[Message], Awaitable[None]]

T = TypeVar("T")

LINGER_SECONDS = 2.0
LINGER_BYTES = 8 * 1024 * 1024

# absolute-form = absolute-URI (RFC 9112, 3.2.2): every server must take it, proxies send it.
_AUTHORITY = re.compile(rb"[A-Za-z][A-Za-z0-9+.-]*://[^/?#]*")

_READ = frozenset(
    (
        b"accept",
        b"authorization",
        b"content-length",
        b"if-match",
        b"if-none-match",
        b"if-range",
        b"range",
        b"transfer-encoding",
        b"x-request-id",
    )
)


class ClientLeft(Exception):
    """The client hung up before the answer was whole."""


class Exchange:
    """A request as the routes see it, and the only way they answer it.

    *path* is the raw path behind ``root_path``, percent-escapes and all, as text (Latin-1). *headers* are those this
    service reads; one given more than once is a list. *guarded* is set where the answer is not for everybody. *status*,
    *cache* and *sent* say afterwards what was answered.
    """

    __slots__ = (
        "_over",
        "_receive",
        "_send",
        "cache",
        "ended",
        "gone",
        "guarded",
        "headers",
        "method",
        "path",
        "query",
        "request_id",
        "root_path",
        "route",
        "scope",
        "sent",
        "started",
        "status",
    )

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scope = scope
        self._receive = receive
        self._send = send
        self.method: str = scope["method"]
        self.query: bytes = scope["query_string"]
        headers: dict[bytes, bytes] = {}
        for name, value in scope["headers"]:
            if name in _READ:
                headers[name] = value if name not in headers else headers[name] + b"," + value
        self.headers = headers
        self.root_path: str = scope.get("root_path", "")
        self.path = self._path(scope["raw_path"])
        length = headers.get(b"content-length")
        # HTTP/2 bodies need no length: there the server's end-of-stream event is waited for.
        self._over = (length is None or length == b"0") and b"transfer-encoding" not in headers
        if scope["http_version"][0] != "1":
            self._over = False
        self.request_id = b""
        self.route = "name"
        self.cache = ""
        self.status = 0
        self.sent = 0
        self.started = False
        self.ended = False
        self.gone = False
        self.guarded = False

    def _path(self, raw: bytes) -> str:
        if raw[:1] != b"/":
            match = _AUTHORITY.match(raw)
            if match is not None:
                raw = raw[match.end() :] or b"/"
        path = raw.decode("latin-1")
        root = self.root_path
        if root and path.startswith(root) and path[len(root) : len(root) + 1] in ("/", ""):
            path = path[len(root) :] or "/"
        return path

    async def receive(self) -> Message:
        """The next event of the request, remembering whether its body is over and whether the client is still there."""
        message = await self._receive()
        if message["type"] == "http.disconnect":
            self.gone = self._over = True
        elif not message.get("more_body", False):
            self._over = True
        return message

    async def left(self) -> None:
        """Return when the client has hung up. What it still uploads is thrown away."""
        while not self.gone:
            await self.receive()

    async def while_connected(self, work: Callable[[], Awaitable[T]]) -> T:
        """The result of *work*, which is cancelled when the client leaves: then ``ClientLeft`` is raised."""
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("an exchange is served in a task")
        before = task.cancelling()
        working = True
        left = False

        async def watch() -> None:
            nonlocal left
            await self.left()
            if working and not self.ended:  # else it is the server saying that the exchange is over
                left = True
                task.cancel()

        watching = asyncio.create_task(watch())
        try:
            return await work()
        except asyncio.CancelledError:
            if left and task.cancelling() == before + 1:
                raise ClientLeft from None
            raise
        finally:
            working = False
            watching.cancel()
            if left:
                task.uncancel()

    async def _say(self, message: Message) -> None:
        try:
            await self._send(message)
        except (
            OSError
        ) as error:  # a reset is swallowed by Hypercorn; a time-out, of who vanished or took nothing, is not
            self.gone = self._over = True
            raise ClientLeft from error

    async def start(self, status: int, headers: RawHeaders) -> None:
        """Send the status line and *headers*, with the request's id."""
        self.status = status
        self.started = True
        headers = [*headers, (b"x-request-id", self.request_id)]
        if not self._over and self.scope["http_version"][0] == "1":
            # What is left of the body would be read as the next request.
            headers.append((b"connection", b"close"))
        await self._say({"type": "http.response.start", "status": status, "headers": headers})

    async def answer(self, status: int, headers: RawHeaders, body: bytes | memoryview = b"") -> None:
        """Answer with the whole of *body*, or without it where the method is HEAD."""
        await self.start(status, headers)
        if self.method == "HEAD":
            body = b""
        self.sent = len(body)
        if self._over:
            self.ended = True
            await self._say({"type": "http.response.body", "body": body})
            return
        await self._say({"type": "http.response.body", "body": body, "more_body": True})
        await self._finish()

    async def pour(self, status: int, headers: RawHeaders, chunks: AsyncIterable[bytes]) -> None:
        """Answer with *chunks* as they come. An error of theirs must reach the server, which then cuts the answer."""
        await self.start(status, headers)
        if self.method != "HEAD":
            async for chunk in chunks:
                self.sent += len(chunk)
                await self._say({"type": "http.response.body", "body": chunk, "more_body": True})
        await self._finish()

    async def relay(self, message: Message) -> None:
        """Take what a Starlette response sends."""
        if message["type"] == "http.response.start":
            await self.start(message["status"], list(message.get("headers", ())))
            return
        body = message.get("body", b"")
        if body and self.method != "HEAD":
            self.sent += len(body)
            await self._say({"type": "http.response.body", "body": body, "more_body": True})
        if not message.get("more_body", False):
            await self._finish()

    async def _finish(self) -> None:
        """End the answer, emptying the server's queue of what is still being uploaded."""
        if not self._over:
            with anyio.move_on_after(LINGER_SECONDS):
                await self._linger()
        self.ended = True
        end: Message = {"type": "http.response.body", "body": b""}
        if self._over:
            await self._say(end)
            return

        async def empty() -> None:
            while not self.gone:
                await self.receive()

        async with anyio.create_task_group() as group:
            group.start_soon(empty)
            await self._say(end)
            group.cancel_scope.cancel()

    async def _linger(self) -> None:
        left = LINGER_BYTES
        while left > 0:
            left -= len((await self.receive()).get("body", b""))
            if self._over:
                return
