"""An exchange with a server as Hypercorn is: a short queue of unread pieces, which ending an answer waits for."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from derivproxy.web import exchange as module
from derivproxy.web.exchange import ClientLeft, Exchange
from tests.web.service import Service


class Server:
    """Feeds an endless upload into a queue of *room* pieces; the last event of an answer must fit in as well."""

    def __init__(self, *, headers: list[tuple[bytes, bytes]], room: int = 2, endless: bool = False) -> None:
        self.queue: asyncio.Queue[dict[str, Any]] = asyncio.Queue(room)
        self.sent: list[dict[str, Any]] = []
        self.endless = endless
        self.exchange = Exchange(
            {
                "type": "http",
                "http_version": "1.1",
                "method": "POST",
                "raw_path": b"/x",
                "query_string": b"",
                "headers": headers,
            },
            self.receive,
            self.send,
        )

    async def receive(self) -> dict[str, Any]:
        message = await self.queue.get()
        if self.endless:
            self.fill()
        return message

    def fill(self) -> None:
        while not self.queue.full():
            self.queue.put_nowait({"type": "http.request", "body": b"x" * 100, "more_body": True})

    async def send(self, message: dict[str, Any]) -> None:
        self.sent.append(message)
        if message["type"] == "http.response.body" and not message.get("more_body", False):
            self.endless = False
            await self.queue.put({"type": "http.disconnect"})

    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.sent)


UPLOAD = [(b"content-length", b"1000000")]


async def test_an_answer_ends_although_the_queue_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LINGER_BYTES", 1000)
    server = Server(headers=UPLOAD, endless=True)
    server.fill()
    async with asyncio.timeout(5):
        await server.exchange.answer(401, [], b"no")
    assert server.body() == b"no"
    assert server.sent[-1] == {"type": "http.response.body", "body": b""}


async def test_lingering_ends_after_its_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LINGER_SECONDS", 0.01)
    server = Server(headers=UPLOAD)
    async with asyncio.timeout(5):
        await server.exchange.answer(401, [], b"no")
    assert server.body() == b"no"


async def test_the_whole_answer_is_out_before_anything_is_thrown_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LINGER_SECONDS", 0.2)
    server = Server(headers=UPLOAD)
    answering = asyncio.create_task(server.exchange.answer(401, [], b"no"))
    await asyncio.sleep(0.02)
    assert (server.body(), answering.done()) == (b"no", False)
    assert (b"connection", b"close") in server.sent[0]["headers"]
    server.queue.put_nowait({"type": "http.request", "body": b"x", "more_body": False})
    await asyncio.wait_for(answering, 5)


async def test_without_a_body_the_connection_is_kept() -> None:
    server = Server(headers=[(b"content-length", b"0")])
    await server.exchange.answer(200, [], b"yes")
    assert [name for name, _ in server.sent[0]["headers"]] == [b"x-request-id"]
    assert len(server.sent) == 2


async def test_what_is_done_after_the_answer_is_done_to_its_end() -> None:
    server = Server(headers=[])
    done = False

    async def work() -> str:
        nonlocal done
        await server.exchange.answer(200, [], b"yes")
        await asyncio.sleep(0.02)
        done = True
        return "result"

    assert await server.exchange.while_connected(work) == "result"
    assert done


async def test_a_client_that_leaves_ends_the_work_and_not_its_cleaning_up() -> None:
    server = Server(headers=[])
    cleaned = False

    async def work() -> None:
        nonlocal cleaned
        try:
            await asyncio.sleep(3600)
        finally:
            cleaned = True

    server.queue.put_nowait({"type": "http.request", "body": b"", "more_body": False})
    server.queue.put_nowait({"type": "http.disconnect"})
    with pytest.raises(ClientLeft):
        await server.exchange.while_connected(work)
    assert cleaned
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0
    await asyncio.sleep(0)


async def test_who_is_cancelled_by_another_is_not_a_client_that_left() -> None:
    server = Server(headers=[])
    begun = asyncio.Event()

    async def work() -> None:
        begun.set()
        await asyncio.sleep(3600)

    task = asyncio.create_task(server.exchange.while_connected(work))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_client_that_leaves_after_the_work_cancels_nothing() -> None:
    server = Server(headers=[])

    async def work() -> str:
        server.queue.put_nowait({"type": "http.disconnect"})
        return "result"

    assert await server.exchange.while_connected(work) == "result"
    for _ in range(3):
        await asyncio.sleep(0)


async def test_an_error_of_the_work_arrives_as_itself() -> None:
    server = Server(headers=[])

    async def work() -> None:
        raise KeyError("x")

    with pytest.raises(KeyError):
        await server.exchange.while_connected(work)


@pytest.mark.parametrize(
    ("raw", "root", "path"),
    [
        (b"/a%2Fb", "", "/a%2Fb"),
        (b"http://h:1/a", "", "/a"),
        (b"http://h", "", "/"),
        (b"/pics/a", "/pics", "/a"),
        (b"/pics", "/pics", "/"),
        (b"/picsa", "/pics", "/picsa"),
        (b"//h/a", "", "//h/a"),
        (b"/\xff", "", "/\xff"),
        (b"*", "", "*"),
    ],
)
async def test_the_path_is_the_raw_one_below_the_root(raw: bytes, root: str, path: str) -> None:
    scope = {"http_version": "1.1", "method": "GET", "query_string": b"", "headers": []}

    async def nothing(*_: object) -> dict[str, Any]:
        return {}

    assert Exchange({**scope, "raw_path": raw, "root_path": root}, nothing, nothing).path == path  # type: ignore[arg-type]


async def test_a_connection_that_times_out_is_a_client_that_left() -> None:
    async def send(_: object) -> None:
        raise TimeoutError(110, "Connection timed out")

    exchange = Exchange(Server(headers=[]).exchange.scope, asyncio.Queue().get, send)
    with pytest.raises(ClientLeft):
        await exchange.answer(200, [], b"x")
    assert exchange.gone


@pytest.mark.parametrize("path", ["/healthz", "/nothing"])
async def test_who_vanished_is_no_error_of_the_service(path: str) -> None:
    it = Service()

    async def send(_: object) -> None:
        raise TimeoutError(110, "Connection timed out")

    scope = {
        **Server(headers=[]).exchange.scope,
        "type": "http",
        "method": "GET",
        "path": path,
        "raw_path": path.encode(),
    }
    await it.app(scope, asyncio.Queue().get, send)
    assert [status for _, status, _ in it.counters.counted] == [499]
    assert it.log.events == []
