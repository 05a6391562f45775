"""The service of this checkout, started as a user starts it: one command, defaults, real HTTP, an empty data folder."""

from __future__ import annotations

import http.client
import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from derivproxy import __version__
from harness.children import free_port
from harness.contestants import Place, Server

if TYPE_CHECKING:
    from collections.abc import Iterable

    from harness.works import Photo, Work


class Service(Server):
    """*photos* are uploaded before anything is measured."""

    name = "derivproxy"

    def __init__(self, place: Place, photos: Iterable[Photo], *, instance: str = "") -> None:
        super().__init__(place, f"{self.name}{instance}")
        self.version = __version__
        self._data = place.scratch / f"{self.name}{instance}-data"
        program = Path(sys.executable).with_name("derivproxy")
        if not program.exists():
            raise RuntimeError(f"{program} is not there; make install puts it there")
        port = free_port()
        # As quiet as the peers, which write no line for a request either.
        env = {"DERIVPROXY_LOG_LEVEL": "warning"}
        self.start([program, "serve", "--host", "127.0.0.1", "--port", str(port), "--data", self._data], port, env)
        try:
            self._wait_until_ready()
            token = (self._data / "token").read_text().strip()
            self._idents = {photo.file: self._upload(place.photos / photo.file, token) for photo in photos}
        except BaseException:
            self.stop()
            raise

    def _wait_until_ready(self, *, at_most_seconds: float = 60.0) -> None:
        deadline = time.monotonic() + at_most_seconds
        while True:
            try:
                self.get("/readyz")
            except (RuntimeError, OSError):
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)
            else:
                return

    def _upload(self, photo: Path, token: str) -> str:
        connection = http.client.HTTPConnection("127.0.0.1", self.ports[0], timeout=120)
        try:
            headers = {"Authorization": f"Bearer {token}", "Content-Length": str(photo.stat().st_size)}
            with photo.open("rb") as body:
                connection.request("POST", f"/api/images?title={quote(photo.name)}", body=body, headers=headers)
                answer = connection.getresponse()
                said = answer.read()
        finally:
            connection.close()
        if answer.status not in (200, 201):
            raise RuntimeError(f"{photo.name} was not taken: {answer.status} {said[:500]!r}\n{self.last_words()}")
        ident: str = json.loads(said)["ident"]
        return ident

    def path(self, work: Work, box_height: int) -> str:
        return f"/{self._idents[work.photo.file]}-{work.width}x{box_height}.{work.suffix}"

    def derivations(self) -> int:
        """How many derivations it has started so far, by its own count at ``/metrics``."""
        text = self.get("/metrics").decode()
        lines = [line for line in text.splitlines() if line.startswith("derivproxy_derivations_total")]
        return sum(round(float(line.rpartition(" ")[2])) for line in lines)
