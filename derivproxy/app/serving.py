"""Sockets and Hypercorn: how an ASGI callable is put on the network. Nothing here knows what is served."""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
from typing import TYPE_CHECKING, Any

from hypercorn.asyncio import run, serve
from hypercorn.asyncio.tcp_server import TCPServer
from hypercorn.config import Config
from hypercorn.events import Event, Updated

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

_BACKLOG = 2048
_PORTS_TRIED = 100
LEAVE_SECONDS = 0.3
STUCK_SECONDS = 60
"""How long a client may take none of what is sent to it; Hypercorn would wait for ever."""


class CannotListen(RuntimeError):
    """The address cannot be bound."""


def listen(host: str, port: int, *, next_free: bool) -> socket.socket:
    """A listening TCP socket on *host*; with *next_free* a taken port gives way to the next free one.

    Raises ``CannotListen`` naming the setting to change.
    """
    try:
        family, _, _, _, _ = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    except (socket.gaierror, UnicodeError) as error:
        raise CannotListen(f"DERIVPROXY_HOST={host!r} is no address of this machine: {error}") from None
    last = port + _PORTS_TRIED if next_free and port else port
    for candidate in range(port, min(last, 65_535) + 1):
        sock = socket.socket(family, socket.SOCK_STREAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux; what is accepted inherits it
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, STUCK_SECONDS * 1000)
        try:
            sock.bind((host, candidate))
            sock.listen(_BACKLOG)
        except OSError as error:
            sock.close()
            if error.errno == errno.EADDRINUSE and candidate < last:
                continue
            raise CannotListen(
                f"cannot listen on {host} port {candidate}: {error.strerror}; "
                "another --port (DERIVPROXY_PORT) or --host (DERIVPROXY_HOST) may do"
            ) from None
        sock.settimeout(0)
        return sock
    raise CannotListen(f"no free port from {port} to {last} on {host}; name one with --port (DERIVPROXY_PORT)")


def hypercorn_config(bind: str, *, graceful_seconds: float) -> Config:
    """Hypercorn as this house runs it. The reasons are measurements of Hypercorn 0.18 (docs/http.md)."""
    config = Config()
    config.bind = [bind]
    config.backlog = _BACKLOG
    config.graceful_timeout = graceful_seconds
    config.keep_alive_timeout = 30
    # The default closes a busy connection after 1,000 requests; clients then see resets under load.
    config.keep_alive_max_requests = 1_000_000_000
    config.include_server_header = False
    config.accesslog = None
    config.errorlog = logging.getLogger("hypercorn.error")
    config.loglevel = "WARNING"
    return config


async def serve_socket(
    app: Any,  # noqa: ANN401  Hypercorn's own union of ASGI callables is not ours to restate
    sock: socket.socket,
    *,
    graceful_seconds: float,
    stop: Callable[[], Awaitable[Any]],
    leave_seconds: float = LEAVE_SECONDS,
) -> None:
    """Serve *app* on a listening socket until *stop* returns; requests under way then have *graceful_seconds*.

    For *leave_seconds* before that, answers tell their clients to go, so that few are cut off between two requests.
    """
    asyncio.get_running_loop().set_exception_handler(_tell)
    # Hypercorn lets nobody say which class its connections have.
    run.TCPServer = Connection  # type: ignore[attr-defined]
    config = hypercorn_config(f"fd://{sock.detach()}", graceful_seconds=graceful_seconds)

    async def leave() -> None:
        await stop()
        config.keep_alive_max_requests = 0  # each answer has Connection: close from here on
        await asyncio.sleep(leave_seconds)

    await serve(app, config, shutdown_trigger=leave, mode="asgi")


class Connection(TCPServer):
    """Hypercorn's, but closed when its client has hung up.

    Hypercorn 0.18 goes on waiting for the next request until the keep-alive time-out: a thousand clients that come and
    go within those seconds, one after the other, would use up the descriptors of the process.
    """

    _hung_up = False

    async def _read_data(self) -> None:
        await super()._read_data()
        self._hung_up = True
        await self.idle_task.stop()

    async def protocol_send(self, event: Event) -> None:
        """As Hypercorn's, but who has hung up is not waited for."""
        if not (self._hung_up and isinstance(event, Updated) and event.idle):
            await super().protocol_send(event)


def _tell(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Log what nobody caught, as asyncio does by itself, but for a connection that timed out while it was closed."""
    if isinstance(context.get("exception"), TimeoutError) and "client_connected_cb" in context["message"]:
        return
    loop.default_exception_handler(context)


def listen_unix(path: Path) -> socket.socket:
    """A listening Unix socket that only this user may connect to."""
    path.unlink(missing_ok=True)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.bind(str(path))
    path.chmod(0o600)
    sock.listen(_BACKLOG)
    sock.settimeout(0)
    return sock
