"""What is measured. Each part goes round all its contestants in turn, so that what disturbs one disturbs all."""

from __future__ import annotations

import time
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from harness.meters import watching_memory
from harness.service import Service
from harness.spread import Spread, percentile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from harness.contestants import Contestant, Server, Turn
    from harness.works import Work

CLIENTS = 4
STORM = 200
FEWEST_REQUESTS = 8
MOST_REQUESTS = 800
HOT_EVERY_SECONDS = 0.01


@dataclass(slots=True)
class Column:
    """One contestant's figures over the rounds, by the name of the figure."""

    rounds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    def add(self, **figures: float) -> None:
        """Note the figures of one round."""
        for name, figure in figures.items():
            self.rounds[name].append(figure)

    def spreads(self) -> dict[str, Spread]:
        """Every figure over the rounds."""
        return {name: Spread.of(figures) for name, figures in self.rounds.items()}


Table = dict[str, Column]


def in_turn(contestants: Sequence[Contestant], rounds: int) -> Iterator[list[Contestant]]:
    """Each round begins with another contestant: who comes after whom must not matter."""
    for number in range(rounds):
        at = number % len(contestants)
        yield [*contestants[at:], *contestants[:at]]


def requests_for(seconds: float, warm: Turn) -> int:
    """How many requests fill a turn, whole rounds of the clients."""
    wanted = round(seconds * warm.per_second / CLIENTS) * CLIENTS
    return min(MOST_REQUESTS, max(FEWEST_REQUESTS, wanted))


def cold(contestants: Sequence[Contestant], work: Work, *, rounds: int, seconds: float) -> Table:
    """Every request is new work: CPU, throughput, and CPU as a multiple of bare pyvips in the same round."""
    taking_part = [one for one in contestants if one.can(work)]
    bare = taking_part[0]
    for one in taking_part:
        one.cold(work, CLIENTS, CLIENTS)
    count = requests_for(seconds, bare.cold(work, FEWEST_REQUESTS, CLIENTS))
    table: Table = {one.name: Column() for one in taking_part}
    for order in in_turn(taking_part, rounds):
        turns = {one.name: _warm_turn(one, work, count) for one in order}
        floor = turns[bare.name]
        for name, turn in turns.items():
            table[name].add(
                cpu_ms=turn.cpu_ms,
                per_second=turn.per_second,
                of_bare=turn.cpu_ms / floor.cpu_ms,
                over_bare_ms=turn.cpu_ms - floor.cpu_ms,
                throughput_of_bare=turn.per_second / floor.per_second,
            )
    return table


def _warm_turn(contestant: Contestant, work: Work, count: int) -> Turn:
    # While the others had their turns it was idle, and may have given memory back: not what a busy server pays.
    contestant.cold(work, CLIENTS, CLIENTS)
    return contestant.cold(work, count, CLIENTS)


def hot(servers: Sequence[Server], work: Work, *, rounds: int, count: int) -> Table:
    """One name, asked for over and over: from memory, where a server has one."""
    table: Table = {one.name: Column() for one in servers}
    paths = {one.name: one.new_paths(work, 1) for one in servers}
    for one in servers:
        one.ask(paths[one.name], count=CLIENTS, connections=1)
    for order in in_turn(servers, rounds):
        for server in order:
            turn = server.ask(paths[server.name], count=count, connections=CLIENTS)
            table[server.name].add(
                cpu_us=1e3 * turn.cpu_ms,
                per_second=turn.per_second,
                p50_ms=1e3 * percentile(turn.latencies_seconds, 0.5),
                p99_ms=1e3 * percentile(turn.latencies_seconds, 0.99),
                client_busy=turn.client_cpu_seconds / turn.elapsed_seconds,
            )
    return table


def storm(servers: Sequence[Server], work: Work, *, rounds: int) -> Table:
    """*STORM* askers of one cold name at once, beside one lonely asker of another.

    Derivations are the server's own count where it has one, else what the storm's CPU would buy at a lonely asker's
    price.
    """
    table: Table = {one.name: Column() for one in servers}
    for order in in_turn(servers, rounds):
        for server in order:
            lonely = server.cold(work, FEWEST_REQUESTS, 1)
            before = server.derivations() if isinstance(server, Service) else 0
            turn = server.ask(server.new_paths(work, 1), count=STORM, connections=STORM)
            counted = (
                server.derivations() - before if isinstance(server, Service) else turn.cpu_seconds / lonely.cpu_ms * 1e3
            )
            alone_ms = 1e3 * percentile(lonely.latencies_seconds, 0.5)
            table[server.name].add(
                derivations=counted,
                one_ms=alone_ms,
                all_ms=1e3 * turn.elapsed_seconds,
                times_one=1e3 * turn.elapsed_seconds / alone_ms,
                cpu_ms=1e3 * turn.cpu_seconds,
            )
    return table


def hot_while_cold(servers: Sequence[Server], work: Work, *, rounds: int, seconds: float) -> Table:
    """Latency of hits, one every *HOT_EVERY_SECONDS*, first alone, then while cold clients keep every core busy.

    Both load generators and the server share the machine's cores, so a hit's latency has their waiting in it too.
    """
    table: Table = {one.name: Column() for one in servers}
    count = round(seconds / HOT_EVERY_SECONDS)
    for order in in_turn(servers, rounds):
        for server in order:
            [path] = server.new_paths(work, 1)
            server.get(path)
            alone = server.ask([path], count=count, connections=2, interval_seconds=HOT_EVERY_SECONDS)
            paths = server.new_paths(work, MOST_REQUESTS)
            with server.asked_meanwhile(
                paths, count=len(paths), connections=2 * CLIENTS, limit_seconds=seconds + 0.5
            ) as colds:
                time.sleep(0.25)
                busy = server.ask([path], count=count, connections=2, interval_seconds=HOT_EVERY_SECONDS)
            table[server.name].add(
                alone_p50_ms=1e3 * percentile(alone.latencies_seconds, 0.5),
                alone_p99_ms=1e3 * percentile(alone.latencies_seconds, 0.99),
                busy_p50_ms=1e3 * percentile(busy.latencies_seconds, 0.5),
                busy_p99_ms=1e3 * percentile(busy.latencies_seconds, 0.99),
                cold_per_second=colds.result().per_second,
            )
    return table


def memory(fresh: Sequence[Callable[[], Server]], work: Work, *, clients: Sequence[int], seconds: float) -> Table:
    """Peak memory of a freshly started tree while so many cold clients ask, one count of clients after the other."""
    table: Table = {}
    for start in fresh:
        server = start()
        try:
            column = table.setdefault(server.name, Column())
            server.cold(work, CLIENTS, CLIENTS)
            with watching_memory(server.pids, every_seconds=0.2) as idle:
                pass
            column.add(started_mb=idle.pss_bytes / 1e6)
            for many in clients:
                paths = server.new_paths(work, MOST_REQUESTS)
                with watching_memory(server.pids) as peak:
                    server.ask(paths, count=len(paths), connections=many, limit_seconds=seconds)
                column.add(**{f"clients_{many}_mb": peak.pss_bytes / 1e6})
        finally:
            server.stop()
    return table
