"""imagor, where ``IMAGOR=path`` names a finished program."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from harness.children import free_port
from harness.contestants import Place, Server

if TYPE_CHECKING:
    from pathlib import Path

    from harness.works import Work

NAMES = {"jpg": "jpeg"}


class Imagor(Server):
    """The environment is that of its own container image: without ``VIPS_VECTOR`` it would run without SIMD."""

    name = "imagor"

    def __init__(self, place: Place, program: Path) -> None:
        super().__init__(place, self.name)
        said = subprocess.run([program, "-version"], check=False, capture_output=True, text=True, timeout=30)
        self.version = (said.stdout or said.stderr).strip() or "of unknown version"
        port = free_port()
        env = {
            "PORT": str(port),
            "SERVER_ADDRESS": "127.0.0.1",
            "IMAGOR_UNSAFE": "1",
            "FILE_LOADER_BASE_DIR": str(place.photos),
            "HTTP_LOADER_DISABLE": "1",
            "VIPS_CONCURRENCY": "1",
            "VIPS_AVIF_SPEED": str(place.encoders.avif_speed),
            "VIPS_STRIP_METADATA": "1",
            "VIPS_VECTOR": "167772160",
            "VIPS_WARNING": "0",
            "MALLOC_ARENA_MAX": "2",
        }
        self.start([program], port, env)

    def path(self, work: Work, box_height: int) -> str:
        quality = self.place.encoders.quality(work.suffix)
        filters = f"filters:format({NAMES.get(work.suffix, work.suffix)})" + (f":quality({quality})" if quality else "")
        return f"/unsafe/fit-in/{work.width}x{box_height}/{filters}/{work.photo.file}"
