from __future__ import annotations

import hashlib
import http.server
import io
import json
import os
import pty
import signal
import socket
import subprocess
import threading
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from tests.app.server import SAMPLES, Server, free_port, running
from tests.cli.running import Done, program, run, surroundings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running(tmp_path_factory.mktemp("server") / "data") as started:
        yield started


def ask(server: Server, *arguments: object, **more: str) -> Done:
    """As the server's owner: with the token of its folder."""
    return run(*arguments, "--server", server.url, "--data", server.data, **more)


def drawn(number: int) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (30, 20), (number, 2 * number, 7)).save(out, "PNG")
    return out.getvalue()


def ident_of(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def known(server: Server, body: bytes) -> bool:
    return server.get(f"api/images/{ident_of(body)}").status_code == 200


def test_put_prints_ident_and_address_and_the_image_is_there(server: Server, tmp_path: Path) -> None:
    (tmp_path / "a b.png").write_bytes(drawn(1))
    done = ask(server, "put", tmp_path / "a b.png", "--title", "One", "--tag", "x", "--tag", "y", "--path", "p/q")
    ident = ident_of(drawn(1))
    assert (done.code, done.err) == (0, "")
    assert done.out == f"{ident}  {server.url}/{ident}  {tmp_path / 'a b.png'}\n"
    about = server.get(f"api/images/{ident}").json()
    assert (about["title"], about["tags"], about["path"]) == ("One", ["x", "y"], "p/q")
    again = ask(server, "put", tmp_path / "a b.png", "--json")
    assert json.loads(again.out)["url"] == f"{server.url}/{ident}"


def test_put_of_a_folder_takes_the_images_and_names_the_rest(server: Server, tmp_path: Path) -> None:
    deep = tmp_path / "deep"
    deep.mkdir()
    (tmp_path / ".hidden.png").write_bytes(drawn(5))
    (tmp_path / "a.png").write_bytes(drawn(2))
    (deep / "b.png").write_bytes(drawn(3))
    (deep / "notes.txt").write_text("no image")
    done = ask(server, "put", tmp_path)
    assert done.code == 0, done.err
    assert done.err.startswith(f"derivproxy: {deep / 'notes.txt'}: passed over: 415 unsupported-media")
    assert [line.split()[0] for line in done.out.splitlines()] == [ident_of(drawn(2)), ident_of(drawn(3))]
    assert not known(server, drawn(5))
    (deep / "half.png").write_bytes(drawn(4)[:-9])
    done = ask(server, "put", tmp_path)
    assert done.code == 1
    assert f"{deep / 'half.png'}: 422 undecodable" in done.err
    assert done.err.endswith("derivproxy: 1 of 4 were not added\n")
    assert len(done.out.splitlines()) == 2


def test_put_fetches_addresses_itself(server: Server, tmp_path: Path) -> None:
    (tmp_path / "c d.png").write_bytes(drawn(6))
    with folder_served(tmp_path) as address:
        done = ask(server, "put", f"{address}/c%20d.png", f"{address}/none.png")
    assert done.code == 1
    assert done.out.startswith(ident_of(drawn(6)))
    assert (
        done.err == f"derivproxy: {address}/none.png: answered 404 File not found\nderivproxy: 1 of 2 were not added\n"
    )
    assert known(server, drawn(6))


@contextmanager
def folder_served(folder: Path) -> Iterator[str]:
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=folder)) as elsewhere:
        thread = threading.Thread(target=elsewhere.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{elsewhere.server_port}"
        finally:
            elsewhere.shutdown()
            thread.join()


def test_put_without_the_right_token_stops_at_the_first_file(server: Server, tmp_path: Path) -> None:
    for number in (7, 8):
        (tmp_path / f"{number}.png").write_bytes(drawn(number))
    done = run("put", tmp_path, "--server", server.url, "--token", "wrong", cwd=tmp_path)
    assert done.code == 1
    assert done.err.count("401 unauthorised: the request bears another token") == 1
    assert "--token or --token-file" in done.err
    without = run("put", tmp_path, "--server", server.url, cwd=tmp_path)
    assert "the request bears no token" in without.err
    secret = tmp_path / ".token"
    secret.write_text((server.data / "token").read_text())
    right = run("put", tmp_path / "7.png", "--token-file", secret, cwd=tmp_path, DERIVPROXY_SERVER=server.url)
    assert right.code == 0, right.err


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("put", "none.png"), 2, "'none.png' is no file, folder or http(s) URL"),
        (("put", "empty"), 1, "no file in empty"),
        (("put",), 2, "Missing argument"),
        (("put", "a.txt"), 1, "a.txt: 415 unsupported-media"),
        (("put", "a.txt", "--token-file", "none"), 2, "names 'none', which cannot be read"),
        (("warm", "320x.bmp"), 2, "'320x.bmp' is no suffix"),
        (("warm", "320x.auto"), 2, "'320x.auto' is no suffix"),
        (("warm", "320x.jpg", "--ident", "12"), 2, "'12' is no ident"),
        (("warm", "320x.jpg", "--at-once", "0"), 2, "--at-once"),
        (("warm", "320x.jpg", "--ident", "0" * 64), 1, "404 unknown-image"),
        (("warm", "320x.jpg", "--tag", "nowhere"), 1, "no image is tagged 'nowhere'"),
        (("purge", "12"), 2, "'12' is no ident"),
        (("purge", "0" * 64), 1, "404 unknown-image"),
    ],
)
def test_what_goes_wrong_is_named(
    server: Server, tmp_path: Path, arguments: tuple[str, ...], code: int, said: str
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "a.txt").write_text("no image")
    done = run(*arguments, "--server", server.url, "--data", server.data, cwd=tmp_path)
    assert (done.code, said in done.err) == (code, True), done.err


