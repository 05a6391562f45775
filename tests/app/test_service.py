"""The service as it runs: real processes, real sockets, real pictures, real kills."""

from __future__ import annotations

import asyncio
import hashlib
import io
import os
import signal
import socket
import threading
import time
from typing import TYPE_CHECKING

import httpx
import pytest
from PIL import Image

from tests.app.server import SAMPLES, descendants, running

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.app.server import Server

PHOTO = (SAMPLES / "hubble.jpg").read_bytes()
IDENT = hashlib.sha256(PHOTO).hexdigest()


@pytest.fixture(params=["1", "2"], ids=["one worker", "two workers"])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server]:
    with running(tmp_path / "data", "--workers", request.param) as server:
        yield server


def size_of(response: httpx.Response) -> tuple[int, int]:
    assert response.status_code == 200, response.text
    return Image.open(io.BytesIO(response.content)).size


def large_picture(side: int = 4000) -> bytes:
    """A picture that takes a while to derive from."""
    noise = Image.frombytes("RGB", (side, side), os.urandom(side * side * 3))
    out = io.BytesIO()
    noise.save(out, "JPEG", quality=90, progressive=True)
    return out.getvalue()


def test_a_store_that_is_lost_is_told_by_every_worker_and_none_is_unready(server: Server) -> None:
    store = server.data / "store"
    store.rename(store.with_name("lost"))
    # Each worker asks the store anew after two seconds, and connections come to any of them.
    time.sleep(2.1)
    for _ in range(10):
        told = server.get("readyz")
        assert (told.status_code, told.json()["status"]) == (200, "degraded")
    store.with_name("lost").rename(store)


def test_a_second_interrupt_ends_everything_at_once_and_quietly(server: Server) -> None:
    assert server.put(large_picture(3000)).status_code == 201
    ident = server.get("api/images").json()["images"][0]["ident"]
    with socket.create_connection(("127.0.0.1", server.port)) as asker:
        asker.sendall(f"GET /{ident}-2500x-lossless.avif HTTP/1.1\r\nhost: x\r\n\r\n".encode())
        time.sleep(0.5)
        below = server.processes()
        server.process.send_signal(signal.SIGINT)
        time.sleep(0.3)
        server.process.send_signal(signal.SIGINT)
        assert server.process.wait(2) == -signal.SIGINT
    assert "Traceback" not in server.log.read_text()
    assert '"exception"' not in server.log.read_text()
    for _ in range(100):
        if not any(os.path.exists(f"/proc/{pid}") for pid in below):  # noqa: PTH110 - no need for a Path
            break
        time.sleep(0.05)
    else:
        raise AssertionError(f"left behind: {below}")


def test_put_in_once_any_size_and_format_of_it_is_there(server: Server) -> None:
    answer = server.put(PHOTO, title="Deep field", tag="nasa")
    assert answer.status_code == 201
    assert answer.json()["ident"] == IDENT
    for suffix, media_type in [("200x.jpg", "image/jpeg"), ("200x.webp", "image/webp"), ("200x.avif", "image/avif")]:
        made = server.get(f"{IDENT}-{suffix}")
        assert made.headers["content-type"] == media_type
        assert size_of(made) == (200, 174)
    again = server.get(f"{IDENT}-200x.jpg")
    assert again.headers["etag"] == server.get(f"{IDENT}-200x.jpg").headers["etag"]
    assert server.get("api/images").json()["images"][0]["title"] == "Deep field"


def test_two_hundred_askers_of_one_cold_name_cost_one_derivation(server: Server) -> None:
    server.put(PHOTO)
    before = server.metric("derivproxy_derivations_total")

    async def storm() -> list[httpx.Response]:
        limits = httpx.Limits(max_connections=200)
        async with httpx.AsyncClient(base_url=server.url, limits=limits, timeout=60) as client:
            return await asyncio.gather(*(client.get(f"/{IDENT}-333x222-cover.webp") for _ in range(200)))

    answers = asyncio.run(storm())
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    assert server.metric("derivproxy_derivations_total") - before == 1


def test_what_was_removed_is_gone_at_once_for_every_worker(server: Server) -> None:
    server.put(PHOTO)
    assert server.get(f"{IDENT}-64x.jpg").status_code == 200
    gone = httpx.delete(f"{server.url}/api/images/{IDENT}", headers=server.bearer)
    assert gone.status_code == 200
    for _ in range(12):
        assert server.get(f"{IDENT}-64x.jpg").status_code == 410
    assert not any(path.is_file() for path in (server.data / "store" / "images").rglob(f"{IDENT}*"))


def test_a_purge_deletes_every_derivative_and_leaves_the_image(server: Server) -> None:
    server.put(PHOTO)
    for width in (50, 60, 70):
        server.get(f"{IDENT}-{width}x.jpg")
    folder = server.data / "store" / "images"
    deadline = time.monotonic() + 10
    while len(list(folder.rglob(f"{IDENT}-*.jpg"))) < 3 and time.monotonic() < deadline:
        time.sleep(0.05)
    answer = httpx.delete(f"{server.url}/api/images/{IDENT}/derivatives", headers=server.bearer)
    assert answer.json()["deleted"] == 3
    assert not list(folder.rglob(f"{IDENT}-*"))
    before = server.metric("derivproxy_derivations_total")
    assert server.get(f"{IDENT}-50x.jpg").status_code == 200
    assert server.metric("derivproxy_derivations_total") == before + 1, "some memory still had it"


