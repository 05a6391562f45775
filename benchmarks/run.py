"""``make bench``: this service beside bare pyvips and whatever peers are there, all in one interleaved run.

``README.md`` says how to read the figures. Everything is on loopback and bounded; a run takes about five minutes.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
import time
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyvips
from harness import parts, report
from harness.contestants import Bare, Contestant, Place, Server
from harness.encoding import encoders_of_the_service
from harness.imagor import Imagor
from harness.imgproxy import Imgproxy
from harness.ipx import Ipx
from harness.machine import Neighbours, shape
from harness.paths import IPX, LAST, README, RESULTS, THUMBOR
from harness.photos import gather
from harness.service import Service
from harness.spread import Spread
from harness.thumbor import ForkingThumbor, Thumbor
from harness.works import MAIN, OVERHEAD, WORKS, Work

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

PARTS = ("cold", "overhead", "hot", "storm", "mixed", "memory")
MEMORY_CLIENTS = (8, 64)


def arguments(given: Sequence[str] | None) -> argparse.Namespace:
    """What was asked for."""
    parser = argparse.ArgumentParser(prog="benchmarks/run.py", description=__doc__.splitlines()[0])
    parser.add_argument("--full", action="store_true", help="all works, more rounds; about fifteen minutes")
    parser.add_argument("--works", help=f"some works, by number: {_numbered()}")
    parser.add_argument("--rounds", type=int, help="rounds over all contestants (default 5; 9 with --full)")
    parser.add_argument("--seconds", type=float, default=0.8, help="of work in one turn of bare pyvips (default 0.8)")
    parser.add_argument("--parts", default=",".join(PARTS), help=f"some of {','.join(PARTS)}")
    parser.add_argument("--without", default="", help="contestants to leave out, by commas")
    parser.add_argument("--photos", type=Path, help="a folder of photos (default: shared/corpus beside the checkout)")
    parser.add_argument("--publish", action="store_true", help="also write last.json and the last run into README.md")
    asked = parser.parse_args(given)
    strange = [part for part in asked.parts.split(",") if part not in PARTS]
    if strange:
        parser.error(f"--parts {','.join(strange)}: there are {','.join(PARTS)}")
    try:
        asked.works = _chosen(asked.works, full=asked.full)
    except (IndexError, ValueError):
        parser.error(f"--works {asked.works}: numbers by commas, of {_numbered()}")
    asked.rounds = asked.rounds or (9 if asked.full else 5)
    return asked


def _numbered() -> str:
    return ", ".join(f"{number} {work.name}" for number, work in enumerate(WORKS, start=1))


def _chosen(numbers: str | None, *, full: bool) -> list[Work]:
    if numbers:
        wanted = [int(number) for number in numbers.split(",")]
        if min(wanted) < 1:
            raise ValueError(numbers)
        return [WORKS[number - 1] for number in wanted]
    return [work for work in WORKS if work.default or full]


class Run:
    """Contestants that stand ready, and the figures so far."""

    def __init__(self, asked: argparse.Namespace, scratch: Path, ending: ExitStack) -> None:
        self.asked = asked
        self.parts: dict[str, Any] = {}
        self.text: list[str] = []
        photos = {work.photo: None for work in (*asked.works, MAIN, OVERHEAD)}
        origins = gather(photos, asked.photos, scratch / "photos")
        self.place = Place(photos=scratch / "photos", scratch=scratch, encoders=encoders_of_the_service())
        self.missing: dict[str, str] = {}
        self._without = set(filter(None, asked.without.split(",")))
        self._starters: dict[str, Callable[[], Server]] = {
            "derivproxy": lambda: Service(self.place, photos, instance=f"-{next(instances)}")
        }
        instances = iter(range(1_000))
        self._find_peers()
        starters: dict[str, Callable[[], Contestant]] = {
            "bare": lambda: Bare(self.place),
            "bare-s8": lambda: Bare(self.place, shrink=8),
            **self._starters,
        }
        self.contestants: list[Contestant] = []
        for name, start in starters.items():
            if name not in self._without:
                contestant = start()
                ending.callback(contestant.stop)
                self.contestants.append(contestant)
        self.data: dict[str, Any] = {
            "when": datetime.now(UTC).isoformat(timespec="minutes"),
            "machine": shape(),
            "versions": {one.name: one.version for one in self.contestants},
            "not_there": self.missing,
            "encoders": {suffix: self.place.encoders.save_options(suffix) for suffix in ("jpg", "png", "webp", "avif")},
            "photos": origins,
            "rounds": asked.rounds,
        }

    def _find_peers(self) -> None:
        remedy = "make bench-peers installs it"
        thumbor = THUMBOR / "bin" / "python"
        for name, there, start in (
            ("thumbor", thumbor.exists(), lambda: Thumbor(self.place)),
            ("thumbor-fork", thumbor.exists(), lambda: ForkingThumbor(self.place)),
            ("ipx", (IPX / "node_modules" / "ipx").exists(), lambda: Ipx(self.place)),
        ):
            if there:
                self._starters[name] = start
            else:
                self.missing[name] = remedy
        for name, kind in (("imgproxy", Imgproxy), ("imagor", Imagor)):
            given = os.environ.get(name.upper())
            if given and os.access(given, os.X_OK):
                self._starters[name] = partial(kind, self.place, Path(given))
            else:
                why = "no package registry carries it" if not given else f"{given} cannot be run"
                self.missing[name] = f"{why}; {name.upper()}=/path/to/program measures a finished one"

    @property
    def servers(self) -> list[Server]:
        """Those that are asked over HTTP, each program once."""
        return [one for one in self.contestants if isinstance(one, Server) and not isinstance(one, ForkingThumbor)]

    def say(self, text: str) -> None:
        """Show it now, and keep it for the page."""
        print(f"\n{text}", flush=True)
        self.text.append(text)

    def introduce(self) -> None:
        """Who takes part, on what, and whether all answer the same work."""
        machine, data = self.data["machine"], self.data
        self.say(
            f"{data['when']}, {machine['cores']} cores of {machine['processor']}, {machine['memory_gb']} GB, "
            f"{machine['system']}, Python {machine['python']}; {self.asked.rounds} rounds. "
            + "; ".join(f"{name} {version}" for name, version in data["versions"].items())
            + "."
        )
        if self.missing:
            self.say("Not there: " + "; ".join(f"{name} ({why})" for name, why in self.missing.items()) + ".")
        made = [file for file, origin in data["photos"].items() if origin != "photo" and file != OVERHEAD.photo.file]
        if made:
            self.say(f"Made of a sample, for want of the photo: {', '.join(made)}.")
        self.say("Encoder options: " + "; ".join(f"{suffix} {said}" for suffix, said in data["encoders"].items()) + ".")

    def compare_answers(self) -> None:
        """Bytes of every contestant's answer; an answer of another size or format is an error."""
        sizes: dict[str, dict[str, int]] = {}
        for work in self.asked.works:
            row: dict[str, int] = {}
            bodies: dict[str, bytes] = {}
            for one in self.contestants:
                if not one.can(work):
                    continue
                body = bodies[one.name] = one.one(work)
                picture = pyvips.Image.new_from_buffer(body, "")
                if (picture.width, picture.height) != (work.width, work.height):
                    made = f"{picture.width}x{picture.height}"
                    raise RuntimeError(f"{one.name}: {work.name}: {made} instead of {work.width}x{work.height}")
                row[one.name] = len(body)
            if {"bare", "derivproxy"} <= bodies.keys() and bodies["bare"] != bodies["derivproxy"]:
                self.say(f"{work.name}: the service's bytes differ from bare pyvips's: not the same derivation.")
            sizes[work.name] = row
        self.data["answer_bytes"] = sizes
        names = [one.name for one in self.contestants]
        rows = [[work, *(f"{row[name]}" if name in row else "-" for name in names)] for work, row in sizes.items()]
        self.say("Bytes of the answers, all of the same size and format:\n\n" + report.markdown(["", *names], rows))

    def cold(self) -> None:
        """New work each time, 400 pixels wide."""
        works = {}
        for work in self.asked.works:
            works[work.name] = parts.cold(self.contestants, work, rounds=self.asked.rounds, seconds=self.asked.seconds)
            print(f"  {work.name}: " + _brief(works[work.name]), flush=True)
        self.data["cold"] = {name: report.as_data(table) for name, table in works.items()}
        names = [one.name for one in self.contestants]
        for figure, digits, title in (
            ("cpu_ms", 1, "Cold, server CPU per request, ms"),
            ("of_bare", 2, "Cold, server CPU as a multiple of bare pyvips in the same round"),
            ("per_second", 1, f"Cold, requests a second, {parts.CLIENTS} clients"),
        ):
            self.say(f"**{title}**\n\n" + report.by_work(works, names, figure, digits))
        self._goals(works)

    def _goals(self, works: dict[str, parts.Table]) -> None:
        table = works.get(MAIN.name, {})
        if "derivproxy" not in table or "bare" not in table:
            return
        service = table["derivproxy"]
        ratio = service.spreads()["of_bare"]
        self.say(f"{MAIN.name}: {ratio.text(2)}-fold CPU of bare pyvips; asked: at most 1.10.")
        for peer in ("thumbor", "thumbor-fork", "ipx", "imgproxy", "imagor"):
            if peer in table:
                pairs = zip(service.rounds["per_second"], table[peer].rounds["per_second"], strict=True)
                spread = Spread.of(mine / theirs for mine, theirs in pairs)
                self.say(f"{MAIN.name}: {spread.text(2)}-fold throughput of {peer} in the same round.")

    def overhead(self) -> None:
        """A picture so small that what remains is the way there and back."""
        table = parts.cold(self.contestants, OVERHEAD, rounds=self.asked.rounds, seconds=self.asked.seconds)
        self.data["overhead"] = report.as_data(table)
        figures = [("cpu_ms", "CPU ms", 2), ("over_bare_ms", "over bare, ms", 2), ("per_second", "a second", 0)]
        self.say(f"**Overhead of a cold request: {OVERHEAD.name}**\n\n" + report.by_contestant(table, figures))

    def hot(self) -> None:
        """The same name again."""
        with ExitStack() as ending:
            servers = [one for one in self.servers if one.name in ("derivproxy", "imagor")]
            if any(one.name == "thumbor" for one in self.servers):
                kept = Thumbor(self.place, keeps_results=True)
                ending.callback(kept.stop)
                servers.append(kept)
            table = parts.hot(servers, MAIN, rounds=self.asked.rounds, count=2_000)
        self.data["hot"] = report.as_data(table)
        figures = [
            ("cpu_us", "CPU µs", 0), ("per_second", "a second", 0), ("p50_ms", "p50 ms", 2), ("p99_ms", "p99 ms", 2),
            ("client_busy", "load generator busy", 2),
        ]  # fmt: skip
        self.say(f"**Hot: {MAIN.name}, one name, {parts.CLIENTS} clients**\n\n" + report.by_contestant(table, figures))

    def storm(self) -> None:
        """Many askers of one cold name."""
        table = parts.storm(self.servers, MAIN, rounds=3 if self.asked.full else 2)
        self.data["storm"] = report.as_data(table)
        figures = [
            ("derivations", "derivations", 0), ("one_ms", "one asker, ms", 0), ("all_ms", "all, ms", 0),
            ("times_one", "all / one", 1), ("cpu_ms", "CPU of the storm, ms", 0),
        ]  # fmt: skip
        self.say(f"**{parts.STORM} askers of one cold name at once**\n\n" + report.by_contestant(table, figures))

    def mixed(self) -> None:
        """Hits beside cold work."""
        servers = [one for one in self.servers if one.name == "derivproxy"]
        if not servers:
            return
        table = parts.hot_while_cold(servers, MAIN, rounds=3, seconds=3.0)
        self.data["mixed"] = report.as_data(table)
        figures = [
            ("alone_p50_ms", "alone p50 ms", 2), ("alone_p99_ms", "alone p99 ms", 2), ("busy_p50_ms", "busy p50 ms", 2),
            ("busy_p99_ms", "busy p99 ms", 1), ("cold_per_second", "cold a second beside", 1),
        ]  # fmt: skip
        title = f"**Hits every 10 ms, alone and while {2 * parts.CLIENTS} cold clients saturate**"
        self.say(f"{title}\n\n" + report.by_contestant(table, figures))

    def memory(self) -> None:
        """Peak memory, each contestant started afresh."""
        fresh = [start for name, start in self._starters.items() if name not in {*self._without, "thumbor-fork"}]
        table = parts.memory(fresh, MAIN, clients=MEMORY_CLIENTS, seconds=3.0)
        self.data["memory"] = report.as_data(table)
        figures = [("started_mb", "after four requests", 0)]
        figures += [(f"clients_{many}_mb", f"{many} cold clients", 0) for many in MEMORY_CLIENTS]
        self.say("**Peak memory of the process tree (PSS), MB**\n\n" + report.by_contestant(table, figures))


