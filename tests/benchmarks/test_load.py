from __future__ import annotations

import socket
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from harness.load import CUT_OFF, Job

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

BODY = b"x" * 300_000


class Answers:
    """A server on loopback that answers each request with what *answer* gives; ``b""`` closes the connection."""

    def __init__(self, answer: Callable[[str], list[bytes]]) -> None:
        self.answer = answer
        self.paths: list[str] = []
        self.connections = 0
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=300)
        self.port = self._listener.getsockname()[1]
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._threads.append(threading.Thread(target=self._serve, args=(connection,)))
            self._threads[-1].start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            while True:
                try:
                    request = connection.recv(65_536)
                    if not request:
                        return
                    path = request.split(b" ")[1].decode()
                    self.paths.append(path)
                    for piece in self.answer(path):
                        if not piece:
                            return
                        connection.sendall(piece)
                except OSError:
                    return

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(5)


@contextmanager
def answering(answer: Callable[[str], list[bytes]]) -> Iterator[Answers]:
    answers = Answers(answer)
    try:
        yield answers
    finally:
        answers.close()


def job(server: Answers, **more: object) -> Job:
    return Job({"host": "127.0.0.1", "ports": [server.port], "paths": ["/a", "/b"], "connections": 3, **more})


def plain(_: str) -> list[bytes]:
    return [b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(BODY), BODY]


def test_every_request_is_asked_once_and_connections_are_kept() -> None:
    with answering(plain) as server:
        said = job(server, count=40).perform()
        assert said["statuses"] == {200: 40}
        assert len(said["latencies_seconds"]) == 40
        assert said["unanswered"] == said["reconnects"] == 0
        assert said["received_bytes"] > 40 * len(BODY)
    assert sorted(server.paths) == ["/a"] * 20 + ["/b"] * 20
    assert server.connections == 3


def test_an_answer_in_chunks_is_read_to_its_end() -> None:
    def chunks(_: str) -> list[bytes]:
        return [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"3\r\nabc\r\n", b"0\r\n\r\n"]

    with answering(chunks) as server:
        said = job(server, count=10).perform()
    assert said["statuses"] == {200: 10}
    assert len(server.paths) == 10


def test_a_refusal_is_counted_with_its_own_words() -> None:
    def refuse(path: str) -> list[bytes]:
        return plain(path) if path == "/a" else [b"HTTP/1.1 503 No\r\nContent-Length: 4\r\n\r\nfull"]

    with answering(refuse) as server:
        said = job(server, count=10).perform()
    assert said["statuses"] == {200: 5, 503: 5}
    assert said["first_error"].endswith("full")


def test_half_an_answer_is_no_answer() -> None:
    def half(_: str) -> list[bytes]:
        return [b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf", b""]

    with answering(half) as server:
        said = job(server, count=6).perform()
    assert said["statuses"] == {CUT_OFF: 6}
    assert said["reconnects"] >= 3


def test_a_connection_the_server_ends_is_opened_again() -> None:
    def once(_: str) -> list[bytes]:
        return [b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok", b""]

    with answering(once) as server:
        said = job(server, count=12).perform()
    assert said["statuses"] == {200: 12}
    assert server.connections >= 12


def test_a_stalling_server_cannot_hide_the_requests_it_delayed() -> None:
    stalled = threading.Event()

    def stall(path: str) -> list[bytes]:
        if not stalled.is_set():
            stalled.set()
            time.sleep(0.5)
        return plain(path)

    with answering(stall) as server:
        said = job(server, count=50, connections=1, interval_seconds=0.01).perform()
    late = [latency for latency in said["latencies_seconds"] if latency > 0.1]
    assert len(late) >= 30


def test_the_time_limit_ends_a_job() -> None:
    with answering(lambda _: (time.sleep(0.2), plain(""))[1]) as server:
        said = job(server, count=1_000, limit_seconds=0.5).perform()
    assert said["elapsed_seconds"] < 2
    assert said["unanswered"] <= 3