@pytest.mark.parametrize(
    "command", [("put", str(SAMPLES)), ("warm", "9x.jpg"), ("purge", "0" * 64), ("health",), ("health", "--ready")]
)
def test_a_server_that_is_not_there_is_named(tmp_path: Path, command: tuple[str, ...]) -> None:
    address = f"http://127.0.0.1:{free_port()}"
    done = run(*command, "--server", address, cwd=tmp_path)
    assert done.code == 1
    assert done.err.startswith(f"derivproxy: {address} does not answer")
    assert "is it running? see --server" in done.err
    wrong = run(*command, "--server", "images.example", cwd=tmp_path)
    assert (wrong.code, "'images.example' is no http:// or https:// URL" in wrong.err) == (2, True)


def test_health_is_the_exit_code(server: Server) -> None:
    for arguments in (("health",), ("health", "--ready")):
        done = ask(server, *arguments)
        assert (done.code, json.loads(done.out)["status"] in {"alive", "ready"}) == (0, True)


def test_warm_then_evict_then_purge(tmp_path: Path) -> None:
    with running(tmp_path / "data") as server:
        for number in (1, 2):
            server.put(drawn(number), tag="warmed")
        server.put(drawn(3))
        done = ask(server, "warm", "-9x.JPEG", "8x.png", "--tag", "warmed")
        assert (done.code, done.out, done.err) == (0, "4 of 4 are warm\n", "")
        assert server.metric("derivproxy_derivations_total") == 4
        done = ask(server, "warm", "9x.jpg", "--ident", ident_of(drawn(3)), "--json")
        assert json.loads(done.out) == {"images": 1, "names": 1, "failed": 0}
        done = ask(server, "warm", "7x.jxl", "9x.jpg")
        assert (done.code, done.out) == (1, "3 of 6 are warm\n")
        assert done.err.count("422 cannot-encode") == 3
        done = ask(server, "purge", ident_of(drawn(1)))
        assert (done.code, done.out) == (0, f"{ident_of(drawn(1))}  2 deleted\n")
        done = ask(server, "purge", ident_of(drawn(1)), "--json")
        assert json.loads(done.out) == {"ident": ident_of(drawn(1)), "deleted": 0}
        done = run("evict", "--budget", "0", "--data", server.data, "--json")
        assert done.code == 0, done.err
        assert json.loads(done.out)["evicted"] == 3
        assert json.loads(done.out)["kept_bytes"] == 0
        assert server.get(f"{ident_of(drawn(2))}-5x.jpg").status_code == 200


