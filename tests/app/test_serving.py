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


async def test_a_client_that_hung_up_is_let_go_at_once() -> None:
    stop = asyncio.Event()

    async def answers(scope: dict[str, Any], _: object, send: Callable[[dict[str, Any]], Awaitable[None]]) -> None:
        assert scope["type"] == "http"
        await asyncio.sleep(0.2 if scope["path"] == "/slow" else 0)
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})

    sock = listen("127.0.0.1", 0, next_free=False)
    address = sock.getsockname()
    serving = asyncio.create_task(serve_socket(answers, sock, graceful_seconds=1, stop=stop.wait))
    await hung_up(address, b"/", wait=True)
    before = len(asyncio.all_tasks())
    for path, wait in ((b"/", True), (b"/slow", True), (b"/slow", False)):
        for _ in range(5):
            await hung_up(address, path, wait=wait)
    for _ in range(200):  # a tenth of the keep-alive time-out
        if len(asyncio.all_tasks()) <= before:
            break
        await asyncio.sleep(0.015)
    assert len(asyncio.all_tasks()) <= before
    stop.set()
    await serving


async def hung_up(address: tuple[str, int], path: bytes, *, wait: bool) -> None:
    reader, writer = await asyncio.open_connection(*address)
    writer.write(b"GET " + path + b" HTTP/1.1\r\nhost: x\r\n\r\n")
    if wait:
        await reader.readuntil(b"\r\n\r\n")
    else:
        await asyncio.sleep(0.05)
    writer.close()
    await writer.wait_closed()


async def test_who_is_between_two_requests_is_told_to_go_before_the_service_ends() -> None:
    stop = asyncio.Event()

    async def answers(scope: dict[str, Any], _: object, send: Callable[[dict[str, Any]], Awaitable[None]]) -> None:
        assert scope["type"] == "http"
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})

    sock = listen("127.0.0.1", 0, next_free=False)
    address = sock.getsockname()
    serving = asyncio.create_task(serve_socket(answers, sock, graceful_seconds=1, stop=stop.wait))
    kept = await asyncio.open_connection(*address)
    assert b"connection: close" not in await said(*kept)
    stop.set()
    await asyncio.sleep(0)
    assert b"connection: close" in await said(*kept)
    knocking = await asyncio.open_connection(*address)
    assert b"connection: close" in await said(*knocking)
    await serving
    for _, writer in (kept, knocking):
        writer.close()
        await writer.wait_closed()


async def said(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
    return (await reader.readuntil(b"\r\n\r\n")).lower()
