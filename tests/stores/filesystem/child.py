"""What other processes do to a store; run as a program with JSON as its one argument."""

from __future__ import annotations

import hashlib
import json
import os
import resource
import signal
import sys
import time
from pathlib import Path

import anyio

from derivproxy.stores.filesystem import FilesystemStore


async def die(root: str, key: str, body: str, create: bool, delete: bool, point: str, after: int) -> None:  # noqa: FBT001, PLR0917
    """Put or delete, and be killed when *point* is reached for the time *after* (from 0)."""
    seen = 0

    def at(step: str) -> None:
        nonlocal seen
        if step == point:
            if seen == after:
                os.kill(os.getpid(), signal.SIGKILL)
            seen += 1

    store = FilesystemStore(Path(root), at=at)
    if delete:
        await store.delete(key)
    else:
        await store.put(key, body.encode(), metadata={"body": body}, create=create)


async def steps(root: str, key: str) -> None:
    """Print the steps of a put into a new folder and of a delete."""
    store = FilesystemStore(Path(root), at=print)
    await store.put(key, b"1")
    await store.delete(key)


async def write(root: str, keys: list[str], seconds: float, name: str) -> None:
    """Put, overwrite and delete as fast as possible; bytes and metadata belong together."""
    store = FilesystemStore(Path(root), durable=False)
    until, number = time.monotonic() + seconds, 0
    while time.monotonic() < until:
        key = keys[number % len(keys)]
        # Of equal sizes, so that only the time tells generations apart.
        body = f"{name}{number:08d}".encode() * 500
        md5 = hashlib.md5(body, usedforsecurity=False).hexdigest()
        await store.put(key, body, metadata={"of": md5}, content_type=f"text/{name}{number}")
        if number % 11 == 10:
            await store.delete(key)
        number += 1
    print(number)  # noqa: T201


async def limited(root: str, key: str, size: int, limit: int) -> None:
    """Put more than this process may write into one file."""
    store = FilesystemStore(Path(root))
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    await store.put(key, b"x" * size)


async def denied(root: str, key: str, what: str) -> None:
    """Do *what* as a user without rights."""
    store = FilesystemStore(Path(root)) if what != "open_store" else None
    if os.geteuid() == 0:
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)
    if store is None:
        FilesystemStore(Path(root))
    elif what == "put":
        await store.put(key, b"new")
    elif what == "delete":
        await store.delete(key)
    elif what == "list":
        [entry async for entry in store.list()]
    else:
        await store.stat(key)


async def run(deed: str, arguments: dict[str, object]) -> None:
    """Do it, and say what it raised."""
    try:
        await globals()[deed](**arguments)
    except Exception as error:  # noqa: BLE001 -- the parent judges
        print(type(error).__name__, error)  # noqa: T201


if __name__ == "__main__":
    task = json.loads(sys.argv[1])
    anyio.run(run, task.pop("deed"), task)