def test_an_interrupted_put_ends_at_once_and_leaves_nothing_half_done(server: Server, tmp_path: Path) -> None:
    noise = Image.effect_noise((900, 900), 90)
    out = io.BytesIO()
    noise.save(out, "PNG")
    (tmp_path / "1.png").write_bytes(drawn(40))
    (tmp_path / "2.png").write_bytes(out.getvalue())
    (tmp_path / "3.png").write_bytes(drawn(41))
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    with slow_way_to(server) as (address, under_way):
        process = subprocess.Popen(
            program("put", *sorted(tmp_path.glob("*.png")), "--server", address, "--data", server.data),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**surroundings(), "TMPDIR": str(temporary)},
        )
        assert under_way.wait(20)
        process.send_signal(signal.SIGINT)
        said, complaint = process.communicate(timeout=10)
    assert process.returncode == 1
    assert complaint.strip() == "Aborted!"
    assert said.startswith(ident_of(drawn(40)))
    assert list(temporary.iterdir()) == []
    assert known(server, drawn(40))
    assert not known(server, out.getvalue())
    assert not known(server, drawn(41))


@contextmanager
def slow_way_to(server: Server) -> Iterator[tuple[str, threading.Event]]:
    """An address that passes small uploads on to *server* and gets stuck within a large one."""
    stuck, over = threading.Event(), threading.Event()

    def carry(client: socket.socket) -> None:
        with client, socket.create_connection(("127.0.0.1", server.port)) as there:
            back = threading.Thread(target=copied, args=(there, client), daemon=True)
            back.start()
            passed = 0
            while piece := client.recv(65536):
                there.sendall(piece)
                passed += len(piece)
                if passed > 200_000:
                    stuck.set()
                    over.wait(20)
                    break
            there.shutdown(socket.SHUT_RDWR)

    def copied(source: socket.socket, target: socket.socket) -> None:
        try:
            while piece := source.recv(65536):
                target.sendall(piece)
        except OSError:
            return

    with socket.create_server(("127.0.0.1", 0)) as listener:

        def accept() -> None:
            while True:
                try:
                    client, _ = listener.accept()
                except OSError:
                    return
                threading.Thread(target=carry, args=(client,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", stuck
        over.set()


def test_put_and_warm_show_their_progress_on_a_terminal(server: Server, tmp_path: Path) -> None:
    for number in (50, 51):
        (tmp_path / f"{number}.png").write_bytes(drawn(number))
    said, shown = on_a_terminal("put", tmp_path, "--server", server.url, "--data", server.data)
    assert "adding" in shown
    assert "100%" in shown
    assert len(said.splitlines()) == 2
    said, shown = on_a_terminal("warm", "8x.jpg", "--ident", ident_of(drawn(50)), "--server", server.url)
    assert "warming" in shown
    assert said == "1 of 1 are warm\n"


def on_a_terminal(*arguments: object) -> tuple[str, str]:
    """Standard output, and what a terminal saw of standard error."""
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        program(*arguments),
        stdout=subprocess.PIPE,
        stderr=follower,
        text=True,
        env={**surroundings(), "TERM": "xterm"},
    )
    os.close(follower)
    shown = b""
    try:
        while piece := os.read(leader, 65536):
            shown += piece
    except OSError:  # how Linux says that nobody holds the other end any more
        pass
    os.close(leader)
    said, _ = process.communicate(timeout=20)
    assert process.returncode == 0, shown
    return said, shown.decode()
