"""Bare pyvips, a program of its own: the same derivation with nothing around it. Jobs in, results out, as JSON lines.

A job: ``photo width height suffix save shrink count threads``. It is the bridge between two runs, and between two
machines: what a service costs is said as a multiple of this. As many threads as cores work at once, because a core
that shares its caches and memory with a busy neighbour is slower than a lonely one, and a server's cores are busy.
"""

from __future__ import annotations

import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pyvips


def derive(job: dict[str, Any]) -> bytes:
    """Decode in one pass, scale to the exact size, encode without metadata."""
    photo, width, height = job["photo"], job["width"], job["height"]
    if job["shrink"]:
        opened = pyvips.Image.new_from_file(photo, fail_on="error", access="sequential", shrink=job["shrink"])
        scaled = opened.thumbnail_image(width, height=height, size="force")
    else:
        scaled = pyvips.Image.thumbnail(f"{photo}[fail_on=error]", width, height=height, size="force")
    body: bytes = scaled.write_to_buffer(f".{job['suffix']}", keep="none", **job["save"])
    return body


def perform(job: dict[str, Any]) -> dict[str, Any]:
    """Derive *count* times and say how long it took."""
    start = time.perf_counter()
    with ThreadPoolExecutor(job["threads"]) as pool:
        sizes = list(pool.map(lambda _: len(derive(job)), range(job["count"])))
    return {"elapsed_seconds": time.perf_counter() - start, "answer_bytes": sizes[0]}


def main() -> None:
    """Answer jobs until the input ends."""
    pyvips.cache_set_max(0)
    for line in sys.stdin:
        job = json.loads(line)
        if "version" in job:
            answer: dict[str, Any] = {"version": ".".join(str(pyvips.version(part)) for part in range(3))}
        elif job.get("keep"):
            answer = {"body": derive(job).hex()}
        else:
            answer = perform(job)
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
