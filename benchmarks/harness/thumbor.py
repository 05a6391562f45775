"""thumbor as its documentation hosts it: a process for each core on a port of its own, the file loader.

The load generator deals its connections out over the ports evenly, as a perfect balancer in front would.
Transformations stay on the event loop (``ENGINE_THREADPOOL_SIZE`` 0, as it ships). It cannot be told a WebP effort:
Pillow's 4 holds.
"""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from harness.children import free_port
from harness.contestants import CORES, Place, Server
from harness.paths import THUMBOR
from harness.works import MAIN

if TYPE_CHECKING:
    from pathlib import Path

    from harness.works import Work

NAMES = {"jpg": "jpeg"}


class Thumbor(Server):
    """*keeps_results*: with its file result storage, which is how it answers again without deriving again."""

    def __init__(self, place: Place, *, keeps_results: bool = False) -> None:
        self.name = "thumbor-kept" if keeps_results else "thumbor"
        super().__init__(place, self.name)
        python = THUMBOR / "bin" / "python"
        asked = "from importlib.metadata import version as v; print(v('thumbor'), 'Pillow', v('pillow'))"
        self.version = subprocess.run([python, "-c", asked], check=True, capture_output=True, text=True).stdout.strip()
        encoders = place.encoders
        settings: dict[str, object] = {
            "LOADER": "thumbor.loaders.file_loader",
            "FILE_LOADER_ROOT_PATH": str(place.photos),
            "STORAGE": "thumbor.storages.no_storage",
            "QUALITY": encoders.jpg_quality,
            "WEBP_QUALITY": encoders.webp_quality,
            "AVIF_QUALITY": encoders.avif_quality,
            "AVIF_SPEED": encoders.avif_speed,
            "PNG_COMPRESSION_LEVEL": encoders.png_compression,
            "PROGRESSIVE_JPEG": False,
            "RESPECT_ORIENTATION": True,
            "AUTO_WEBP": False,
            "ALLOW_UNSAFE_URL": True,
        }
        if keeps_results:
            settings["RESULT_STORAGE"] = "thumbor.result_storages.file_storage"
            settings["RESULT_STORAGE_FILE_STORAGE_ROOT_PATH"] = str(place.scratch / "thumbor-results")
            settings["RESULT_STORAGE_STORES_UNSAFE"] = True
        config = place.scratch / f"{self.name}.conf"
        config.write_text("".join(f"{key} = {value!r}\n" for key, value in settings.items()))
        self._start_processes(
            [python, "-m", "thumbor.server", "--ip", "127.0.0.1", "--conf", config, "--log-level", "error"]
        )

    def _start_processes(self, command: list[str | Path]) -> None:
        for _ in range(CORES):
            port = free_port()
            self.start([*command, "--port", str(port)], port)

    def path(self, work: Work, box_height: int) -> str:
        filters = f"filters:format({NAMES.get(work.suffix, work.suffix)}):strip_exif():strip_icc()"
        return f"/unsafe/fit-in/{work.width}x{box_height}/{filters}/{work.photo.file}"


class ForkingThumbor(Thumbor):
    """A process for each core on one port (``--processes``): whichever is first takes all connections that wait.

    CPU is the same as with a balancer, throughput is not; it takes part in one work, to show that.
    """

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        self.name = "thumbor-fork"

    def can(self, work: Work) -> bool:
        return work is MAIN

    def _start_processes(self, command: list[str | Path]) -> None:
        port = free_port()
        self.start([*command, "--port", str(port), "--processes", str(CORES)], port)