def test_a_killed_deriving_process_costs_nobody_an_answer(server: Server) -> None:
    body = large_picture()
    ident = server.put(body).json()["ident"]
    answers: list[int] = []
    asker = threading.Thread(target=lambda: answers.append(server.get(f"{ident}-700x.webp").status_code))
    asker.start()
    time.sleep(0.15)
    for pid, command in server.processes().items():
        if "derive" in command and "serve" not in command:
            os.kill(pid, signal.SIGKILL)
    asker.join(60)
    assert answers == [200]
    assert size_of(server.get(f"{ident}-100x.jpg")) == (100, 100)


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_killed_server_leaves_nothing_half_visible(tmp_path: Path, workers: str) -> None:
    data = tmp_path / "data"
    with running(data, "--workers", workers) as server:
        server.put(PHOTO)
        body = large_picture(3000)
        ident = hashlib.sha256(body).hexdigest()
        upload = begin_upload(server, body, stop_after=len(body) // 2)
        asker = threading.Thread(target=lambda: quietly(server, f"{IDENT}-900x.avif"))
        asker.start()
        time.sleep(0.1)
        below = server.processes()
        server.kill()
        asker.join(20)
        upload.close()
    deadline = time.monotonic() + 5
    while any(pid_lives(pid) for pid in below) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not [pid for pid in below if pid_lives(pid)], "processes outlived the server"
    with running(data, "--workers", workers) as server:
        assert server.get(f"{ident}-100x.jpg").status_code == 404
        assert [image["ident"] for image in server.get("api/images").json()["images"]] == [IDENT]
        assert size_of(server.get(f"{IDENT}-900x.avif")) == (900, 785)
        assert not [path for path in (data / "local" / "spool").rglob("*") if path.is_file()]
        assert server.put(body).status_code == 201


def begin_upload(server: Server, body: bytes, *, stop_after: int) -> socket.socket:
    token = server.bearer["Authorization"]
    sock = socket.create_connection(("127.0.0.1", server.port))
    head = f"POST /api/images HTTP/1.1\r\nHost: x\r\nAuthorization: {token}\r\nContent-Length: {len(body)}\r\n\r\n"
    sock.sendall(head.encode() + body[:stop_after])
    return sock


def quietly(server: Server, path: str) -> None:
    try:
        server.get(path)
    except httpx.HTTPError:
        return


def pid_lives(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as stat:  # noqa: PTH123
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_killed_http_worker_is_replaced(tmp_path: Path) -> None:
    with running(tmp_path / "data", "--workers", "2") as server:
        server.put(PHOTO)
        workers = [pid for pid, command in server.processes().items() if "spawn_main" in command]
        assert len(workers) == 2
        for pid in workers:
            os.kill(pid, signal.SIGKILL)
        deadline = time.monotonic() + 20
        status = 0
        while status != 200 and time.monotonic() < deadline:
            try:
                status = server.get(f"{IDENT}-80x.jpg").status_code
            except httpx.HTTPError:
                time.sleep(0.05)
        assert status == 200


def test_a_graceful_stop_finishes_what_is_under_way_and_leaves_no_process(server: Server) -> None:
    body = large_picture(3000)
    ident = server.put(body).json()["ident"]
    answers: list[int] = []
    asker = threading.Thread(target=lambda: answers.append(server.get(f"{ident}-800x.webp").status_code))
    asker.start()
    time.sleep(0.1)
    below = list(descendants(server.process.pid))
    assert server.stop() == 0, server.log.read_text()
    asker.join(20)
    assert answers == [200]
    assert not [pid for pid in below if pid_lives(pid)]


def test_images_are_there_after_a_restart_and_after_losing_the_local_state(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with running(data) as server:
        server.put(PHOTO, title="Deep field")
        server.get(f"{IDENT}-64x.jpg")
    with running(data) as server:
        assert server.get(f"{IDENT}-64x.jpg").headers["cache-status"].count("detail=store")
        assert server.metric("derivproxy_derivations_total") == 0
    for path in sorted((data / "local").rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    with running(data) as server:
        assert size_of(server.get(f"{IDENT}-65x.jpg")) == (65, 57)


def test_a_server_on_the_same_data_is_refused_and_says_what_to_do(server: Server) -> None:
    with pytest.raises(AssertionError, match="is in use by process"), running(server.data):
        pass


def test_a_damaged_base_is_never_served_as_right(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with running(data) as server:
        server.put(PHOTO)
    (base,) = [path for path in (data / "store" / "images").rglob(IDENT) if path.is_file()]
    damaged = bytearray(base.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    base.write_bytes(damaged)
    with running(data) as server:
        answer = server.get(f"{IDENT}-64x.jpg")
        assert (answer.status_code, answer.json()["code"]) == (503, "base-damaged")
    base.unlink()
    with running(data) as server:
        answer = server.get(f"{IDENT}-64x.jpg")
        assert (answer.status_code, answer.json()["code"]) == (503, "base-missing")
        assert int(answer.headers["retry-after"]) > 0
