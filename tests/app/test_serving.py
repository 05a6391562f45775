from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, Any

import pytest

from derivproxy.app.serving import STUCK_SECONDS, listen, serve_socket

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

LINUX = pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="the kernel has no such limit")


@LINUX
def test_every_connection_has_a_limit_for_taking_nothing() -> None:
    with listen("127.0.0.1", 0, next_free=False) as sock, socket.create_connection(sock.getsockname()):
        sock.settimeout(5)
        accepted, _ = sock.accept()
        with accepted:
            limit = accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)
    assert limit == STUCK_SECONDS * 1000


@LINUX
async def test_who_takes_nothing_is_cut_off_and_nothing_is_logged_of_it(caplog: pytest.LogCaptureFixture) -> None:
    stop, cut = asyncio.Event(), asyncio.Event()

    async def pours(scope: dict[str, Any], _: object, send: Callable[[dict[str, Any]], Awaitable[None]]) -> None:
        assert scope["type"] == "http"
        await send({"type": "http.response.start", "status": 200, "headers": []})
        try:
            while True:
                await send({"type": "http.response.body", "body": bytes(1_000_000), "more_body": True})
        except OSError:
            cut.set()

    sock = listen("127.0.0.1", 0, next_free=False)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 300)
    address = sock.getsockname()
    serving = asyncio.create_task(serve_socket(pours, sock, graceful_seconds=1, stop=stop.wait))
    with socket.create_connection(address) as client:
        client.sendall(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        await asyncio.wait_for(cut.wait(), 20)
        await asyncio.sleep(0.1)
    stop.set()
    await serving
    assert [record.getMessage() for record in caplog.records if "Lifespan" not in record.getMessage()] == []