def _brief(table: parts.Table) -> str:
    return ", ".join(f"{name} {column.spreads()['cpu_ms'].median:.1f} ms" for name, column in table.items())


def main(given: Sequence[str] | None = None) -> int:
    """Run, print, write."""
    asked = arguments(given)
    # Ended from outside, everything that was started is ended too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with ExitStack() as ending:
        scratch = Path(ending.enter_context(tempfile.TemporaryDirectory(prefix="derivproxy-bench-")))
        began = time.monotonic()
        run = Run(asked, scratch, ending)
        neighbours = Neighbours(time.monotonic())
        run.introduce()
        run.compare_answers()
        for part in PARTS:
            if part in asked.parts.split(","):
                getattr(run, part)()
        share = neighbours.share(time.monotonic())
        run.data["others_share_of_cpu"] = round(share, 3)
        run.data["took_seconds"] = round(time.monotonic() - began)
        run.say(
            f"Other programs took {share:.0%} of the machine's CPU meanwhile"
            + (": too much for fine comparisons." if share > 0.1 else ".")
            + f" The run took {run.data['took_seconds']} s."
        )
    report.write_json(run.data, RESULTS / f"{datetime.now(UTC):%Y%m%d-%H%M%S}.json")
    if asked.publish:
        report.write_json(run.data, LAST)
        report.publish("\n\n".join(run.text), README)
    return 0


if __name__ == "__main__":
    sys.exit(main())
