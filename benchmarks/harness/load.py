"""The load generator, a program of its own so that its CPU is nobody else's: jobs in, results out, a JSON line each.

Raw sockets, one thread, epoll: 20 µs a request, a fraction of what any server here needs for its cheapest answer.
A job: ``host ports paths connections count interval_seconds limit_seconds``. *paths* are taken in turn, *count*
requests in all; connections are opened before the clock starts, dealt out over the ports, and kept alive. With an
interval the requests have due times, and a latency counts from the due time, so that a server which stalls cannot hide
the requests it delayed.
"""

from __future__ import annotations

import json
import select
import socket
import sys
import time
from typing import Any

ANSWER_BYTES_AT_ONCE = 1 << 18
OK = 200
CUT_OFF = 0  # the status of an answer that never came whole
clock = time.perf_counter


class Connection:
    """One keep-alive connection and the answer it is waiting for."""

    __slots__ = ("address", "asked", "began", "buffer", "closes", "end", "socket", "status")

    def __init__(self, address: tuple[str, int]) -> None:
        self.address = address
        self.socket = socket.create_connection(address, timeout=30)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.forget()

    def forget(self) -> None:
        """Be ready for the next request."""
        self.buffer = b""
        self.end: int | None = None  # where the answer ends in the buffer; -1: at its last chunk
        self.asked = False
        self.closes = False
        self.status = CUT_OFF

    def take(self, data: bytes) -> bool:
        """Add *data*; true when the answer is whole."""
        self.buffer = self.buffer + data if self.buffer else data
        if self.end is None:
            head_end = self.buffer.find(b"\r\n\r\n")
            if head_end < 0:
                return False
            head = self.buffer[:head_end].lower()
            self.status = int(head[9:12])
            self.closes = b"\r\nconnection: close" in head
            at = head.find(b"\r\ncontent-length:")
            if at >= 0:
                line_end = head.find(b"\r\n", at + 2)
                self.end = head_end + 4 + int(head[at + 17 : line_end if line_end >= 0 else len(head)])
            elif b"\r\ntransfer-encoding: chunked" in head:
                self.end = -1
            else:
                self.end = head_end + 4
        if self.end < 0:
            return self.buffer.endswith(b"\r\n0\r\n\r\n")
        return len(self.buffer) >= self.end


class Job:
    """The requests of one job, under way."""

    def __init__(self, wanted: dict[str, Any]) -> None:
        self.requests = [f"GET {path} HTTP/1.1\r\nHost: {wanted['host']}\r\n\r\n".encode() for path in wanted["paths"]]
        self.count = wanted["count"]
        self.interval = wanted.get("interval_seconds", 0.0)
        self.limit = wanted.get("limit_seconds", 120.0)
        addresses = [(wanted["host"], port) for port in wanted["ports"]]
        self.poll = select.epoll()
        self.by_number: dict[int, Connection] = {}
        self.idle = [self.connect(addresses[number % len(addresses)]) for number in range(wanted["connections"])]
        self.latencies: list[float] = []
        self.statuses: dict[int, int] = {}
        self.sent = self.received = self.reconnects = 0
        self.first_error: str | None = None

    def connect(self, address: tuple[str, int]) -> Connection:
        """Open a connection and listen to it."""
        connection = Connection(address)
        number = connection.socket.fileno()
        self.by_number[number] = connection
        self.poll.register(number, select.EPOLLIN)
        return connection

    def perform(self) -> dict[str, Any]:
        """Ask until all is answered or the time is over; say how it went."""
        cpu_before, start = time.process_time(), clock()
        while len(self.latencies) < self.count and clock() < start + self.limit:
            self.send_what_is_due(start)
            wait = 1.0
            if self.interval and self.idle and self.sent < self.count:
                wait = max(0.0, start + self.sent * self.interval - clock())
            for number, _ in self.poll.poll(wait):
                self.receive(self.by_number[number])
        elapsed, cpu = clock() - start, time.process_time() - cpu_before
        for connection in self.by_number.values():
            connection.socket.close()
        self.poll.close()
        return {
            "elapsed_seconds": elapsed,
            "latencies_seconds": self.latencies,
            "statuses": self.statuses,
            "unanswered": self.sent - len(self.latencies),
            "received_bytes": self.received,
            "reconnects": self.reconnects,
            "first_error": self.first_error,
            "client_cpu_seconds": cpu,
        }

    def send_what_is_due(self, start: float) -> None:
        """Give idle connections their next requests."""
        while self.idle and self.sent < self.count:
            now, due = clock(), start + self.sent * self.interval
            if due > now:
                return
            connection = self.idle.pop()
            connection.began = due if self.interval else now
            connection.asked = True
            connection.socket.sendall(self.requests[self.sent % len(self.requests)])
            self.sent += 1

    def receive(self, connection: Connection) -> None:
        """Take what came; note a whole answer, or a connection that ended before it."""
        try:
            data = connection.socket.recv(ANSWER_BYTES_AT_ONCE)
        except ConnectionResetError:
            data = b""
        whole = bool(data) and connection.take(data)
        if data and not whole:
            return
        if connection.asked:
            self.latencies.append(clock() - connection.began)
            status = connection.status if whole else CUT_OFF
            self.statuses[status] = self.statuses.get(status, 0) + 1
            if status != OK and self.first_error is None:
                self.first_error = connection.buffer[:2000].decode("latin-1")
            self.received += len(connection.buffer)
        else:
            # An idle connection that the server closed.
            self.idle.remove(connection)
        if not data or connection.closes:
            number = connection.socket.fileno()
            del self.by_number[number]
            self.poll.unregister(number)
            connection.socket.close()
            connection = self.connect(connection.address)
            self.reconnects += 1
        connection.forget()
        self.idle.append(connection)


def main() -> None:
    """Answer jobs until the input ends."""
    for line in sys.stdin:
        try:
            answer = Job(json.loads(line)).perform()
        except OSError as why:
            answer = {"failed": str(why)}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
